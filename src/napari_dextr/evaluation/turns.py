"""Does the answer turn with the image? Flips and quarter turns should change nothing but the direction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics import iou
from ..prompt import Bounds, Points, Prompt
from .statistics import Mean
from .trial import Subject

if TYPE_CHECKING:
    from ..segmenter import Segmenter


@dataclass(frozen=True)
class Turn:
    """A reflection and quarter turns of the image plane.

    Attributes
    ----------
    name : str
    mirror : bool
        Left and right are exchanged first.
    quarters : int
        Then this many quarter turns, as `numpy.rot90` turns: against the clock.
    """

    name: str
    mirror: bool
    quarters: int

    def pixels(self, image: Any) -> Any:
        """Turn an ``(H, W)`` or ``(H, W, C)`` array."""
        array = np.asarray(image)
        return np.ascontiguousarray(np.rot90(array[:, ::-1] if self.mirror else array, self.quarters))

    def back(self, mask: Any) -> Any:
        """Turn an array back."""
        array = np.rot90(np.asarray(mask), -self.quarters)
        return array[:, ::-1] if self.mirror else array

    def points(self, points: Points, shape: tuple[int, int]) -> Points:
        """Turn ``(N, 2)`` points of an upright plane of ``(H, W)`` pixels."""
        height, width = shape
        rows, cols = points[:, 0], points[:, 1]
        if self.mirror:
            cols = width - 1 - cols
        for _ in range(self.quarters):
            rows, cols = width - 1 - cols, rows
            height, width = width, height
        return np.column_stack([rows, cols])

    def prompt(self, prompt: Prompt, shape: tuple[int, int]) -> Prompt:
        """Turn the points and the box of a prompt (strokes and earlier masks are not simulated here)."""
        box: Bounds | None = None
        if prompt.box_bounds is not None:
            corners = self.points(np.reshape(prompt.box_bounds, (2, 2)), shape)
            (r0, c0), (r1, c1) = corners.min(axis=0), corners.max(axis=0)
            box = float(r0), float(c0), float(r1), float(c1)
        return replace(
            prompt,
            extreme_points=self.points(prompt.extreme_points, shape),
            boundary_points=self.points(prompt.boundary_points, shape),
            inside_points=self.points(prompt.inside_points, shape),
            outside_points=self.points(prompt.outside_points, shape),
            box_bounds=box,
        )


TURNS = (
    Turn("left and right exchanged", True, 0),
    Turn("top and bottom exchanged", True, 2),
    Turn("quarter turn left", False, 1),
    Turn("half turn", False, 2),
    Turn("quarter turn right", False, 3),
)
"""The flips and quarter turns that are tried."""


@dataclass(frozen=True)
class Turned:
    """What one turn changes.

    Attributes
    ----------
    name : str
    change : Mean
        IoU with the annotation on the turned image minus that on the upright one.
    agreement : Mean
        IoU between the mask of the upright image and that of the turned one, turned back.
    """

    name: str
    change: Mean
    agreement: Mean


def try_turns(model: Segmenter, subject: Subject, pixels: Any, kind: str, jitter: float) -> list[tuple[float, float]]:
    """Change of IoU and agreement of the masks for each of `TURNS`, for one object under one prompt.

    ``pixels`` is the whole image as an array. Both masks come from the same marks.
    """
    prompt = subject.prompt(kind, jitter)
    upright = model.segment(subject.image, prompt).full_mask()
    shape = (int(upright.shape[0]), int(upright.shape[1]))
    before = subject.iou(upright)
    found = []
    for turn in TURNS:
        result = model.segment(turn.pixels(pixels), turn.prompt(prompt, shape))
        mask = turn.back(result.full_mask())
        found.append((subject.iou(mask) - before, iou(mask, upright, subject.ignore)))
    return found


def sum_up(found: list[list[tuple[float, float]]], groups: list[str]) -> list[Turned]:
    """One summary for each of `TURNS`, from what `try_turns` found on every object and the images they are on."""
    return [
        Turned(
            turn.name,
            Mean.of([each[index][0] for each in found], groups),
            Mean.of([each[index][1] for each in found], groups),
        )
        for index, turn in enumerate(TURNS)
    ]
