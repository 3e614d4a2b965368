"""What the Boxes to masks widget does: tasks taken, asked in the background, written and reviewed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..errors import DextrError, ImageError
from ..napari_io.box_batch import BoxBatch, Reviewed
from ..napari_io.box_journal import BoxJournal
from ..napari_io.box_run import find_masks, take_pixels
from ..napari_io.box_tasks import classes_for, take_boxes
from ..napari_io.label_layers import check_target, is_untouched, new_target
from ..napari_io.label_storage import finest
from ..napari_io.navigation import show_place
from ..napari_io.object_table import record
from ..napari_io.placement import plain
from .background import Background
from .boxes_progress import BoxesProgress
from .docks import used_in_annotate
from .model_client import ModelLoader, load_segmenter

_LOG = logging.getLogger(__name__)
_SLICE = 0.03  # seconds that answers are written for before the viewer has its turn
_BREATH = 5  # milliseconds that the viewer has between two of these
_SHOWN = 0.25  # seconds between two looks at the queue while it grows


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The layers of a run. ``made``: name of a new target, which goes again where nothing is left of the run."""

    boxes: Any
    image: Any
    target: Any
    overwrite: bool
    made: str | None


class BoxesJob(QObject):
    """One run after the other, each with its queue.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    load : callable
        Makes a segmenter from a model's name and a device, off the main thread.
    folder : Path or None
        Where journals are kept; None keeps none.

    Signals
    -------
    progressed(sentence, done, total)
        What the run is at, and how much of that is done; total 0 where nobody knows.
    added
        There are new rows in the queue.
    written(pixels, objects)
        The review has changed objects that another session keeps, as `Session.note_written` takes it.
    ended(sentence, kind)
        How the run ended: kind ``"done"``, ``"warning"`` or ``"error"``.
    rescored(rows)
        Objects of the queue that were corrected elsewhere (list of `Reviewed`); they count as accepted.
    """

    progressed = Signal(str, int, int)
    added = Signal()
    written = Signal(list, dict)
    ended = Signal(str, str)
    rescored = Signal(list)

    def __init__(self, viewer: Any, load: ModelLoader = load_segmenter, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._journal: BoxJournal | None = None
        self._viewer = viewer
        self._load = load
        self.batch: BoxBatch | None = None
        self._progress = BoxesProgress()
        self._problems: list[str] = []
        self._prepared: _Prepared | None = None
        self._waiting: deque[tuple[str, Any]] = deque()  # news of the background that are not worked off yet
        self._end: Callable[[], None] | None = None
        self._shown = 0.0
        self._background = Background("Boxes to masks")
        self._background.told.connect(self._on_told)
        self._background.done.connect(lambda _: self._end_with(lambda: self._on_end(None)))
        self._background.failed.connect(lambda error: self._end_with(partial(self._on_failed, error)))
        self._background.cancelled.connect(lambda: self._on_end("Cancelled."))

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._background.running or self._end is not None

    @property
    def rows(self) -> list[Reviewed]:
        """The objects of the run."""
        return [] if self.batch is None else self.batch.rows

    def start(self, boxes: Any, image: Any, target: Any, source: str, device: str, *, overwrite: bool = False) -> Any:
        """Begin a run; returns the Labels layer that takes the objects, a new one where ``target`` is None.

        Raises
        ------
        DextrError
            If nothing can be done; then nothing has begun.
        """
        boxes, image, target = plain(boxes), plain(image), plain(target)
        taken = take_boxes(boxes, image, self._viewer.dims)
        if not taken.objects:
            raise ImageError(f"'{boxes.name}' holds no box that can be used. Draw rectangles around objects first.")
        made = None
        if target is None:
            target = new_target(image)
            self._viewer.add_layer(target)
            made = str(target.name)
        check_target(target, image)
        self._follow(None)
        self._progress, self._problems = BoxesProgress(), []
        self._prepared = _Prepared(boxes, image, target, overwrite, made)
        pixels, labels, load = take_pixels(image), finest(target), partial(self._load, source, device)
        self._background.start(lambda tell: find_masks(taken, pixels, labels, load, tell))
        self.progressed.emit(*self._progress.told(None))
        return target

    def cancel(self) -> None:
        """End the run; objects found so far stay."""
        if self._background.running:
            self._background.cancel()
        self._waiting.clear()

    def stop(self) -> None:
        """Let go of everything."""
        if self.busy:
            self._halt()
            self._settle()
        self._follow(None)

    def forget(self, layer: Any) -> None:
        """End the run, and drop the queue, where its image or target has gone."""
        held = () if self._prepared is None else (self._prepared.image, self._prepared.target)
        if any(plain(layer) is part for part in held):
            self._halt()
            self._follow(None)
            self._prepared = None
            self.added.emit()

    def _halt(self) -> None:
        self._background.stop()
        self._waiting.clear()
        self._end = None

    # -- review ---------------------------------------------------------------------------------------------------

    def show(self, row: Reviewed) -> None:
        """Turn the viewer to an object, and select it in the Labels layer."""
        batch = self.batch
        if batch is None:
            return
        plane, bounds = row.task.plane, row.bounds
        if bounds is not None:
            show_place(self._viewer, batch.image, plane.index, bounds, plane.axes)
        if row.label is not None:
            self._viewer.layers.selection.active = batch.target
            batch.target.selected_label = row.label

    def undo(self) -> str | None:
        """Undo the last answer, or at the end the whole run, with the Labels layer that was made for it.

        Returns
        -------
        str or None
            What was undone.

        Raises
        ------
        OutputError, ImageError
            If the layer cannot be written now.
        """
        if self.batch is None:
            return None
        text = self.batch.undo()
        if not self.rows:
            self._take_back_target()
        return text

    def _follow(self, batch: BoxBatch | None) -> None:
        """Turn to another batch, or to none; what is corrected in its layer is taken over."""
        if self.batch is not None:
            self.batch.target.events.features.disconnect(self._on_features)
        if self._journal is not None:
            self._journal.park()
        self.batch, self._journal = batch, None
        if batch is not None:
            batch.target.events.features.connect(self._on_features)

    def _on_features(self, event: Any = None) -> None:
        if self.batch is None or self.busy:
            return
        corrected = self.batch.refresh()
        if corrected:
            self.rescored.emit(corrected)

    # -- the run --------------------------------------------------------------------------------------------------

    def _on_told(self, news: list[Any]) -> None:
        self._waiting += news
        self._work()

    def _end_with(self, end: Callable[[], None]) -> None:
        """End the run when all that was told has been worked off."""
        self._end = end
        self._work()

    def _work(self) -> None:
        """Work off what the background has told, but never for longer than the eye notices."""
        until = time.monotonic() + _SLICE
        while self._waiting:
            self._take(*self._waiting.popleft())
            if time.monotonic() >= until:
                break
        self._background.advance(len(self.rows))
        self.progressed.emit(*self._progress.told(self.batch))
        if time.monotonic() - self._shown > _SHOWN:
            self._shown = time.monotonic()
            self.added.emit()
        if self._waiting:
            QTimer.singleShot(_BREATH, self._work)
        elif self._end is not None:
            end, self._end = self._end, None
            end()

    def _take(self, kind: str, value: Any) -> None:
        prepared = self._prepared
        if prepared is None:
            return
        if kind == "boxes":
            tasks, self._problems = value
            self._progress.objects = len(tasks)
        elif kind == "loading":
            self._progress.arrived = value
        elif kind == "ready":
            highest, model_hash, tasks = value
            classes = classes_for(tasks, prepared.boxes, record(prepared.target)[1])
            places = prepared.image, prepared.target, self._viewer.dims
            options = {"overwrite": prepared.overwrite, "model_hash": model_hash, "heard": self._on_written}
            self._follow(BoxBatch(*places, classes, highest, **options))
            if self._folder is not None:
                self._journal = BoxJournal(self._folder, self._viewer, prepared.target, classes)
        elif kind == "found" and self.batch is not None:
            for task, answer in value:
                self.batch.add(task, answer)

    def _on_written(self, pixels: list[Any], objects: dict[int, Any]) -> None:
        if self._journal is not None and not self._journal.note(pixels, objects):
            self.written.emit(pixels, objects)

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, DextrError):
            _LOG.error("Unexpected error in the Boxes to masks widget", exc_info=error)
        said = str(error) if isinstance(error, DextrError) else f"That failed unexpectedly ({error}); please report it."
        self.ended.emit(f"{said} {self._settle()}".strip(), "error")

    def _on_end(self, prefix: str | None) -> None:
        left = f" {len(self._problems)} of the boxes could not be used: {self._problems[0]}" if self._problems else ""
        failed = sum(row.label is None for row in self.rows)
        text = f"{prefix + ' ' if prefix else ''}{self._settle()}{left}"
        self.ended.emit(text, "warning" if prefix or left or failed else "done")

    def _settle(self) -> str:
        """Bring what was found into the record of the layer; how much that is."""
        if self.batch is None:
            self._take_back_target()
            return ""
        self.batch.settle()
        if self._journal is not None:
            self._journal.complete = True
        return self.batch.summary

    def _take_back_target(self) -> None:
        """Remove the new Labels layer of a run of which nothing is left, unless somebody has done something with it."""
        prepared = self._prepared
        if prepared is None or prepared.made is None or not is_untouched(prepared.target, prepared.made):
            return
        if used_in_annotate(self._viewer, target := prepared.target):
            return
        self._follow(None)
        self._prepared = None
        if any(plain(layer) is target for layer in self._viewer.layers):
            self._viewer.layers.remove(target)
