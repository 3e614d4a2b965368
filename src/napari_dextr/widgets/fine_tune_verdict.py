"""What came of a fine-tuning: the verdict, held-out objects before and after, and what to do with the new model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout

from .export_parts import MessagePanel
from .wrapped import WrappedLabel

TRUTH, FOUND = (0, 158, 115), (230, 159, 0)  # Okabe and Ito, as in the pictures of a run's folder

_SIDE = 256  # pixels of a picture before it is fitted into the dock
_GAP, _CAPTION = 6, 16
_WIDEST = 170  # pixels of a picture on the screen
_ROWS = 3


class Comparisons(QFrame):
    """Held-out objects, one a row: on the left with the old model's outline, on the right with the new one's."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[QImage, QImage, float, float]] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setToolTip("Objects that the model did not learn from. Green: as annotated. Orange: what the model found")

    def show_comparisons(self, comparisons: Sequence[Any]) -> None:
        """Show some of them: the first, the last and what lies between (`napari_dextr.training.judging.compare`)."""
        count = min(_ROWS, len(comparisons))
        picked = [comparisons[int(i)] for i in np.linspace(0, len(comparisons) - 1, count).round()] if count else []
        self._rows = [
            (
                outlined(each.image, each.truth, each.before),
                outlined(each.image, each.truth, each.after),
                float(each.iou_before),
                float(each.iou_after),
            )
            for each in picked
        ]
        self.setVisible(bool(self._rows))
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return _CAPTION + len(self._rows) * (self._side(width) + _CAPTION + _GAP)

    def sizeHint(self) -> QSize:
        return QSize(240, self.heightForWidth(240))

    def minimumSizeHint(self) -> QSize:
        return QSize(180, self.heightForWidth(180))

    def _side(self, width: int) -> int:
        return max(40, min(_WIDEST, (width - _GAP) // 2))

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        side = self._side(self.width())
        centre = int(Qt.AlignmentFlag.AlignCenter)
        for column, title in enumerate(("before", "after")):
            painter.drawText(QRectF(column * (side + _GAP), 0, side, _CAPTION), centre, title)
        top = float(_CAPTION)
        for before, after, first, second in self._rows:
            for column, (picture, iou) in enumerate(((before, first), (after, second))):
                area = QRectF(column * (side + _GAP), top, side, side)
                painter.drawImage(area, picture)
                painter.drawText(QRectF(area.left(), area.bottom(), side, _CAPTION), centre, f"IoU {iou:.2f}")
            top += side + _CAPTION + _GAP
        painter.end()


class VerdictPanel(QFrame):
    """The verdict and the buttons that go with it.

    Signals
    -------
    used, exported, reverted, kept, dropped, again
        Use the new model in the Annotate widget; write it to a file; go back to the old model; keep it although it
        does not help; throw it away; train another one.
    renamed(name)
        Give it this name.
    """

    used = Signal()
    exported = Signal()
    reverted = Signal()
    kept = Signal()
    dropped = Signal()
    again = Signal()
    renamed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.verdict = MessagePanel()
        self.facts = WrappedLabel()
        self.pictures = Comparisons()
        self.name = QLineEdit()
        self.name.setToolTip("Name of the new model in every list of models")
        self.rename = _button("Rename", "Give the new model the name that stands here")
        self.use = _button("Use in Annotate", "Annotate the next objects with the new model")
        self.revert = _button("Back to the old model", "Annotate with the model that was in use before")
        self.export = _button("Export…", "Write the new model to a file for another computer")
        self.keep = _button("Keep it all the same", "Put the new model into the list of models; the old one stays too")
        self.drop = _button("Throw away", "Remove the new model and everything that the training left on the disk")
        self.anew = _button("Train another", "Back to the choice of objects and settings")
        self._lay_out()
        for button, signal in (
            (self.use, self.used),
            (self.revert, self.reverted),
            (self.export, self.exported),
            (self.keep, self.kept),
            (self.drop, self.dropped),
            (self.anew, self.again),
        ):
            button.clicked.connect(signal)
        self.rename.clicked.connect(self._on_rename)
        self.name.returnPressed.connect(self._on_rename)
        self.name.textChanged.connect(lambda _: self._show_rename())
        self._kept_as: str | None = None
        self.show_model(None)

    def show_verdict(self, sentence: str, helps: bool, facts: str, comparisons: Sequence[Any]) -> None:
        """Show what came of a training.

        Parameters
        ----------
        sentence : str
            The verdict.
        helps : bool
        facts : str
            Another sentence or two: how the training ended, what it was about.
        comparisons : sequence of Comparison
            See `napari_dextr.training.judging`.
        """
        self.verdict.say(sentence, "done" if helps else "warning")
        self.facts.setText(facts)
        self.facts.setVisible(bool(facts))
        self.pictures.show_comparisons(comparisons)

    def say(self, sentence: str, kind: str = "done") -> None:
        """Say what came of the last button."""
        self.verdict.say(sentence, kind)

    def show_model(self, name: str | None, *, in_use: bool = False, old: str = "", there: bool = True) -> None:
        """Offer what can be done with the model.

        Parameters
        ----------
        name : str or None
            Under which it is kept; None where it is not.
        in_use : bool
            Whether the Annotate widget uses it.
        old : str
            What that used before.
        there : bool
            Whether there is a model that could be kept.
        """
        self._kept_as = name
        for widget in (self.name, self.rename, self.use, self.revert, self.export):
            widget.setVisible(name is not None)
        self.keep.setVisible(name is None and there)
        self.drop.setVisible(there)
        self.anew.setVisible(name is not None or not there)
        self.use.setEnabled(not in_use)
        self.revert.setEnabled(in_use)
        self.revert.setText(f"Back to '{old}'" if old and len(old) < 20 else "Back to the old model")
        if name is not None:
            self.name.setText(name)
        self._show_rename()

    def _show_rename(self) -> None:
        typed = self.name.text().strip()
        self.rename.setEnabled(bool(typed) and typed != self._kept_as)

    def _on_rename(self) -> None:
        if self.rename.isEnabled():
            self.renamed.emit(self.name.text().strip())

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.name, 1)
        line.addWidget(self.rename)
        buttons = QGridLayout()
        buttons.addWidget(self.use, 0, 0, 1, 2)
        buttons.addWidget(self.revert, 1, 0, 1, 2)
        either = QHBoxLayout()  # of which those that are hidden take no room
        for button in (self.keep, self.export, self.drop):
            either.addWidget(button)
        buttons.addLayout(either, 2, 0, 1, 2)
        buttons.addWidget(self.anew, 3, 0, 1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.verdict)
        column.addWidget(self.facts)
        column.addLayout(line)
        column.addLayout(buttons)
        column.addWidget(self.pictures)


def outlined(image: npt.NDArray[np.uint8], truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> QImage:
    """A picture with both outlines, `_SIDE` pixels a side.

    Parameters
    ----------
    image : (S, S, 3) uint8
    truth, found : (S, S) bool
    """
    index = np.arange(_SIDE) * image.shape[0] // _SIDE
    picture = image[np.ix_(index, index)].copy()
    green, orange = (_edge(mask[np.ix_(index, index)]) for mask in (truth, found))
    picture[_wider(green | orange, 3)] = 0  # lines stand out on bright ground as well
    picture[_wider(green, 2)] = TRUTH  # the broader one: it is seen where both are the same
    picture[_wider(orange, 1)] = FOUND
    pixels = picture.tobytes()  # Qt looks at this memory, so it must outlive the copying
    return QImage(pixels, _SIDE, _SIDE, 3 * _SIDE, QImage.Format.Format_RGB888).copy()


def _edge(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels of a mask with a neighbour outside it; what leaves the picture has no edge there."""
    padded = np.pad(mask, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inside


def _wider(line: npt.NDArray[np.bool_], pixels: int) -> npt.NDArray[np.bool_]:
    """A line so many pixels wider on each side."""
    for _ in range(pixels):
        padded = np.pad(line, 1)
        line = padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return line


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
