"""Guidance: marks drawn as channels on a frame's canvas.

The house encoding has eight channels, zeros where a mark is absent, so that one checkpoint takes every prompt:

==== ==================================== =============================================
0, 1 outline points, narrow and broad     extreme points, further clicks on the outline
2, 3 inside marks, narrow and broad       positive clicks and strokes, inside-outside centre
4, 5 outside marks, narrow and broad      negative clicks and strokes, inside-outside corners
6    box map with soft edges              extreme points, box
7    probability of an earlier mask       corrections, propagation
==== ==================================== =============================================

Points are drawn from float coordinates as Gaussians; several are combined by their maximum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .frame import Frame
from .prompt import Bounds, Points, Prompt, sample_stroke
from .simulation import box_of

CHANNELS = 8
NARROW = 0.012
"""Standard deviation of the narrow Gaussian, as a share of the canvas side."""
BROAD = 0.06
"""Standard deviation of the broad Gaussian, as a share of the canvas side."""
_MANY = 256  # points of one kind from which on a search tree finds the nearest sooner than looking at all of them
_BOX_EDGE = 0.008  # softness of the box map's edges, as a share of the canvas side


def encode(prompt: Prompt, frame: Frame) -> torch.Tensor:
    """Draw a prompt on a frame's canvas as ``(8, S, S)`` float32 channels."""
    spacing = NARROW * frame.size
    outline = frame.to_canvas(to_edges(prompt.outline_points, prompt.bounds))
    inside = [frame.to_canvas(prompt.inside_points)]
    outside = [frame.to_canvas(prompt.outside_points)]
    inside += [sample_stroke(frame.to_canvas(line), spacing) for line in prompt.inside_strokes]
    outside += [sample_stroke(frame.to_canvas(line), spacing) for line in prompt.outside_strokes]
    bounds: Bounds | None = None
    if prompt.bounds is not None:
        bounds = box_of(frame.to_canvas(to_edges(np.reshape(prompt.bounds, (2, 2)), prompt.bounds)))
    previous = None
    if prompt.previous is not None:
        previous = frame.read_mask(prompt.previous.probability, prompt.previous.region)[None]
    return draw([outline], [np.concatenate(inside)], [np.concatenate(outside)], [bounds], previous, frame.size)[0]


def to_edges(points: Points, bounds: Bounds | None) -> Points:
    """Move ``(N, 2)`` marks from the centres of the outermost pixels to these pixels' outer edges.

    A mark on a pixel means the whole pixel. The box through the centres is spread to the box around the pixels,
    half a pixel on each side, and what lies between moves in proportion: an object of ten pixels would lose a
    fifth of its area otherwise.
    """
    if bounds is None or not len(points):
        return points
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    centre, extent = (low + high) / 2, np.maximum(high - low, 1.0)
    spread: Points = centre + (points - centre) * (extent + 1) / extent
    return spread


def draw(
    outline: Sequence[Points],
    inside: Sequence[Points],
    outside: Sequence[Points],
    boxes: Sequence[Bounds | None],
    previous: torch.Tensor | None,
    size: int,
) -> torch.Tensor:
    """Draw a batch of marks that are already in canvas coordinates.

    Parameters
    ----------
    outline, inside, outside : sequences of (N, 2) arrays
        Marks of each sample, row and column on the canvas.
    boxes : sequence of (r0, c0, r1, c1) or None
    previous : (B, S, S) tensor, optional
        Probabilities of earlier masks, zero for none.
    size : int
        Canvas side S, pixels.

    Returns
    -------
    (B, 8, S, S) float32 tensor
        On the device of ``previous``, else on the CPU.
    """
    device = torch.device("cpu") if previous is None else previous.device
    out = torch.zeros(len(outline), CHANNELS, size, size, device=device)
    for channel, points in ((0, outline), (2, inside), (4, outside)):
        rows = [index for index, marks in enumerate(points) if len(marks)]
        if rows:
            distances = _squared_distances([points[index] for index in rows], size, device)
            for offset, share in ((0, NARROW), (1, BROAD)):
                out[rows, channel + offset] = torch.exp(distances * (-0.5 / (share * size) ** 2))
    rows = [index for index, bounds in enumerate(boxes) if bounds is not None]
    if rows:
        bounds = torch.tensor([boxes[index] for index in rows], dtype=torch.float32).to(device)
        axis, soft = torch.arange(size, dtype=torch.float32, device=device), _BOX_EDGE * size
        low, high = bounds[:, :2, None], bounds[:, 2:, None]
        edges = torch.sigmoid((axis - low) / soft) * torch.sigmoid((high - axis) / soft)  # (B, 2, S)
        out[rows, 6] = edges[:, 0, :, None] * edges[:, 1, None, :]
    if previous is not None:
        out[:, 7] = previous
    return out


def _squared_distances(points: Sequence[Points], size: int, device: torch.device) -> torch.Tensor:
    """Squared distance of each pixel to the nearest point, infinite where there is none: ``(B, S, S)`` float32."""
    # the nearest point's Gaussian is the largest one at every width, so one map of distances serves all widths
    counts = [len(marks) if len(marks) <= _MANY else 0 for marks in points]
    order = sorted(range(len(counts)), key=lambda index: -counts[index])  # those with many points first
    padded = np.zeros((len(points), max(counts, default=0), 2), np.float32)
    for place, index in enumerate(order):
        padded[place, : counts[index]] = points[index][: counts[index]]
    axis = torch.arange(size, dtype=torch.float32, device=device)
    along = (axis - torch.from_numpy(padded).to(device)[..., None]) ** 2  # (B, N, 2, S)
    found = torch.full((len(points), size, size), torch.inf, device=device)
    for number in range(padded.shape[1]):  # one point at a time: memory stays that of one map
        some = sum(count > number for count in counts)
        rows, cols = along[:some, number, 0, :, None], along[:some, number, 1, None, :]
        torch.minimum(found[:some], rows + cols, out=found[:some])
    found = found[np.argsort(order).tolist()] if len(points) > 1 else found
    for index, marks in enumerate(points):
        if len(marks) > _MANY:
            found[index] = torch.from_numpy(_squared_distances_to_many(marks, size)).to(device)
    return found


def _squared_distances_to_many(points: Points, size: int) -> npt.NDArray[np.float32]:
    """Squared distance of each pixel to the nearest of thousands of points, as of a long scribble: ``(S, S)``."""
    from scipy.spatial import cKDTree

    pixels = np.indices((size, size)).reshape(2, -1).T
    distances: npt.NDArray[np.float64] = cKDTree(points).query(pixels)[0]
    return (distances.reshape(size, size) ** 2).astype(np.float32)
