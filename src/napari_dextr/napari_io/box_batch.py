"""Many objects written into one Labels layer at a time: reviewed one by one, undone as one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DextrError, OutputError
from ..objects import AnnotatedObject, ObjectClass, ObjectFacts
from ..prompt import Bounds, Region
from ..session.labelling import AcceptPolicy
from ..session.patches import Patch
from ..words import number_of
from .box_tasks import BoxTask
from .label_pixels import LayerPixels
from .object_table import KEY, given_highest, note_highest, record, store
from .placement import plain
from .planes import hidden_axes, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ..segmenter import Segmentation

OPEN, ACCEPTED, DELETED, FAILED = "to review", "accepted", "deleted", "failed"
"""States of a reviewed object."""

Heard = Callable[[list[tuple[Any, Patch]], dict[int, AnnotatedObject | None]], None]


@dataclass(eq=False)
class Reviewed:
    """One object of a batch.

    Attributes
    ----------
    task : BoxTask
    state : str
        `OPEN`, `ACCEPTED`, `DELETED` or `FAILED`.
    label : int or None
        None where nothing was written.
    score : float or None
        IoU in 0..1 that the model expects of its mask.
    region : two slices or None
        Where its pixels lie on the task's plane.
    problem : str
        Why it failed.
    """

    task: BoxTask
    state: str = OPEN
    label: int | None = None
    score: float | None = None
    region: Region | None = None
    problem: str = ""

    @property
    def bounds(self) -> Bounds | None:
        """Where it is to be looked at: around its pixels, or where it has none, around its marks."""
        if self.region is None:
            return self.task.prompt.bounds
        rows, cols = self.region
        return float(rows.start), float(cols.start), rows.stop - 1.0, cols.stop - 1.0


@dataclass(frozen=True, eq=False)
class _Step:
    """What can be undone at once: pixels, facts, and rows with the state that they had."""

    text: str
    patches: list[tuple[Any, Patch]]
    facts: dict[int, ObjectFacts | None]
    rows: list[tuple[Reviewed, str]]


class BoxBatch:
    """The objects of one run.

    Parameters
    ----------
    image : Image
    target : Labels
        Takes the objects.
    dims : Dims
        The viewer's.
    classes : sequence of ObjectClass
        Of the target, those that the boxes name included.
    highest : int
        Highest label in use.
    overwrite : bool
        Write over earlier objects; else only pixels without a label.
    model_hash : str, optional
        Of the model's weights, for the record.
    heard : callable, optional
        Called with what was just written, as `napari_dextr.session.Session.note_written` takes it: pixels, objects.
    """

    def __init__(
        self,
        image: Image,
        target: Labels,
        dims: Any,
        classes: Sequence[ObjectClass],
        highest: int,
        *,
        overwrite: bool = False,
        model_hash: str | None = None,
        heard: Heard = lambda pixels, objects: None,
    ) -> None:
        self.image: Image = plain(image)
        self.target: Labels = plain(target)
        self.rows: list[Reviewed] = []
        self._pixels = LayerPixels(self.target, dims, highest=lambda: highest)
        self._policy = AcceptPolicy("overwrite" if overwrite else "background")
        self._facts, _ = record(self.target)
        self._classes = list(classes)
        self._next = max([highest, *self._facts]) + 1
        self._hash = model_hash
        self._heard = heard
        self._areas: dict[int, int] = {}
        self._steps = [_Step("the whole run", [], {}, [])]
        self._clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)

    @property
    def summary(self) -> str:
        """How much was found, in words, and what comes next."""
        failed = sum(row.label is None for row in self.rows)
        found = number_of(len(self.rows) - failed, "object")
        left = f", {failed:,} failed" if failed else ""
        return f"{found} in '{self.target.name}'{left}. Review the least certain first."

    @property
    def undo_text(self) -> str | None:
        """What `undo` would undo; None at the beginning."""
        step = self._steps[-1] if self._steps else None
        return step.text if step is not None and (step.facts or step.rows) else None

    def add(self, task: BoxTask, answer: Segmentation | Exception) -> Reviewed:
        """Write the answer to a task as a new object; what cannot be written becomes a failed row."""
        row = Reviewed(task)
        self.rows.append(row)
        try:
            if isinstance(answer, Exception):
                raise answer
            self._write(row, answer)
        except DextrError as error:
            row.state, row.problem = FAILED, str(error)
        return row

    def accept(self, row: Reviewed) -> None:
        """Note that an object is right; one step for `undo`."""
        if row.state == OPEN:
            self._steps.append(_Step(f"accept object {row.label}", [], {}, [(row, row.state)]))
            row.state = ACCEPTED

    def delete(self, row: Reviewed) -> None:
        """Take an object away again; one step for `undo`.

        Raises
        ------
        OutputError, ImageError
            If the layer cannot be written now.
        """
        if row.label is None or row.region is None or row.state == DELETED:
            return
        place = self.image, row.task.plane
        present = np.array(self._pixels.read(place, row.region))
        patch = Patch.of(row.region, present, np.where(present == row.label, 0, present).astype(present.dtype))
        patches = [] if patch is None else [(place, patch)]
        if patch is not None:
            patch.apply(self._pixels, place)
        facts = self._facts_now()
        step = _Step(f"delete object {row.label}", patches, {row.label: facts.pop(row.label, None)}, [(row, row.state)])
        self._steps.append(step)
        row.state = DELETED
        store(self.target, facts, self._classes)
        self._heard(patches, {row.label: None})

    def undo(self) -> str | None:
        """Undo the last answer, or at the end the whole run; says what was undone.

        Pixels that somebody changed in the meantime stay.

        Raises
        ------
        OutputError, ImageError
            If the layer cannot be written now.
        """
        if self.undo_text is None:
            return None
        step, written = self._steps[-1], []
        for place, patch in reversed(step.patches):
            present = np.array(self._pixels.read(place, patch.region))
            patch.apply(self._pixels, place, forward=False)
            undone = Patch.of(patch.region, present, np.array(self._pixels.read(place, patch.region)))
            written += [] if undone is None else [(place, undone)]
        facts, rows = self._facts_now(), {row.label: row for row in self.rows}
        objects: dict[int, AnnotatedObject | None] = {}
        for label, before in step.facts.items():
            if before is None:
                facts.pop(label, None)
            else:
                facts[label] = before
            objects[label] = None if before is None else self._object(rows[label], before)
        for row, state in step.rows:
            row.state = state
        self._steps.pop()
        if not self._steps:
            self.rows.clear()
        store(self.target, facts, self._classes)
        if written or objects:
            self._heard(written, objects)
        return step.text

    def settle(self) -> None:
        """Bring the objects written so far into the record of the layer."""
        present = self._facts_now()
        fresh = {row.label: self._facts[row.label] for row in self.rows if row.label is not None and row.state == OPEN}
        store(self.target, {**fresh, **present}, self._classes, self._areas)
        self._keep_numbers()

    def refresh(self) -> list[Reviewed]:
        """Take over objects that were corrected elsewhere; they are accepted then. Returns their rows."""
        written = (self.target.metadata.get(KEY) or {}).get("objects") or {}
        corrected = []
        for row in self.rows:
            label = row.label
            if label is None or row.state == DELETED:
                continue
            now = written.get(label, written.get(str(label)))
            if not isinstance(now, dict):
                continue
            facts, before = ObjectFacts.from_json(now), self._facts[label]
            self._facts[label] = facts
            if replace(facts, class_id=None) == replace(before, class_id=None):
                continue
            row.score, row.state = facts.score, ACCEPTED
            row.region = self._region(row) or row.region
            corrected.append(row)
        return corrected

    def _region(self, row: Reviewed) -> Region | None:
        """Where the pixels of an object lie now; None where there are none."""
        plane = row.task.plane
        shape = layer_shape(self.image)
        whole = slice(0, shape[plane.axes[0]]), slice(0, shape[plane.axes[1]])
        mask = np.asarray(self._pixels.read((self.image, plane), whole)) == row.label
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return None
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)

    def _write(self, row: Reviewed, answer: Segmentation) -> None:
        mask, region = answer.mask, answer.region
        if not mask.any():
            raise OutputError("The model found nothing there; draw the box closer, or choose another model.")
        self._next = max(self._next, given_highest(self.target) + 1)  # somebody may annotate in the meantime
        if self._next > self._pixels.largest:
            raise OutputError(
                f"The Labels layer holds values up to {self._pixels.largest} only; choose a new layer for the rest."
            )
        place = self.image, row.task.plane
        present = np.array(self._pixels.read(place, region))
        won = mask & self._policy.allows(present)
        if not won.any():
            raise OutputError("It lies wholly on earlier objects.")
        patch = Patch.of(region, present, np.full_like(present, self._next), won)
        assert patch is not None
        patch.apply(self._pixels, place)
        label, self._next = self._next, self._next + 1
        note_highest(self.target, label)
        row.label, row.score, row.region = label, answer.score, patch.region
        numbers = {entry.name: entry.id for entry in self._classes}
        self._facts[label] = replace(
            row.task.facts,
            axes=hidden_axes(row.task.plane),
            class_id=numbers.get(row.task.class_name),
            score=answer.score,
            model=answer.model,
            model_hash=self._hash,
            seconds=answer.seconds,
            created=self._clock().isoformat(timespec="seconds"),
        )
        self._areas[label] = int(won.sum())
        step = self._steps[0]
        step.patches.append((place, patch))
        step.facts[label] = None
        self._heard([(place, patch)], {label: self._object(row, self._facts[label])})

    def _object(self, row: Reviewed, facts: ObjectFacts) -> AnnotatedObject:
        assert row.label is not None
        assert row.region is not None
        return AnnotatedObject(row.label, (self.image, row.task.plane), row.region, facts)

    def _facts_now(self) -> dict[int, ObjectFacts]:
        """The record as it is now: the user may have worked on the layer in the meantime."""
        facts, classes = record(self.target)
        self._classes += [entry for entry in classes if entry.id not in {known.id for known in self._classes}]
        return facts

    def _keep_numbers(self) -> None:
        """Where the boxes came from a COCO file, let the masks take their place there."""
        numbered = [row for row in self.rows if row.label is not None and row.task.annotation is not None]
        coco = (self.image.metadata.get(KEY) or {}).get("coco")
        if not numbered or not coco or "file" not in coco:
            return
        names = {tuple(entry["index"]): entry["file_name"] for entry in coco["images"]}
        own = self.target.metadata.setdefault(KEY, {}).setdefault("coco", {**coco, "ids": {}})
        for row in numbered:
            name = names.get(row.task.facts.plane)
            if name is not None and own.get("file") == coco["file"]:
                own.setdefault("ids", {}).setdefault(name, {})[row.label] = row.task.annotation
