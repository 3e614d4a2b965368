"""What a fine-tuning learns from: layers, files, and what was found in them. A part of the Fine-tune widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QGroupBox, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from ..napari_io.training_layers import found_pairs
from ..session.autosave import SUFFIX
from .elided import ElidedLabel
from .export_parts import LayerPairs
from .safety import sessions_folder
from .wrapped import WrappedLabel

COCO, SESSION = "coco", "session"

_SHOWN = 6  # doubts before the rest is only counted


@dataclass(frozen=True)
class AnnotationFile:
    """A file with annotated objects.

    Attributes
    ----------
    kind : str
        `COCO` or `SESSION`.
    path : Path
    images : Path or None
        Folder of a COCO file's images; None for that of the file itself.
    """

    kind: str
    path: Path
    images: Path | None = None


@dataclass(frozen=True)
class Wanted:
    """What the user wants to learn from.

    Attributes
    ----------
    pairs : tuple of (Labels, Image)
    files : tuple of AnnotationFile
    """

    pairs: tuple[tuple[Any, Any], ...] = ()
    files: tuple[AnnotationFile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pairs or self.files)


class SourcesPanel(QGroupBox):
    """Layers with a tick and an image each, files, and what was found.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel

    Signals
    -------
    changed
        Other objects are wanted.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__("Objects to learn from")
        self.pairs = LayerPairs(viewer, lambda labels, _: _image_of(viewer, labels))
        self.files: list[AnnotationFile] = []
        self.add_coco = _small("Add COCO file…", "Objects of a COCO file with masks, and the images it names")
        self.add_session = _small("Add session…", "What was not exported when napari crashed or was closed")
        self.survey = SurveyLabel()
        self._rows = QWidget()
        self._list = QVBoxLayout(self._rows)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(2)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add_coco)
        buttons.addWidget(self.add_session)
        column = QVBoxLayout(self)
        column.addWidget(self.pairs)
        column.addWidget(self._rows)
        column.addLayout(buttons)
        column.addWidget(self.survey)
        self.pairs.changed.connect(self.changed)
        self.add_coco.clicked.connect(self._ask_coco)
        self.add_session.clicked.connect(self._ask_session)
        self._show_files()

    def wanted(self) -> Wanted:
        """What is ticked and listed. Labels without an image are left out: there is nothing to see on them."""
        pairs = tuple((labels, image) for labels, image in self.pairs.pairs() if image is not None)
        return Wanted(pairs, tuple(self.files))

    def without_image(self) -> list[str]:
        """Names of ticked Labels layers that have no image."""
        return [str(labels.name) for labels, image in self.pairs.pairs() if image is None]

    def add(self, file: AnnotationFile) -> None:
        """List another file; one that is listed already takes the place of the former entry."""
        self.files = [other for other in self.files if other.path != file.path] + [file]
        self._show_files()
        self.changed.emit()

    def remove(self, path: Path) -> None:
        """Take a file from the list."""
        self.files = [other for other in self.files if other.path != path]
        self._show_files()
        self.changed.emit()

    def _ask_coco(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Annotations", "", "COCO (*.json);;All files (*)")
        if path:
            self.add(AnnotationFile(COCO, Path(path)))

    def _ask_session(self) -> None:
        folder = sessions_folder()
        start = str(folder) if folder.is_dir() else ""
        path, _ = QFileDialog.getOpenFileName(self, "Saved session", start, f"Sessions (*{SUFFIX});;All files (*)")
        if path:
            self.add(AnnotationFile(SESSION, Path(path)))

    def _ask_images(self, file: AnnotationFile) -> None:
        folder = QFileDialog.getExistingDirectory(self, f"Images of {file.path.name}", str(file.path.parent))
        if folder:
            self.add(replace(file, images=Path(folder)))

    def _show_files(self) -> None:
        while self._list.count():
            item = self._list.takeAt(0)
            if item.widget() is not None:
                item.widget().hide()
                item.widget().deleteLater()
        for file in self.files:
            self._list.addWidget(self._row(file))
        self._rows.setVisible(bool(self.files))

    def _row(self, file: AnnotationFile) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        images = f"\nImages in {file.images or file.path.parent}" if file.kind == COCO else ""
        line.addWidget(ElidedLabel(file.path.name, f"{file.path}{images}"), 1)
        if file.kind == COCO:
            line.addWidget(_tool("Images…", "Choose the folder of its images", lambda: self._ask_images(file)))
        line.addWidget(_tool("✕", f"Do not learn from '{file.path.name}'", lambda: self.remove(file.path)))
        return row


class SurveyLabel(WrappedLabel):
    """What was found, and what is doubtful about it."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def say(self, sentence: str, doubts: Sequence[str] = (), *, refused: bool = False) -> None:
        """Show a sentence and doubts; a refusal is what keeps the training from being started."""
        lines = [f"<b>{'⚠ ' if refused else ''}{escape(sentence, quote=False)}</b>"] if sentence else []
        lines += [f"⚠ {escape(doubt, quote=False)}" for doubt in doubts[:_SHOWN]]
        if len(doubts) > _SHOWN:
            lines.append(f"… and {len(doubts) - _SHOWN} more")
        self.setText("<br>".join(lines))
        self.setToolTip("\n".join(doubts[_SHOWN:]))
        self.setVisible(bool(lines))


def _image_of(viewer: Any, labels: Any) -> Any:
    """The image that a Labels layer lies on, or None."""
    return next((image for layer, image in found_pairs(viewer) if layer is labels), None)


def _small(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _tool(text: str, tip: str, action: Any) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _: action())
    return button
