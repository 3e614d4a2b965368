"""What the Export COCO widget does: layers taken, counted and written in the background. The view only shows it."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..errors import DextrError
from ..napari_io.export_counts import Counts
from ..napari_io.export_images import Pictures
from ..napari_io.export_planes import image_labels, join_classes, keep_numbers
from ..napari_io.export_source import LabelSource, label_source
from ..napari_io.saved_layers import tell_saved
from ..objects import ObjectClass
from ..session.unsaved import moment
from ..words import number_of
from .background import Background, Tell

if TYPE_CHECKING:
    from ..coco.labels import SegmentationForm

_LOG = logging.getLogger(__name__)
_SNAPSHOT = 0.2  # seconds between two intermediate counts
_LINES = 25  # of a tooltip: more do not fit on a screen
_QUICK = 1.0  # seconds; counting that takes longer is not repeated by itself after every change


@dataclass(frozen=True)
class ExportPlan:
    """What the user wants.

    Attributes
    ----------
    pairs : sequence of (Labels, Image or None)
    path : Path or None
        The annotation file.
    formats : tuple of str
        Of `napari_dextr.label_formats.FORMATS`.
    segmentation : str
        ``"auto"``, ``"rle"`` or ``"polygons"``.
    write_images : bool
        Pictures that are not in the folder yet are written there.
    replace : bool
        Start a new file instead of merging into the one that is there.
    with_empty : bool
        Planes without objects too.
    names : mapping of int to str
        New names of classes.
    """

    pairs: Sequence[tuple[Any, Any]] = ()
    path: Path | None = None
    formats: tuple[str, ...] = ("coco",)
    segmentation: SegmentationForm = "auto"
    write_images: bool = True
    replace: bool = False
    with_empty: bool = False
    names: Mapping[int, str] = field(default_factory=dict)

    def stack_comes_back(self) -> bool:
        """Whether planes that are left out are seen all the same when the file is opened.

        In the stacks' own files, or as they are in the file that this is merged into.
        """
        if self.path is None or "coco" not in self.formats or not self.write_images:
            return True
        pictures = Pictures(self.path, write=False)
        sources = [label_source(labels, image) for labels, image in self.pairs]
        return all(pictures.come_back(source) or (self.merges() and pictures.lists_all(source)) for source in sources)

    def merges(self) -> bool:
        """Whether there is a file whose entries stay."""
        return not self.replace and self.path is not None and self.path.is_file()


@dataclass(frozen=True)
class Outcome:
    """What was written, and what the check of the file said."""

    path: Path
    pictures: Pictures
    report: Any
    check: Any

    @property
    def details(self) -> list[str]:
        """Where the file is, and all that is to be looked at in it; of very much the first lines."""
        shown = self._problems[:_LINES]
        left = self._found - len(shown)
        return [str(self.path), *shown, *([f"… and {left:,} more."] if left else [])]

    @property
    def _problems(self) -> list[str]:
        return [*self.report.problems, *(() if self.check is None else self.check.problems)]

    @property
    def _found(self) -> int:
        """How many they are; of very many, not all are told in words."""
        return len(self.report.problems) + (0 if self.check is None else self.check.found)

    def sentence(self) -> tuple[str, str]:
        """What the user reads of it, and ``"done"`` or ``"warning"``."""
        written, kept, removed = len(self.pictures.written), self.report.kept, self.report.removed
        images = f"{number_of(written, 'image')} written. " if written else ""
        left = f"{kept:,} {'entry' if kept == 1 else 'entries'} of others left alone. " if kept else ""
        gone = f"{number_of(removed, 'deleted object')} removed. " if removed else ""
        objects, planes = number_of(self.report.objects, "object"), number_of(self.report.images, "image")
        are = "is" if self.report.objects == 1 else "are"
        text = f"{objects} {are} on {planes} in '{self.path.name}'. {images}{left}{gone}"
        if self._problems:
            more = f" (and {self._found - 1:,} more; the tooltip lists them)" if self._found > 1 else ""
            return f"{text}Please look at: {self._problems[0]}{more}", "warning"
        return f"{text}The file was read again and is sound." if self.check is not None else text.rstrip(), "done"


class ExportJob(QObject):
    """Counting and exporting, one of each at a time.

    Signals
    -------
    counted(counts, complete)
        `Counts` so far, and whether all planes are in.
    progressed(done, total)
        Planes written.
    done(outcome), failed(sentence), cancelled
        How the export ended.
    stopped_counting(sentence)
        The layers cannot be counted.
    """

    counted = Signal(object, bool)
    stopped_counting = Signal(str)
    progressed = Signal(int, int)
    done = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._sources: list[LabelSource] = []
        self._classes: list[ObjectClass] = []
        self._began = 0.0
        self._taken = 0  # the moment at which the export took the layers
        self.slow = False
        self._counting = Background()
        self._counting.told.connect(lambda news: self.counted.emit(news[-1], False))
        self._counting.done.connect(self._on_counted)
        self._counting.failed.connect(lambda error: self.stopped_counting.emit(sentence_of(error)))
        self._writing = Background("Export COCO")
        self._writing.told.connect(self._on_progress)
        self._writing.done.connect(self._on_done)
        self._writing.failed.connect(lambda error: self.failed.emit(sentence_of(error)))
        self._writing.cancelled.connect(self.cancelled)

    @property
    def busy(self) -> bool:
        """Whether an export is under way."""
        return self._writing.running

    @property
    def counting(self) -> bool:
        """Whether the layers are being counted."""
        return self._counting.running

    def count(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Count the objects of some layers; supersedes a count that is under way."""
        sources, classes = join_classes([label_source(labels, image) for labels, image in pairs])
        self._began = time.monotonic()
        self._counting.start(lambda tell: _count(sources, classes, tell))

    def export(self, plan: ExportPlan) -> None:
        """Write the files; `done`, `failed` or `cancelled` follows."""
        if plan.path is None:
            self.failed.emit("Choose a file to write to first.")
            return
        if not plan.path.parent.is_dir():
            self.failed.emit(f"The folder '{plan.path.parent}' does not exist; make it, or choose another.")
            return
        sources, joined = join_classes([label_source(labels, image) for labels, image in plan.pairs])
        classes = [replace(entry, name=plan.names.get(entry.id, entry.name)) for entry in joined]
        self._sources, self._classes, self._taken = sources, classes, moment()
        self._writing.start(lambda tell: _export(plan, sources, classes, tell), sum(each.planes for each in sources))

    def cancel(self) -> None:
        """Give up the export; the file that was there stays as it was."""
        self._writing.cancel()

    def stop(self) -> None:
        """Let go of everything."""
        self._counting.stop()
        self._writing.stop()

    def _on_counted(self, counts: Counts) -> None:
        self.slow = time.monotonic() - self._began > _QUICK
        self.counted.emit(counts, True)

    def _on_progress(self, news: list[tuple[int, int]]) -> None:
        done, total = news[-1]
        self._writing.advance(done)
        self.progressed.emit(done, total)

    def _on_done(self, outcome: Outcome) -> None:
        for source in self._sources:
            keep_numbers(source, outcome.pictures, getattr(outcome.report, "ids", {}), self._classes)
        tell_saved((source.layer for source in self._sources), self._taken)
        self.done.emit(outcome)


def sentence_of(error: Exception) -> str:
    """What the user reads of an error."""
    if isinstance(error, DextrError):
        return str(error)
    _LOG.error("Unexpected error in the Export COCO widget", exc_info=error)
    return f"That failed unexpectedly ({type(error).__name__}: {error}). Nothing was changed; please report it."


def _count(sources: Sequence[LabelSource], classes: Sequence[ObjectClass], tell: Tell) -> Counts:
    counts, shown = Counts(), time.monotonic()
    for source in sources:
        for index in source.indices():
            counts.add(source, index, classes)
            if time.monotonic() - shown > _SNAPSHOT:
                shown = time.monotonic()
                tell(copy.deepcopy(counts))
    return counts


def _export(plan: ExportPlan, sources: Sequence[LabelSource], classes: Sequence[ObjectClass], tell: Tell) -> Outcome:
    from ..coco import validate_coco
    from ..label_formats import export_labels

    assert plan.path is not None
    pictures = Pictures(plan.path, write=plan.write_images)
    planes = image_labels(sources, pictures, with_empty=plan.with_empty, tell=tell)
    try:
        report = export_labels(
            plan.path,
            planes,
            classes,
            formats=plan.formats,
            segmentation=plan.segmentation,
            replace=plan.replace,
        )
    except BaseException:  # cancelled, too
        pictures.discard()
        raise
    check = validate_coco(plan.path) if "coco" in plan.formats else None
    return Outcome(plan.path, pictures, report, check)
