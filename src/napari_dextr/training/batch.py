"""Batches of training samples: stored crops resampled to the canvas, on any device, with their marks.

Image and mask are resampled once, straight to the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..frame import Frame
from ..guidance import CHANNELS, draw
from ..models.house import normalise
from ..prompt import Bounds, Points
from .augment import Photometric
from .crops import IGNORE, OBJECT, OUTSIDE, CropStore

Matrix = npt.NDArray[np.float64]

_COLOURS = 3


@dataclass
class Marks:
    """Marks of one sample in canvas coordinates; corrections are appended during training."""

    outline: Points
    inside: Points
    outside: Points
    box: Bounds | None

    def add(self, kind: str, point: Points) -> None:
        """Append one correction: ``kind`` is inside, outside or boundary."""
        name = "outline" if kind == "boundary" else kind
        setattr(self, name, np.concatenate([getattr(self, name).reshape(-1, 2), point.reshape(1, 2)]))


@dataclass
class Batch:
    """A batch on the canvas, its tensors on one device.

    Attributes
    ----------
    images : (B, 3, S, S) float32, standardised
    target, weight : (B, 1, S, S) float32, the true mask and where it counts
    marks : list of Marks
    previous : (B, S, S) float32, probability of an earlier mask or zero
    """

    images: Tensor
    target: Tensor
    weight: Tensor
    marks: list[Marks]
    previous: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device; itself where it is there already."""
        if torch.device(device) == self.images.device:
            return self
        names = ("images", "target", "weight", "previous")
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names})

    def inputs(self) -> Tensor:
        """The network's ``(B, 11, S, S)`` input, its channels beside each other in memory."""
        count, _, size, _ = self.images.shape
        columns = ([m.outline for m in self.marks], [m.inside for m in self.marks], [m.outside for m in self.marks])
        out = torch.empty(
            count, _COLOURS + CHANNELS, size, size, device=self.images.device, memory_format=torch.channels_last
        )
        out[:, :_COLOURS] = self.images
        out[:, _COLOURS:] = draw(*columns, [m.box for m in self.marks], self.previous, size)
        return out


def assemble(
    store: CropStore,
    indices: list[int],
    frames: list[Frame],
    marks: list[Marks],
    photometric: Photometric,
    generator: torch.Generator,
    pasted: npt.NDArray[np.bool_] | None = None,
    device: torch.device | str = "cpu",
    standardised: bool = True,
) -> Batch:
    """Make a batch of stored crops.

    Parameters
    ----------
    store : CropStore
    indices : list of int
        Crops of the store, each seen through its frame.
    frames : list of Frame
        Of one canvas size.
    marks : list of Marks
    photometric : Photometric
    generator : torch.Generator
        Of the CPU, whatever the device: the same seed gives the same batch everywhere.
    pasted : (B,) bool, optional
        Samples whose object is moved onto the image of the sample before (of the first, the last).
    device : torch.device or str
        Where pixels are resampled and changed, and where the batch stays.
    standardised : bool
        As the house's networks see crops; otherwise the images stay 0..255 and are black beyond the image.
    """
    count, size, device = len(indices), frames[0].size, torch.device(device)
    changes = photometric.plan(count, generator)
    images = torch.empty(count, _COLOURS, size, size, device=device)
    target, weight = torch.empty(2, count, 1, size, size, device=device).unbind()
    inside = torch.empty(count, size, size, dtype=torch.bool, device=device)
    seams: dict[int, Tensor] = {}
    for row, (index, frame) in enumerate(zip(indices, frames, strict=True)):
        pixels, mask, known, there = _sample(store, index, frame, device)
        images[row], target[row, 0], weight[row, 0], inside[row] = pixels, mask > 0.5, known, there
        if pasted is not None and pasted[row]:
            # a soft seam: a hard one would be an edge that gives the object away
            seams[row] = F.avg_pool2d(mask[None], 3, stride=1, padding=1, count_include_pad=False)
    if seams:
        _paste(images, inside, seams)
    weight *= inside[:, None]
    # on the CPU one sample at a time stays in its cache; a GPU wants all at once
    step = 1 if device.type == "cpu" else count
    for start in range(0, count, step):
        part = slice(start, start + step)
        changed = changes.of(start, start + step).apply(images[part])
        images[part] = normalise(changed, inside[part]) if standardised else changed * inside[part, None]
    return Batch(images, target, weight, marks, torch.zeros(count, size, size, device=device))


def damaged(mask: Tensor, rng: np.random.Generator) -> Tensor:
    """A ``(S, S)`` mask as an import or a neighbouring plane would give it: shifted, grown or shrunk, soft."""
    size = mask.shape[-1]
    shift = np.round(rng.normal(0, 0.02 * size, 2)).astype(int)
    moved = torch.roll(mask, tuple(int(s) for s in shift), dims=(0, 1))
    reach = 2 * int(rng.integers(0, max(2, size // 40))) + 1
    soft = F.avg_pool2d(moved[None, None], reach, stride=1, padding=reach // 2)[0, 0]
    level = float(rng.uniform(0.2, 0.8))
    return torch.sigmoid((soft - level) * float(rng.uniform(6, 30)))


def _sample(store: CropStore, index: int, frame: Frame, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One crop through its frame.

    Returns
    -------
    pixels : (3, S, S) float32, 0..255
    mask : (S, S) float32, share of the object
    known : (S, S) bool: where there is a true label
    there : (S, S) bool: where the canvas lies on the image
    """
    extent, size = store.masks.shape[-1], frame.size
    matrix = frame.inverse
    # as at inference (`frame.resample`): where the canvas is coarser, the crop is averaged over blocks first
    shrink = np.linalg.norm(matrix[:, :2], axis=1)
    blocks = tuple(max(1, int(s + 0.25)) for s in shrink)
    corners = frame.to_image([(-0.5, -0.5), (-0.5, size - 0.5), (size - 0.5, -0.5), (size - 0.5, size - 0.5)])
    low, high = np.floor(corners.min(axis=0)) - blocks, np.ceil(corners.max(axis=0)) + blocks + 1
    rows, cols = (_whole_blocks(low[axis], high[axis], blocks[axis], extent) for axis in (0, 1))
    flags = np.array(store.masks[index, rows, cols])
    found = int(np.bitwise_or.reduce(flags, axis=None))
    bits = [OBJECT, *(bit for bit in (IGNORE, OUTSIDE) if found & bit)]  # most crops have neither
    source = torch.empty(_COLOURS + len(bits), *flags.shape, device=device)
    source[:_COLOURS] = torch.from_numpy(np.array(store.images[index, rows, cols])).to(device).permute(2, 0, 1)
    stored = torch.from_numpy(flags).to(device)
    for place, bit in enumerate(bits, _COLOURS):
        source[place] = stored & bit if bit == OBJECT else (stored & bit) > 0
    if max(blocks) > 1:
        source = F.avg_pool2d(source[None], blocks, ceil_mode=True, count_include_pad=False)[0]
    grid = _grid(matrix, (rows.start, cols.start), blocks, tuple(source.shape[1:]), size, device)
    planes = F.grid_sample(source[None], grid, padding_mode="border", align_corners=False)[0]
    mask = planes[_COLOURS]
    everywhere = torch.ones_like(mask, dtype=torch.bool)
    known = planes[_COLOURS + bits.index(IGNORE)] <= 0.25 if IGNORE in bits else everywhere
    there = planes[_COLOURS + bits.index(OUTSIDE)] < 0.5 if OUTSIDE in bits else everywhere
    if corners.min() < -0.5 or corners.max() > extent - 0.5:
        # beyond the stored surroundings nothing is known, but it is background of this object all the same
        stored_there = (_grid(matrix, (0, 0), (1, 1), (extent, extent), size, device)[0].abs() <= 1).all(dim=-1)
        there, mask = there & stored_there, mask * stored_there
    return planes[:_COLOURS], mask, known, there


def _whole_blocks(low: float, high: float, block: int, extent: int) -> slice:
    start = min(max(int(low) // block * block, 0), extent - 1)
    return slice(start, min(max(int(high), start + 1), extent))


def _grid(
    matrix: Matrix,
    origin: tuple[int, int],
    blocks: tuple[int, ...],
    shape: tuple[int, ...],
    size: int,
    device: torch.device,
) -> Tensor:
    """Where each canvas pixel lies on the source, ``(1, S, S, 2)``, as `torch.nn.functional.grid_sample` wants it."""
    axis = torch.arange(size, dtype=torch.float32, device=device)
    grid = torch.empty(1, size, size, 2, device=device)
    for source in (0, 1):
        scale = 2 / (blocks[source] * shape[source])
        along, across, offset = (float(value) for value in matrix[source])
        offset = (offset - origin[source] + 0.5) * scale - 1
        torch.add(axis[:, None] * (along * scale) + offset, axis * (across * scale), out=grid[0, ..., 1 - source])
    return grid


def _paste(images: Tensor, inside: Tensor, seams: dict[int, Tensor]) -> None:
    """Move the objects of some samples onto the images of the samples before them, in place."""
    grounds = {row: (images[row - 1].clone(), inside[row - 1].clone()) for row in seams}
    for row, seam in seams.items():
        ground, ground_there = grounds[row]
        images[row] = torch.lerp(ground, images[row], seam)
        inside[row] = ground_there | (seam[0] > 0)
