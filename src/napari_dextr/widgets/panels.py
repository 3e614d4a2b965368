"""Parts of the Annotate widget: status, kinds of click, threshold."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QProgressBar, QSlider, QVBoxLayout, QWidget

from ..napari_io.click_layer import STYLES
from ..session import KINDS, NEEDED
from .model_client import ModelClient
from .status import Status

KIND_TITLES = {
    "extreme": "Extreme point (D)",
    "boundary": "On the outline (C)",
    "inside": "Inside (I)",
    "outside": "Outside (O)",
}

_MARKS = {"hint": "", "busy": "", "done": "✓ ", "error": "⚠ "}


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
        line = QHBoxLayout()
        line.addWidget(self.dots)
        line.addWidget(self.result, 1)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addLayout(line)
        column.addWidget(self.busy)

    def show_status(self, status: Status, remaining: int | None) -> None:
        """Show a sentence, and filled dots for the extreme points that are there."""
        self.text.setText(_MARKS[status.kind] + status.text)
        font = self.text.font()
        font.setBold(status.kind == "error")
        self.text.setFont(font)
        there = 0 if remaining is None else NEEDED - remaining
        self.dots.setText("●" * there + "○" * (NEEDED - there))
        self.dots.setToolTip(f"{there} of {NEEDED} extreme points")
        self.busy.setRange(0, 0 if status.kind == "busy" else 1)
        self.busy.setVisible(status.kind == "busy")

    def show_result(self, segmentation: Any, model: ModelClient) -> None:
        """Show score and time of the mask, or what the model is doing."""
        if segmentation is not None:
            score = "" if segmentation.score is None else f"score {segmentation.score:.2f} · "
            self.result.setText(f"{score}{1000 * segmentation.seconds:.0f} ms")
            self.result.setToolTip("Overlap (IoU, 0 to 1) that the model expects of its mask; time it took")
        elif model.loading:
            self.result.setText("loading model…")
            self.result.setToolTip(f"'{model.source}' is being loaded; you can click already")
        elif model.segmenter is not None:
            self.result.setText(f"ready on {getattr(model.segmenter, 'device', 'cpu')}")
            self.result.setToolTip(f"'{model.source}' is loaded")
        else:
            self.result.setText("")
            self.result.setToolTip("")


class KindCombo(QComboBox):
    """Kind of the next click, in the colour of its points."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for kind in KINDS:
            self.addItem(_dot(STYLES[kind][1]), KIND_TITLES[kind], kind)
        self.activated.connect(lambda index: self.chosen.emit(self.itemData(index)))

    def show_kinds(self, kind: str, taken: tuple[str, ...]) -> None:
        """Show the present kind; grey out kinds that the model does not take."""
        self.setCurrentIndex(KINDS.index(kind))
        for index, name in enumerate(KINDS):
            item = self.model().item(index)
            item.setEnabled(name in taken)
            item.setToolTip("" if name in taken else "This model does not take such points")


class ThresholdSlider(QWidget):
    """Probability above which a pixel belongs to the object; follows the model until the user moves it."""

    changed = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._moved = False
        self._spec: Any = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 95)
        self.slider.setValue(50)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.setToolTip("Lower: the mask grows. Higher: it shrinks. No new computation is needed.")
        self.number = QLabel()
        self.number.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Threshold"))
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        self.slider.valueChanged.connect(self._on_value)
        self._show_number()

    @property
    def value(self) -> float | None:
        """The user's threshold in 0..1, or None while the model's own applies."""
        return self.slider.value() / 100 if self._moved else None

    def show_default(self, spec: Any) -> None:
        """Go to the threshold of a newly loaded model."""
        if spec is None or spec is self._spec:
            return
        self._spec, self._moved = spec, False
        self.slider.blockSignals(True)
        self.slider.setValue(round(100 * spec.threshold))
        self.slider.blockSignals(False)
        self._show_number()
        self.changed.emit(spec.threshold)

    def _on_value(self, value: int) -> None:
        self._moved = True
        self._show_number()
        self.changed.emit(value / 100)

    def _show_number(self) -> None:
        self.number.setText(f"{self.slider.value() / 100:.2f}")


def _dot(color: str) -> QIcon:
    picture = QPixmap(16, 16)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(QColor("black"))
    painter.drawEllipse(2, 2, 11, 11)
    painter.end()
    return QIcon(picture)
