"""Masks for all objects of a COCO file: planned image by image, noted as they come, written at the end."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..coco import CocoDataset, CocoObject, read_coco
from ..coco.assembly import finite, to_json, write_document
from ..coco.document import LISTS, read_text, take_apart
from ..coco.labels import SegmentationForm, check_form, segment
from ..coco.reading import whole
from ..errors import DataError, OutputError, PromptError
from ..files import atomic_write, check_target
from ..objects import NAMESPACE, Mark, ObjectFacts
from ..rle import decode_runs
from .journal import Journal
from .prompts import PROMPTS
from .review import ReviewRow, review_beside, sort_for_review, write_review
from .work import ObjectResult, Task, annotate_image

if TYPE_CHECKING:
    from ..segmenter import Segmenter

Worker = Callable[[Iterable[Task]], Iterator[tuple[Task, list[ObjectResult]]]]
"""Works through tasks, in any order: here, or on a cluster (`napari_dextr.annotate.cluster`)."""


@dataclass(frozen=True)
class AnnotateSettings:
    """What is segmented, and how it is written.

    Attributes
    ----------
    prompt : str
        One of `PROMPTS`.
    keep_masks : bool
        Leave objects alone that have a segmentation already.
    segmentation : {"auto", "rle", "polygons"}
        As of `napari_dextr.coco.export_coco`.
    batch : int or None
        Objects of one image that go through the network together; None for as many as are fast where it runs.
    """

    prompt: str = "auto"
    keep_masks: bool = False
    segmentation: SegmentationForm = "auto"
    batch: int | None = None

    def __post_init__(self) -> None:
        check_form(self.segmentation)
        if self.prompt not in PROMPTS:
            raise PromptError(f"There is no prompt '{self.prompt}'; choose one of {', '.join(PROMPTS)}.")
        if self.batch is not None and self.batch < 1:
            raise PromptError("A batch holds at least one object.")


@dataclass(frozen=True)
class AnnotateReport:
    """What `annotate_coco` did.

    Attributes
    ----------
    path, review : Path
        The files that were written.
    objects, masks : int
        Objects that wanted a mask, and those that got one.
    resumed : int
        Objects that an earlier run had done.
    left : int
        Objects that were left as they are: crowds, and with `keep_masks` those with a mask.
    rows : list of ReviewRow
        The review list, in its order.
    problems : list of str
        Why objects have no mask; one sentence for all objects of an image that could not be used.
    """

    path: Path
    review: Path
    objects: int
    masks: int
    resumed: int
    left: int
    rows: list[ReviewRow]
    problems: list[str]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        files = {"path": str(self.path), "review": str(self.review)}
        return {**vars(self), **files, "rows": [asdict(row) for row in self.rows]}


def annotate_coco(
    source: str | os.PathLike[str],
    images: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: Segmenter,
    settings: AnnotateSettings | None = None,
    *,
    review: str | os.PathLike[str] | None = None,
    restart: bool = False,
    progress: Callable[[int, int], object] | None = None,
    worker: Worker | None = None,
) -> AnnotateReport:
    """Segment the objects of a COCO file from their boxes or points, and write it anew with masks.

    A run that is killed goes on where it stopped when it is called again in the same way; its result is the same.
    Entries without news, and all that this program does not know, are written as they stood.

    Parameters
    ----------
    source : path-like
        COCO file.
    images : path-like
        Folder of the images.
    out : path-like
        COCO file to write. The journal ``OUT.journal`` stands beside it until it is complete.
    model : Segmenter
    settings : AnnotateSettings, optional
    review : path-like, optional
        Review list, CSV or JSON; by default ``OUT``'s name with ``.review.csv``.
    restart : bool
        Forget an unfinished run.
    progress : callable, optional
        Called with (objects done, objects in all).
    worker : callable, optional
        Does the work instead of this process.

    Raises
    ------
    DataError
        When the file cannot be used, no object is left, the folder is missing, or the journal is of another run.
    OutputError
        When something cannot be written.
    """
    settings = settings or AnnotateSettings()
    source, out, folder = Path(source), Path(out), Path(images)
    review = Path(review) if review is not None else review_beside(out)
    dataset = read_coco(source)
    _check_places(source, folder, out, review)
    tasks = _plan(dataset, settings)
    total = sum(len(task.objects) for task in tasks)
    if not total:
        hint = "leave --keep-masks out to replace the masks" if settings.keep_masks else "draw boxes or points first"
        raise DataError(f"'{source.name}' holds no object that wants a mask; {hint}.")
    header = {
        "annotations": hashlib.sha256(source.read_bytes()).hexdigest(),
        "model": model.model_hash,
        "arithmetic": f"{model.precision} {model.device.partition(':')[0]}",
        **{key: value for key, value in asdict(settings).items() if key != "segmentation"},
    }
    work = worker or _here(model, str(folder), settings)
    with Journal(out.with_name(f"{out.name}.journal"), header, restart=restart) as journal:
        # An image that could not be used is tried again: perhaps somebody put it there meanwhile.
        done = {number: group for number, group in journal.done.items() if not all(item.problem for item in group)}
        results = {result.id: result for group in done.values() for result in group}
        resumed = len(results)
        if progress is not None:
            progress(resumed, total)
        for task, answers in work([task for task in tasks if task.image.id not in done]):
            journal.add(task.image.id, answers)
            results.update((answer.id, answer) for answer in answers)
            if progress is not None:
                progress(len(results), total)
        rows = sort_for_review(_row(dataset, obj, results[obj.id]) for task in tasks for obj in task.objects)
        with atomic_write(out, versions=5) as temporary:
            _write(temporary, source, results, model, settings)
        write_review(review, rows)
        journal.remove()
    problems = list(dict.fromkeys(row.problem for row in rows if row.problem))
    masks = sum(not row.problem for row in rows)
    return AnnotateReport(out, review, total, masks, resumed, len(dataset.objects) - total, rows, problems)


def _check_places(source: Path, folder: Path, out: Path, review: Path) -> None:
    """Refuse what cannot work before the work is done."""
    if not folder.is_dir():
        raise DataError(f"'{folder}' is not a folder; give the folder of the images.")
    check_target(out)
    if out.exists() and out.samefile(source):
        raise OutputError(f"'{out}' is the file that is read; choose another name for the result.")
    if os.path.realpath(review) in (os.path.realpath(source), os.path.realpath(out)):
        raise OutputError(f"'{review}' holds annotations; choose another name for the review list.")


def _plan(dataset: CocoDataset, settings: AnnotateSettings) -> list[Task]:
    def wanted(obj: CocoObject) -> bool:
        return not obj.iscrowd and not (settings.keep_masks and obj.segmentation)

    tasks = (Task(image, tuple(filter(wanted, objects))) for image, objects in dataset.by_image())
    return [task for task in tasks if task.objects]


def _here(model: Segmenter, folder: str, settings: AnnotateSettings) -> Worker:
    def work(tasks: Iterable[Task]) -> Iterator[tuple[Task, list[ObjectResult]]]:
        for task in tasks:
            yield task, annotate_image(model, folder, task, settings.prompt, settings.batch)

    return work


def _row(dataset: CocoDataset, obj: CocoObject, result: ObjectResult) -> ReviewRow:
    category = dataset.categories.get(obj.category_id, str(obj.category_id))
    file_name = dataset.images[obj.image_id].file_name
    return ReviewRow(obj.id, obj.image_id, file_name, category, result.score, result.area, result.problem)


def _write(
    path: Path, source: Path, results: Mapping[int, ObjectResult], model: Segmenter, settings: AnnotateSettings
) -> None:
    """Write the source anew, with masks; what did not change is written as it stood."""
    text = read_text(source)
    parts = [part for part in take_apart(text, source.name) if not part.entry]
    head = [(part.key, None if part.stop == part.start else text[part.start : part.stop]) for part in parts]

    def entries(key: str) -> Iterator[str]:
        for part in take_apart(text, source.name):
            if part.entry and part.key == key:
                result = results.get(whole(part.value["id"])) if key == "annotations" else None
                masked = result is not None and result.rle is not None
                yield _entry(part.value, result, model, settings) if masked and result else text[part.start : part.stop]

    write_document(path, head, {key: entries(key) for key in LISTS})


def _entry(value: dict[str, Any], result: ObjectResult, model: Segmenter, settings: AnnotateSettings) -> str:
    assert result.rle is not None
    height, width = result.rle["size"]
    outline, measures = segment(decode_runs(result.rle, (height, width)), (height, width), settings.segmentation)
    facts = ObjectFacts(
        marks=tuple(Mark(*point) for point in result.points),
        box=None if result.box is None else (result.box[0], result.box[1], result.box[2], result.box[3]),
        score=result.score,
        model=model.spec.name,
        model_hash=model.model_hash,
    )
    value = finite(value)
    before = value.get(NAMESPACE)
    record = {**(before if isinstance(before, dict) else {}), **json.loads(to_json(facts.to_json()))}
    return to_json({**value, "segmentation": outline, **measures, "iscrowd": 0, NAMESPACE: record})
