"""Parts of the Annotate widget: status, and the kind of the next mark."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from ..napari_io.click_layer import CORNER, STYLES
from ..napari_io.keys import KEY_OF
from ..session import NEEDED
from ..words import megabytes
from .model_client import ModelClient
from .prompts import CHOICES
from .status import Status

KIND_TITLES = {
    "extreme": "Extreme point",
    "boundary": "On the outline",
    "inside": "Inside",
    "outside": "Outside",
    "box": "Box",
    "corners": "Corners, then inside",
}

_MARKS = {"hint": "", "busy": "", "done": "✓ ", "doubt": "⚠ ", "error": "⚠ "}
_GESTURES = "Shift or right button: outside. Ctrl: on the outline. Alt: inside."


class StatusPanel(QFrame):
    """What to do next, how many points remain, and what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setMinimumHeight(4 * self.fontMetrics().lineSpacing())  # so that the buttons stay in place
        self.text.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.dots = QLabel()
        self.result = QLabel()
        self.result.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.busy = QProgressBar()
        self.busy.setTextVisible(False)
        self.busy.setFixedHeight(4)
        size_policy = self.busy.sizePolicy()
        size_policy.setRetainSizeWhenHidden(True)
        self.busy.setSizePolicy(size_policy)
        self.cancel = make_button("Cancel", "Stop loading this model")
        line = QHBoxLayout()
        line.addWidget(self.dots)
        line.addWidget(self.result, 1)
        line.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addLayout(line)
        column.addWidget(self.busy)

    def show_status(self, status: Status, remaining: int | None) -> None:
        """Show a sentence, and filled dots for the extreme points that are there; no dots for None."""
        self.text.setText(_MARKS[status.kind] + status.text)
        font = self.text.font()
        font.setBold(status.kind in ("error", "doubt"))
        self.text.setFont(font)
        there = NEEDED - (remaining or 0)
        self.dots.setText("" if remaining is None else "●" * there + "○" * (NEEDED - there))
        self.dots.setToolTip(f"{there} of {NEEDED} extreme points")

    def show_result(self, segmentation: Any, model: ModelClient, busy: bool = False) -> None:
        """Show score and time of the mask, or what the model is doing and how far it is."""
        done, total = model.progress or (0, 0)
        self.busy.setRange(0, 1000 if total else 0)
        self.busy.setValue(round(1000 * done / total) if total else 0)
        self.busy.setVisible(model.loading or busy)
        self.cancel.setVisible(model.loading)
        if segmentation is not None:
            score = [] if segmentation.score is None else [f"score {segmentation.score:.2f}"]
            time = [f"{1000 * segmentation.seconds:.0f} ms"] if segmentation.seconds else []
            self.result.setText(" · ".join(score + time))
            self.result.setToolTip("Overlap (IoU, 0 to 1) that the model expects of its mask; time it took")
        elif model.loading:
            self.result.setText(_arrived(model))
            self.result.setToolTip(f"'{model.source}' is being loaded; you can click already")
        elif model.segmenter is not None:
            self.result.setText(f"ready on {getattr(model.segmenter, 'device', 'cpu')}")
            self.result.setToolTip(f"'{model.source}' is loaded")
        else:
            self.result.setText("")
            self.result.setToolTip("")


def _arrived(model: ModelClient) -> str:
    done, total = model.progress or (0, 0)
    if model.progress is None or done == total > 0:
        return "loading model…"
    return megabytes(done, total) if total or done else "connecting…"


class KindCombo(QComboBox):
    """Kind of the next mark, in the colour of its points."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip(f"What the next mark is ({KEY_OF['next_kind']}: the next kind). {_GESTURES}")
        for kind in CHOICES:
            style = STYLES.get(kind, STYLES[CORNER])
            self.addItem(dot(style[1]), f"{KIND_TITLES[kind]} ({KEY_OF[kind]})", kind)
        self.activated.connect(lambda index: self.chosen.emit(self.itemData(index)))

    def show_kinds(self, kind: str, taken: tuple[str, ...]) -> None:
        """Show the present kind; grey out kinds that the model does not take."""
        self.setCurrentIndex(CHOICES.index(kind))
        for index, name in enumerate(CHOICES):
            item = self.model().item(index)
            item.setEnabled(name in taken)
            item.setToolTip("" if name in taken else "This model does not take such marks")


def make_button(text: str, tip: str) -> QPushButton:
    """A button that leaves the keys to the canvas."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def make_check(text: str, tip: str, *, on: bool = False) -> QCheckBox:
    """A check box that leaves the keys to the canvas."""
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setChecked(on)
    box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return box


def dot(color: str) -> QIcon:
    """A filled circle."""
    picture = QPixmap(16, 16)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(QColor("black"))
    painter.drawEllipse(2, 2, 11, 11)
    painter.end()
    return QIcon(picture)
