"""The evaluation itself: image by image, each read once, its objects under every prompt."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..coco import CocoDataset, CocoImage, CocoObject, open_annotated
from ..coco.images import check_there
from ..errors import DataError, ImageError, PromptError, UnsupportedMarkError
from ..models.registry import models_taking
from .choice import choose_objects
from .results import Evaluation, Result
from .settings import MARKS_OF, PROMPTS, Settings
from .trial import Outcome, Subject, measure
from .turns import sum_up, try_turns

if TYPE_CHECKING:
    from ..segmenter import Segmenter

Work = tuple[CocoImage, list[CocoObject]]


def evaluate(
    model: Segmenter,
    dataset: CocoDataset,
    images: str | os.PathLike[str],
    settings: Settings | None = None,
    progress: Callable[[int, int], object] | None = None,
    workers: int = 1,
) -> Evaluation:
    """Measure a model on the objects of a COCO file.

    Parameters
    ----------
    model : Segmenter
    dataset : CocoDataset
        From `napari_dextr.coco.read_coco`. Crowds and objects without pixels are left out.
    images : path-like
        Folder of the images.
    settings : Settings, optional
    progress : callable, optional
        Called with (objects done, objects in all).
    workers : int
        Images worked on at once, in threads. The figures stay the same, the latency grows.

    An image that cannot be used, as it is damaged or of another size than the file says, is left out and told of in
    `Evaluation.problems`.

    Raises
    ------
    DataError
        When an image is missing, none can be used, or no object is left.
    UnsupportedMarkError
        When the model does not take a prompt.
    """
    settings = settings or Settings()
    chosen = check_data(model, dataset, images, settings)
    study = _Study(model, dataset, images, settings, progress, sum(len(objects) for _, objects in chosen))
    found = [record for records in _in_turn(study, chosen, max(1, workers)) for record in records]
    if not found:
        why = "No marks could be made for any object; choose less jitter or larger objects."
        raise DataError(study.problems[0] if study.problems else why)
    results = [
        Result(prompt, jitter, [record.outcomes[number] for record in found])
        for number, (prompt, jitter) in enumerate(settings.conditions())
    ]
    turns = sum_up([record.turns for record in found], results[0].groups) if settings.turns else []
    name = f"{dataset.path.parent.name}/{dataset.path.name}"
    facts = {
        "name": model.spec.name,
        "canvas": model.spec.canvas,
        "device": getattr(model, "device", "unknown"),
        "precision": getattr(model, "precision", "unknown"),
    }
    skipped = study.total - len(found)
    return Evaluation(facts, name, settings, results, turns, skipped, max(1, workers), study.problems)


def check_data(
    model: Segmenter, dataset: CocoDataset, images: str | os.PathLike[str], settings: Settings
) -> list[Work]:
    """Images with the objects that `evaluate` would measure; raises what it would raise before it begins.

    For several data sets: what is wrong with the last is told before hours are spent on the first.
    """
    for prompt in settings.prompts:
        _check_marks(model, prompt)
    chosen = choose_objects(dataset, settings)
    for image, _ in chosen:
        check_there(images, image)
    return chosen


def prompts_taken(model: Segmenter) -> tuple[str, ...]:
    """Those of `PROMPTS` that a model takes."""
    return tuple(prompt for prompt in PROMPTS if MARKS_OF[prompt] <= set(model.spec.marks))


def _check_marks(model: Segmenter, prompt: str) -> None:
    for mark in sorted(MARKS_OF[prompt] - set(model.spec.marks)):
        raise UnsupportedMarkError(mark, model.spec.name, models_taking(mark))


@dataclass(frozen=True)
class _Record:
    """What was found on one object: an outcome for each condition, and the turns."""

    outcomes: list[Outcome]
    turns: list[tuple[float, float]]


@dataclass
class _Study:
    """What every image of one evaluation shares."""

    model: Segmenter
    dataset: CocoDataset
    images: str | os.PathLike[str]
    settings: Settings
    progress: Callable[[int, int], object] | None
    total: int
    done: int = 0
    warm: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    problems: list[str] = field(default_factory=list)

    def look(self, work: Work) -> list[_Record]:
        """All chosen objects of one image; what of it cannot be used is told in `problems`."""
        entry, objects = work
        records: list[_Record] = []
        left = len(objects)
        try:
            image = open_annotated(self.images, entry)
            finest = image[0] if isinstance(image, list) else image
            pixels = np.asarray(finest) if self.settings.turns else None
            for obj in objects:
                record = self._object(obj, image, pixels)
                if record is not None:
                    records.append(record)
                left -= 1
                self._advance(1)
        except (ImageError, DataError) as error:
            with self.lock:
                self.problems.append(str(error))
            self._advance(left)
        return records

    def _advance(self, objects: int) -> None:
        with self.lock:
            self.done += objects
            if self.progress is not None:
                self.progress(self.done, self.total)

    def _object(self, obj: CocoObject, image: Any, pixels: Any) -> _Record | None:
        """One object under every condition, or None where it cannot be marked under one of them."""
        try:
            truth, ignore = self.dataset.mask(obj), self.dataset.ignore_mask(obj)
        except DataError:  # of a mask that cannot be understood; it counts as left out
            return None
        if not truth.any():
            return None
        settings = self.settings
        subject = Subject(self.dataset, obj, image, truth, ignore, settings.seed)
        outcomes = []
        try:
            with self.lock:
                if not self.warm:  # the first call prepares the network; it would distort the latency
                    self.model.segment(image, subject.prompt(settings.prompts[0], settings.jitters[0]))
                    self.warm = True
            for prompt, jitter in settings.conditions():
                outcome = measure(
                    self.model,
                    subject,
                    prompt,
                    jitter,
                    corrections=settings.corrections,
                    noc=settings.noc and jitter == settings.jitters[0],
                    baselines=settings.baselines,
                )
                outcomes.append(outcome)
            turns = (
                try_turns(self.model, subject, pixels, settings.prompts[0], settings.jitters[0])
                if settings.turns
                else []
            )
        except UnsupportedMarkError:
            raise
        except PromptError:
            return None
        return _Record(outcomes, turns)


def _in_turn(study: _Study, chosen: list[Work], workers: int) -> Iterator[list[_Record]]:
    """Records of each image, in the order of the file, however many are worked on at once."""
    if workers == 1:
        yield from map(study.look, chosen)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        futures: list[Future[list[_Record]]] = [pool.submit(study.look, work) for work in chosen]
        for future in futures:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
