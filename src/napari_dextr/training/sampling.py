"""Training samples: from stored crops to canvases with the marks a person would have made.

Marks are simulated in a turned copy of the crop, and the frame is made from those marks exactly as at inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from ..errors import DataError
from ..frame import Frame
from ..models.spec import MARGIN
from ..prompt import Points
from ..simulation import box_of
from .augment import Photometric
from .batch import Batch, Marks, assemble, damaged
from .config import TrainConfig
from .crops import OBJECT, CropStore
from .openings import OPENINGS, Matrix, open_prompt

__all__ = ["OPENINGS", "Batch", "Marks", "Sampler", "assemble"]


@dataclass(frozen=True)
class Sampler:
    """Draws batches from a crop store.

    Attributes
    ----------
    shares : mapping of str to float
        How much of the training each group of the store gets; groups not named get none.
    turning : tuple of str
        Groups without an upright (microscopy, synthetic): turned by any angle; others by at most 20 degrees.
    quarter_turns : float
        Share of those others that get one of the four quarter turns as well.
    openings : mapping of str to float
        Share of each kind of opening prompt.
    composites : float
        Share of samples whose object is pasted onto another sample's image.
    earlier_masks : float
        Share of samples that open with a damaged true mask, as after an import or a propagation.
    size_balance : float
        0 draws a group's crops as often as they are there; 1 draws every octave of object size equally often, so
        that the rare sizes do not drown; in between, a mixture. Stores without sizes are drawn evenly.
    usual_margin : float
        Share of the samples that are cut out with the margin of inference; the others get more or less.
    """

    store: CropStore
    shares: Mapping[str, float]
    turning: tuple[str, ...] = ()
    openings: Mapping[str, float] = field(default_factory=lambda: OPENINGS)
    photometric: Photometric = field(default_factory=Photometric)
    composites: float = 0.0
    earlier_masks: float = 0.05
    size_balance: float = 0.0
    usual_margin: float = 0.4
    quarter_turns: float = 0.75

    def __post_init__(self) -> None:
        if not len(self._members):
            raise DataError("None of the store's groups has a share in the training; name at least one of them.")
        unknown = sorted(set(self.openings) - set(OPENINGS))
        if unknown or not sum(self.openings.values()) > 0 or min(self.openings.values()) < 0:
            raise DataError(f"Opening prompts are {', '.join(OPENINGS)}, with shares above zero; got {self.openings}.")

    @classmethod
    def of(cls, store: CropStore, config: TrainConfig) -> Sampler:
        """The sampler of a run's settings; without shares every group of the store gets the same."""
        return cls(
            store,
            config.shares or dict.fromkeys(store.names, 1.0),
            config.turning,
            config.openings or OPENINGS,
            Photometric().times(config.photometric),
            composites=config.composites,
            size_balance=config.size_balance,
            usual_margin=config.usual_margin,
            quarter_turns=config.quarter_turns,
        )

    @cached_property
    def _members(self) -> list[_Group]:
        found = []
        for index, name in enumerate(self.store.names):
            members = np.flatnonzero(self.store.groups == index)
            if len(members) and self.shares.get(name, 0) > 0:
                chance = _chances(self.store.sides, members, self.size_balance)
                found.append(_Group(name, members, np.cumsum(chance), float(self.shares[name])))
        return found

    def draw(self, count: int, size: int, seed: tuple[int, ...], device: torch.device | str = "cpu") -> Batch:
        """``count`` samples on a canvas of ``size``; the same seed gives the same batch, from any thread."""
        rng = np.random.default_rng(seed)
        share = np.array([group.share for group in self._members])
        picks = rng.choice(len(share), count, p=share / share.sum())
        indices, frames, marks = [], [], []
        for pick in picks:
            group = self._members[int(pick)]
            at = np.searchsorted(group.chances, rng.random() * group.chances[-1], side="right")
            index = int(group.members[min(int(at), len(group.members) - 1)])
            native = 0.0 if self.store.sides is None else float(self.store.sides[index])
            turn = _turn(rng, group.name in self.turning, self.quarter_turns)
            frame, mark = self._place(self.store.masks[index], turn, size, rng, native)
            indices.append(index)
            frames.append(frame)
            marks.append(mark)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pasted = rng.random(count) < self.composites
        batch = assemble(self.store, indices, frames, marks, self.photometric, generator, pasted, device)
        for damage in np.flatnonzero(rng.random(count) < self.earlier_masks).tolist():
            batch.previous[damage] = damaged(batch.target[damage, 0], rng)
        return batch

    def _place(
        self, flags: npt.NDArray[np.uint8], turn: Matrix, size: int, rng: np.random.Generator, native_side: float
    ) -> tuple[Frame, Marks]:
        mask = (np.asarray(flags) & OBJECT).astype(bool)
        kinds = list(self.openings)
        shares = np.array([self.openings[kind] for kind in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
        opening = open_prompt(kind, mask, turn, rng, native_side)
        margin = MARGIN if rng.random() < self.usual_margin else rng.uniform(0.08, 0.42)
        frame = Frame.around(opening.crop, size, (flags.shape[0], flags.shape[1]), margin=margin, least=2.0, turn=turn)

        def place(points: Points) -> Points:
            return frame.to_canvas(points.reshape(-1, 2) @ turn)  # back from the turned copy, then to the canvas

        box = None if opening.box is None else box_of(place(np.reshape(opening.box, (2, 2))))
        return frame, Marks(place(opening.outline), place(opening.inside), place(opening.outside), box)


@dataclass(frozen=True, eq=False)
class _Group:
    """A group's crops in the store, the running sum of their chances, and the group's share of the training."""

    name: str
    members: npt.NDArray[np.int64]
    chances: npt.NDArray[np.float64]
    share: float


def _chances(sides: npt.NDArray[np.float32] | None, members: npt.NDArray[np.int64], balance: float) -> Matrix:
    """How likely each of a group's crops is drawn, up to a factor."""
    if sides is None or balance == 0:
        return np.ones(len(members))
    octave = np.floor(np.log2(np.maximum(sides[members], 1))).astype(int)
    crowd: Matrix = np.bincount(octave)[octave].astype(np.float64)
    return crowd**-balance


def _turn(rng: np.random.Generator, free: bool, quarters: float) -> Matrix:
    """A rotation, mirrored half of the time: by any angle, or by a small one with, now and then, quarter turns."""
    if free:
        angle = rng.uniform(0, 2 * np.pi)
    else:
        angle = np.deg2rad(np.clip(rng.normal(0, 9), -20, 20))
        if rng.random() < quarters:
            angle += np.pi / 2 * rng.integers(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([1.0, -1.0])
    return turn
