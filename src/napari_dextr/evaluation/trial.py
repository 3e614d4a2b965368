"""One object under one prompt: first answer, correcting clicks, baselines."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..baselines import BASELINES
from ..metrics import Mask, boundary_f, iou
from ..prompt import Prompt
from ..simulation import Simulator
from .settings import CLICKS_OF

if TYPE_CHECKING:
    from ..coco import CocoDataset, CocoObject
    from ..segmenter import Segmentation, Segmenter

MOST_CLICKS = 20
"""Clicks after which counting ends; an object that needs more counts as this many."""

NOC_TARGETS = (0.85, 0.90)
"""IoUs to which clicks are counted (NoC@85, NoC@90)."""


@dataclass(frozen=True)
class Outcome:
    """Measurements on one object under one prompt.

    Attributes
    ----------
    object_id : int
    file_name, category : str
    area : int
        Pixels of the annotated mask.
    ious : tuple of float
        Of the first mask, and after each correcting click. One value where the model takes no such click. A mask
        without any error left needs no click and keeps its IoU.
    boundary_f : float
        Of the first mask.
    seconds : float
        From marks to the first mask.
    score : float or None
        IoU that the model itself predicted for its first mask.
    clicks : tuple of (int or None)
        Clicks to each of `NOC_TARGETS`, those of the prompt included, or None where 20 did not suffice. Empty where
        they were not counted.
    baselines : dict
        IoU of each baseline.
    """

    object_id: int
    file_name: str
    category: str
    area: int
    ious: tuple[float, ...]
    boundary_f: float
    seconds: float
    score: float | None = None
    clicks: tuple[int | None, ...] = ()
    baselines: dict[str, float] = field(default_factory=dict)

    @property
    def iou(self) -> float:
        """IoU of the first mask."""
        return self.ious[0]


@dataclass(frozen=True, eq=False)
class Subject:
    """An annotated object on its opened image: ``(H, W)`` bool truth, pixels without a label, image, seed."""

    dataset: CocoDataset
    obj: CocoObject
    image: Any
    truth: Mask
    ignore: Mask | None
    seed: int

    def annotator(self) -> Simulator:
        """A simulated annotator whose hand depends on the seed and the object alone."""
        return Simulator(np.random.default_rng((self.seed, abs(self.obj.id), int(self.obj.id < 0))))

    def prompt(self, kind: str, jitter: float, annotator: Simulator | None = None) -> Prompt:
        """The marks of one kind (`settings.PROMPTS`) with an error of ``jitter`` (share of the longer side)."""
        hand = annotator or self.annotator()
        if kind == "box":
            return hand.box(self.truth, jitter=jitter)
        if kind == "inside-outside":
            return hand.inside_outside(self.truth, jitter=jitter)
        if kind == "clicks":
            return hand.clicks(self.truth, exact=not jitter)
        return hand.extreme(self.truth, jitter=jitter, exact=not jitter)

    def iou(self, mask: Mask) -> float:
        """Agreement of a mask with the annotation."""
        return iou(mask, self.truth, self.ignore)


def measure(
    model: Segmenter,
    subject: Subject,
    kind: str,
    jitter: float,
    *,
    corrections: int = 1,
    noc: bool = False,
    baselines: tuple[str, ...] = (),
) -> Outcome:
    """Everything about one object under one prompt.

    Parameters
    ----------
    model : Segmenter
    subject : Subject
    kind : str
        One of `settings.PROMPTS`.
    jitter : float
        Error of the marks, share of the object's longer side.
    corrections : int
        How many correcting clicks to give.
    noc : bool
        Whether to go on to IoU 0.90 or 20 clicks.
    baselines : tuple of str
        Names in `napari_dextr.baselines.BASELINES`.
    """
    annotator = subject.annotator()
    prompt = subject.prompt(kind, jitter, annotator)
    started = time.perf_counter()
    result = model.segment(subject.image, prompt)
    mask = result.full_mask()
    seconds = time.perf_counter() - started
    first = CLICKS_OF[kind]
    ious = _correct(
        model, subject, annotator, result, mask, exact=not jitter, least=corrections, most=MOST_CLICKS - first, noc=noc
    )
    shape = (int(mask.shape[0]), int(mask.shape[1]))
    return Outcome(
        object_id=subject.obj.id,
        file_name=subject.dataset.images[subject.obj.image_id].file_name,
        category=subject.dataset.categories.get(subject.obj.category_id, str(subject.obj.category_id)),
        area=int(np.count_nonzero(subject.truth)),
        ious=tuple(ious[: corrections + 1]),
        boundary_f=boundary_f(mask, subject.truth, ignore=subject.ignore),
        seconds=seconds,
        score=None if result.score is None or not np.isfinite(result.score) else float(result.score),
        clicks=tuple(clicks_needed(ious[: MOST_CLICKS - first + 1], first, target) for target in NOC_TARGETS)
        if noc and correction_marks(model)
        else (),
        baselines={name: subject.iou(BASELINES[name](subject.image, prompt, shape)) for name in baselines}
        if prompt.bounds is not None
        else {},
    )


def clicks_needed(ious: list[float], first: int, target: float) -> int | None:
    """Clicks until the IoU reaches `target`: ``first`` for the prompt, one for each IoU after the first one."""
    extra = next((number for number, value in enumerate(ious) if value >= target), None)
    return None if extra is None else first + extra


def correction_marks(model: Segmenter) -> str | None:
    """How this model is corrected: "clicks" inside and outside, points on the "boundary", or None for not at all."""
    marks = set(model.spec.marks)
    if {"inside", "outside"} <= marks:
        return "clicks"
    return "boundary" if "boundary" in marks else None


def _correct(
    model: Segmenter,
    subject: Subject,
    annotator: Simulator,
    result: Segmentation,
    mask: Mask,
    *,
    exact: bool,
    least: int,
    most: int,
    noc: bool,
) -> list[float]:
    """IoU of the first mask and after each correcting click: ``least`` of them, or as many as counting needs."""
    ious = [subject.iou(mask)]
    how = correction_marks(model)
    prompt = result.prompt
    while how is not None and (len(ious) <= least or (noc and ious[-1] < NOC_TARGETS[-1] and len(ious) <= most)):
        mark = annotator.correction(
            subject.truth, mask, subject.ignore, exact=exact, boundary=0.0 if how == "clicks" else 1.0
        )
        if mark is None:  # nothing is wrong any more
            ious += [ious[-1]] * (least + 1 - len(ious))
            break
        kind, point = mark
        if "mask" in model.spec.marks:  # as it was trained: a correction sees the mask that it corrects
            prompt = prompt.with_mask(result.probability, result.region)
        prompt = {"inside": prompt.with_inside, "outside": prompt.with_outside, "boundary": prompt.with_boundary}[kind](
            point
        )
        result = model.segment(subject.image, prompt)
        mask = result.full_mask()
        ious.append(subject.iou(mask))
    return ious
