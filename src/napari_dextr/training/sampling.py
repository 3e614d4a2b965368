"""Training samples: from stored crops to canvases with the marks a person would have made.

Marks are simulated in a turned copy of the crop, the frame is made from those marks exactly as at inference, and
image and mask are resampled once, straight to the canvas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import DataError
from ..frame import Frame
from ..guidance import draw, sample_stroke
from ..models.house import normalise
from ..prompt import Bounds, Points
from ..simulation import Simulator, box_of, extreme_points, longer_side, outline
from .augment import Photometric
from .crops import IGNORE, OBJECT, OUTSIDE, CropStore

Matrix = npt.NDArray[np.float64]

OPENINGS: Mapping[str, float] = {"extreme": 0.5, "box": 0.14, "inside_outside": 0.14, "clicks": 0.12, "strokes": 0.10}
"""Share of each kind of opening prompt."""


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
    """A batch on the canvas.

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

    def inputs(self) -> Tensor:
        """The network's ``(B, 11, S, S)`` input."""
        columns = ([m.outline for m in self.marks], [m.inside for m in self.marks], [m.outside for m in self.marks])
        drawn = draw(*columns, [m.box for m in self.marks], self.previous, self.images.shape[-1])
        return torch.cat([self.images, drawn], dim=1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Sampler:
    """Draws batches from a crop store.

    Attributes
    ----------
    shares : mapping of str to float
        How much of the training each group of the store gets; groups not named get none.
    turning : tuple of str
        Groups without an upright (microscopy, synthetic): turned by any angle; others by at most 20 degrees,
        with a quarter turn now and then.
    openings : mapping of str to float
        Share of each kind of opening prompt.
    earlier_masks : float
        Share of samples that open with a damaged true mask, as after an import or a propagation.
    """

    store: CropStore
    shares: Mapping[str, float]
    turning: tuple[str, ...] = ()
    openings: Mapping[str, float] = field(default_factory=lambda: OPENINGS)
    photometric: Photometric = field(default_factory=Photometric)
    earlier_masks: float = 0.05

    def __post_init__(self) -> None:
        if not len(self._members):
            raise DataError("None of the store's groups has a share in the training; name at least one of them.")

    @cached_property
    def _members(self) -> list[tuple[str, npt.NDArray[np.int64], float]]:
        found = []
        for index, name in enumerate(self.store.names):
            members = np.flatnonzero(self.store.groups == index)
            if len(members) and self.shares.get(name, 0) > 0:
                found.append((name, members, float(self.shares[name])))
        return found

    def draw(self, count: int, size: int, seed: tuple[int, ...]) -> Batch:
        """``count`` samples on a canvas of ``size``; the same seed gives the same batch."""
        rng = np.random.default_rng(seed)
        groups = self._members
        share = np.array([weight for _, _, weight in groups])
        picks = rng.choice(len(groups), count, p=share / share.sum())
        indices, frames, marks = [], [], []
        for pick in picks:
            name, members, _ = groups[int(pick)]
            index = int(members[rng.integers(len(members))])
            turn = _turn(rng, free=name in self.turning)
            frame, mark = self._place(np.asarray(self.store.masks[index]), turn, size, rng)
            indices.append(index)
            frames.append(frame)
            marks.append(mark)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        batch = assemble(self.store, indices, frames, marks, self.photometric, generator)
        for damage in np.flatnonzero(rng.random(count) < self.earlier_masks).tolist():
            batch.previous[damage] = damaged(batch.target[damage, 0], rng)
        return batch

    def _place(
        self, flags: npt.NDArray[np.uint8], turn: Matrix, size: int, rng: np.random.Generator
    ) -> tuple[Frame, Marks]:
        mask = (flags & OBJECT).astype(bool)
        kinds = list(self.openings)
        shares = np.array([self.openings[kind] for kind in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
        opening = open_prompt(kind, mask, turn, rng)
        margin = 0.2 if rng.random() < 0.4 else rng.uniform(0.08, 0.42)
        frame = Frame.around(opening.crop, size, (flags.shape[0], flags.shape[1]), margin=margin, least=2.0, turn=turn)

        def place(points: Points) -> Points:
            return frame.to_canvas(points.reshape(-1, 2) @ turn)  # back from the turned copy, then to the canvas

        box = None if opening.box is None else box_of(place(np.reshape(opening.box, (2, 2))))
        return frame, Marks(place(opening.outline), place(opening.inside), place(opening.outside), box)


@dataclass(frozen=True, eq=False)
class Opening:
    """Marks in the turned copy of a crop, and the box that the crop is made around."""

    outline: Points
    inside: Points
    outside: Points
    box: Bounds | None
    crop: Bounds


_NONE = np.zeros((0, 2))


def open_prompt(kind: str, mask: npt.NDArray[np.bool_], turn: Matrix, rng: np.random.Generator) -> Opening:
    """Simulate an opening prompt of a kind of `OPENINGS` on a mask turned by ``turn``."""
    simulator = Simulator(rng)
    edge = outline(mask) @ turn.T
    side = longer_side(edge)
    true_box = box_of(edge)
    if kind == "extreme":
        points = _extremes(edge, side, rng)
        bounds = box_of(points)
        return Opening(points, _NONE, _NONE, bounds, bounds)
    if kind == "box":
        bounds = simulator.jitter_box(true_box, rng.uniform(0, 0.06))
        return Opening(_NONE, _NONE, _NONE, bounds, bounds)
    # marks inside the object need its depth: half resolution is plenty, and four times as quick
    small = mask[::2, ::2]
    if not small.any():
        points = _extremes(edge, side, rng)
        bounds = box_of(points)
        return Opening(points, _NONE, _NONE, bounds, bounds)
    if kind == "inside_outside":
        centre = (2 * simulator.click(small)) @ turn.T
        r0, c0, r1, c1 = simulator.jitter_box(true_box, rng.uniform(0, 0.03))
        slack = rng.uniform(0, 0.05) * side + 0.5
        bounds = (r0 - slack, c0 - slack, r1 + slack, c1 + slack)
        corners = np.array([(bounds[i], bounds[j]) for i, j in ((0, 1), (0, 3), (2, 3), (2, 1))])
        return Opening(_NONE, centre.reshape(1, 2), corners, bounds, bounds)
    if kind == "clicks":
        inside = np.array([2 * simulator.click(small) for _ in range(int(rng.integers(1, 4)))]) @ turn.T
    else:
        lines = [2 * simulator.stroke(small) for _ in range(int(rng.integers(1, 3)))]
        inside = np.concatenate([sample_stroke(line, 3.0) for line in lines]) @ turn.T
    # no box: what is looked at is anything from the object itself to several times its extent, off centre
    grow = side * np.exp(rng.uniform(np.log(0.03), np.log(0.9), 4))
    crop = (true_box[0] - grow[0], true_box[1] - grow[1], true_box[2] + grow[2], true_box[3] + grow[3])
    return Opening(_NONE, inside, _NONE, None, crop)


def _extremes(edge: Points, side: float, rng: np.random.Generator) -> Points:
    """Extreme points as people click them: a little off, sometimes one far off, sometimes 3 or up to 8."""
    points = extreme_points(edge, rng if rng.random() < 0.8 else None)
    points = points + rng.normal(0, rng.choice([0.0, 0.008, 0.02]) * side, points.shape)
    if rng.random() < 0.06:
        points[rng.integers(4)] += rng.normal(0, 0.12 * side, 2)
    if rng.random() < 0.08:
        further = edge[rng.integers(len(edge), size=int(rng.integers(1, 5)))]
        points = np.concatenate([points, further + rng.normal(0, 0.008 * side, further.shape)])
    elif rng.random() < 0.04:
        points = np.delete(points, rng.integers(4), axis=0)
    return points


def damaged(mask: Tensor, rng: np.random.Generator) -> Tensor:
    """A ``(S, S)`` mask as an import or a neighbouring plane would give it: shifted, grown or shrunk, soft."""
    size = mask.shape[-1]
    shift = np.round(rng.normal(0, 0.02 * size, 2)).astype(int)
    moved = torch.roll(mask, tuple(int(s) for s in shift), dims=(0, 1))
    reach = 2 * int(rng.integers(0, max(2, size // 40))) + 1
    soft = F.avg_pool2d(moved[None, None], reach, stride=1, padding=reach // 2)[0, 0]
    level = float(rng.uniform(0.2, 0.8))
    return torch.sigmoid((soft - level) * float(rng.uniform(6, 30)))


def _turn(rng: np.random.Generator, free: bool) -> Matrix:
    """A rotation, mirrored half of the time."""
    if free:
        angle = rng.uniform(0, 2 * np.pi)
    else:
        angle = np.deg2rad(np.clip(rng.normal(0, 9), -20, 20))
        if rng.random() < 0.3:
            angle += np.pi / 2 * rng.integers(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([1.0, -1.0])
    return turn


def assemble(
    store: CropStore,
    indices: list[int],
    frames: list[Frame],
    marks: list[Marks],
    photometric: Photometric,
    generator: torch.Generator,
) -> Batch:
    """Resample a batch of crops to the canvas in one go: ``indices`` of the store, each through its frame."""
    size = frames[0].size
    side = store.masks.shape[-1]
    images = torch.from_numpy(np.stack([store.images[i] for i in indices])).permute(0, 3, 1, 2).float()
    flags = torch.from_numpy(np.stack([store.masks[i] for i in indices]))
    planes = torch.stack([(flags & bit > 0).float() for bit in (OBJECT, IGNORE, OUTSIDE)], dim=1)
    theta = torch.from_numpy(np.stack([_theta(frame, side) for frame in frames])).float()
    grid = F.affine_grid(theta, [len(indices), 1, size, size], align_corners=False)
    pixels = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    sampled = F.grid_sample(planes, grid, padding_mode="zeros", align_corners=False)
    on_crop = (grid.abs() <= 1).all(dim=-1)
    inside = on_crop & (sampled[:, 2] < 0.5)
    target = (sampled[:, :1] > 0.5).float()
    # beyond the stored surroundings nothing is known, but it is background of this object all the same
    weight = (sampled[:, 1:2] <= 0.25).float() * inside[:, None]
    pixels = normalise(photometric.apply(pixels, generator), inside)
    return Batch(pixels, target, weight, marks, torch.zeros(len(indices), size, size))


def _theta(frame: Frame, side: int) -> Matrix:
    """A frame's inverse in the form of `torch.nn.functional.affine_grid` (x before y, -1..1 on both sides)."""
    inverse, size = frame.inverse, frame.size
    linear = inverse[::-1, 1::-1] * size / side
    # canvas centre (size - 1) / 2 maps to the source; in normalised units the source centre is 0
    centre = inverse[:, :2] @ np.full(2, (size - 1) / 2) + inverse[:, 2]
    offset = (2 * centre[::-1] + 1) / side - 1
    return np.column_stack([linear, offset])
