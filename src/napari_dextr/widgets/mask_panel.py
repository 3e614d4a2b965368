"""How a mask is made from a probability, and what it may write over: the sliders of the Annotate widget."""

from __future__ import annotations

import math
import re
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QLineEdit, QSlider, QVBoxLayout, QWidget

from ..errors import PromptError
from ..postprocess import PostProcess
from ..session.labelling import AcceptPolicy
from .panels import make_check

_DELAY = 30  # milliseconds that a slider may rest before the preview follows it
_SIZES = (0.0, 4.0, 9.0, 16.0, 36.0, 64.0, 144.0, 256.0, 576.0, 1024.0, 4096.0, 16384.0, math.inf)  # pixels
_POLICIES = {
    "Keep earlier objects": "background",
    "Write over earlier objects": "overwrite",
    "Protect only labels…": "protect",
}


class MaskPanel(QWidget):
    """Threshold, holes, islands, and what objects may write over.

    Signals
    -------
    tuned
        Threshold or clean-up have changed; see `threshold` and `post`.
    policy_changed
        What may be written over has changed; see `policy`.
    """

    tuned = Signal()
    policy_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._moved = False
        self._spec: Any = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY)
        self._timer.timeout.connect(self.tuned)
        rows = QGridLayout()
        rows.setColumnStretch(1, 1)
        self.slider, self._number = _slider(
            rows, "Threshold", (5, 95), "Lower: the mask grows. Higher: it shrinks. No new computation is needed."
        )
        self.slider.setValue(50)
        self.holes, self._holes_size = _slider(rows, "Fill holes", (0, len(_SIZES) - 1), "Fill holes up to this size")
        self.islands, self._islands_size = _slider(
            rows, "Drop islands", (0, len(_SIZES) - 2), "Drop separate parts of the mask that are smaller than this"
        )
        self.keep_marked = make_check("Keep clicked parts only", "Drop parts of the mask that no point touches")
        self.policies = QComboBox()
        self.policies.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.policies.setToolTip("What an accepted object may write over")
        for title, kind in _POLICIES.items():
            self.policies.addItem(title, kind)
        self.protected = QLineEdit()
        self.protected.setPlaceholderText("labels to protect, e.g. 1, 4-7")
        self.protected.hide()
        self.keep_painted = make_check(
            "Keep what I painted", "Pixels that you painted or erased by hand stay as they are"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(rows)
        for widget in (self.keep_marked, self.policies, self.protected, self.keep_painted):
            column.addWidget(widget)
        self.slider.valueChanged.connect(self._on_threshold)
        for slider in (self.holes, self.islands):
            slider.valueChanged.connect(self._on_size)
        self.keep_marked.toggled.connect(lambda _: self._timer.start())
        self.policies.currentIndexChanged.connect(self._on_policy)
        self.protected.editingFinished.connect(self.policy_changed)
        self.keep_painted.toggled.connect(lambda _: self.policy_changed.emit())
        self._show_numbers()

    # -- mask -----------------------------------------------------------------------------------------------------

    @property
    def threshold(self) -> float | None:
        """The user's threshold in 0..1, or None while the model's own applies."""
        return self.slider.value() / 100 if self._moved else None

    @property
    def post(self) -> PostProcess:
        """The clean-up that is asked for."""
        return PostProcess(
            fill_holes=_SIZES[self.holes.value()],
            remove_islands=_SIZES[self.islands.value()],
            keep_marked=self.keep_marked.isChecked(),
        )

    def prefer(self, threshold: float) -> None:
        """Begin with the user's own threshold; 0 for that of each model."""
        if threshold > 0:
            self._show_threshold(threshold)

    def show_default(self, spec: Any) -> None:
        """Go to the threshold of a newly loaded model, unless the user has moved the slider."""
        if spec is None or spec is self._spec:
            return
        self._spec = spec
        if not self._moved:
            self._show_threshold(None)

    def show_tuning(self, threshold: float | None, post: PostProcess | None) -> None:
        """Show what undo or redo brought back."""
        post = post or PostProcess()
        self._show_threshold(threshold)
        for control, value in (
            (self.holes, _place(post.fill_holes)),
            (self.islands, _place(post.remove_islands)),
        ):
            _quietly(control, control.setValue, value)
        _quietly(self.keep_marked, self.keep_marked.setChecked, post.keep_marked)
        self._show_numbers()

    # -- policy -----------------------------------------------------------------------------------------------------

    def policy(self) -> AcceptPolicy:
        """What an accepted object may write over.

        Raises
        ------
        PromptError
            If the labels to protect cannot be read.
        """
        kind = self.policies.currentData()
        protected = read_labels(self.protected.text()) if kind == "protect" else frozenset()
        return AcceptPolicy(kind, protected, self.keep_painted.isChecked())

    # -- inside -------------------------------------------------------------------------------------------------------

    def _show_threshold(self, threshold: float | None) -> None:
        self._moved = threshold is not None
        value = threshold if threshold is not None else getattr(self._spec, "threshold", 0.5)
        _quietly(self.slider, self.slider.setValue, round(100 * value))
        self._show_numbers()

    def _on_threshold(self, _: int) -> None:
        self._moved = True
        self._on_size()

    def _on_size(self, _: int = 0) -> None:
        self._show_numbers()
        self._timer.start()

    def _on_policy(self, _: int) -> None:
        self.protected.setVisible(self.policies.currentData() == "protect")
        self.policy_changed.emit()

    def _show_numbers(self) -> None:
        self._number.setText(f"{self.slider.value() / 100:.2f}")
        self._holes_size.setText(_size(_SIZES[self.holes.value()]))
        self._islands_size.setText(_size(_SIZES[self.islands.value()]))


def read_labels(text: str) -> frozenset[int]:
    """Labels written as ``"1, 4-7"``.

    Raises
    ------
    PromptError
        If that cannot be read.
    """
    labels: set[int] = set()
    for part in filter(None, re.split(r"[,;\s]+", text.strip())):
        match = re.fullmatch(r"(\d+)(?:[-–](\d+))?", part)
        if match is None or int(match[2] or match[1]) - int(match[1]) > 100_000:
            raise PromptError(f"'{part}' is no label; write labels to protect like 1, 4-7.")
        labels.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(labels)


def _slider(rows: QGridLayout, title: str, span: tuple[int, int], tip: str) -> tuple[QSlider, QLabel]:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(*span)
    slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    slider.setToolTip(tip)
    number = QLabel()
    number.setMinimumWidth(number.fontMetrics().horizontalAdvance("16k px"))
    number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    row = rows.rowCount()
    rows.addWidget(QLabel(title), row, 0)
    rows.addWidget(slider, row, 1)
    rows.addWidget(number, row, 2)
    return slider, number


def _size(pixels: float) -> str:
    if not pixels:
        return "off"
    if math.isinf(pixels):
        return "all"
    return f"{pixels:.0f} px" if pixels < 1024 else f"{pixels / 1024:.0f}k px"


def _place(pixels: float) -> int:
    return next((place for place, size in enumerate(_SIZES) if size >= pixels), len(_SIZES) - 1)


def _quietly(control: Any, setter: Any, value: Any) -> None:
    control.blockSignals(True)
    setter(value)
    control.blockSignals(False)
