"""The work on one image: open it once, segment its objects in batches. The same here and on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..coco import CocoImage, CocoObject, open_annotated
from ..errors import DextrError
from ..memory import is_full
from ..rle import encode, measure
from .prompts import prompt_of

if TYPE_CHECKING:
    from ..prompt import Prompt
    from ..segmentation import Segmentation
    from ..segmenter import Segmenter


@dataclass(frozen=True, eq=False)
class Task:
    """An image and the objects on it that want a mask."""

    image: CocoImage
    objects: tuple[CocoObject, ...]


@dataclass(frozen=True)
class ObjectResult:
    """The mask of one object, or why there is none.

    Attributes
    ----------
    id : int
        Of the annotation.
    rle : dict or None
        Compressed run lengths on the whole image.
    score : float or None
    points : list of [kind, row, col]
        Points of the prompt that it was made from.
    box : list of float or None
        Box of the prompt: row and column of the outermost pixels.
    problem : str
        "" where there is a mask.
    """

    id: int
    rle: dict[str, Any] | None = None
    area: int = 0
    bbox: list[float] = field(default_factory=list)
    score: float | None = None
    points: list[list[Any]] = field(default_factory=list)
    box: list[float] | None = None
    problem: str = ""


def annotate_image(
    model: Segmenter, folder: str, task: Task, prompt: str, batch: int | None = None
) -> list[ObjectResult]:
    """Segment the objects of one image; what fails is told in the results, never raised.

    Parameters
    ----------
    model : Segmenter
    folder : str
        Of the images.
    task : Task
    prompt : str
        One of `napari_dextr.annotate.PROMPTS`.
    batch : int, optional
        Objects that go through the network together; by default as many as are fast with this model here.
    """
    try:
        image = open_annotated(folder, task.image)
        return _segment(model, image, task.objects, prompt, model.at_once if batch is None else batch)
    except DextrError as error:
        return [ObjectResult(obj.id, problem=str(error)) for obj in task.objects]
    except (MemoryError, OSError) as error:
        reason = f"The image '{task.image.file_name}' could not be worked on ({str(error) or type(error).__name__})."
        return [ObjectResult(obj.id, problem=reason) for obj in task.objects]


def _answers(model: Segmenter, image: Any, prompts: Sequence[Prompt], batch: int) -> list[Segmentation | DextrError]:
    """As `Segmenter.segment_many`; where memory is not enough for a batch, in smaller ones."""
    while True:
        try:
            return model.segment_many(image, prompts, batch=batch)
        except (RuntimeError, MemoryError) as error:
            if not is_full(error):
                raise
            if batch == 1:
                raise MemoryError("there is not enough memory; close other programs, or take --device cpu") from error
            batch //= 2


def _segment(model: Segmenter, image: Any, objects: Sequence[CocoObject], kind: str, batch: int) -> list[ObjectResult]:
    results: dict[int, ObjectResult] = {}
    prompts = {}
    for obj in objects:
        try:
            prompts[obj.id] = prompt_of(obj, kind, model.spec.marks)
        except DextrError as error:
            results[obj.id] = ObjectResult(obj.id, problem=f"Object {obj.id}: {error}")
    answers = _answers(model, image, list(prompts.values()), batch)
    for (number, prompt), answer in zip(prompts.items(), answers, strict=True):
        if isinstance(answer, DextrError):
            results[number] = ObjectResult(number, problem=f"Object {number}: {answer}")
            continue
        if not answer.mask.any():
            results[number] = ObjectResult(number, problem=f"Object {number}: the model found no pixel of it.")
            continue
        rows, cols = answer.region
        try:
            rle = encode(answer.mask, corner=(rows.start, cols.start), shape=answer.shape)
        except DextrError as error:
            results[number] = ObjectResult(number, problem=f"Object {number}: {error}")
            continue
        measures = measure(rle)
        points = [
            [name, float(row), float(col)]
            for name in ("extreme", "boundary", "inside", "outside")
            for row, col in getattr(prompt, f"{name}_points")
        ]
        box = None if prompt.box_bounds is None else [float(value) for value in prompt.box_bounds]
        results[number] = ObjectResult(number, rle, int(measures["area"]), measures["bbox"], answer.score, points, box)
    return [results[obj.id] for obj in objects]
