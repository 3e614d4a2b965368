"""What a fine-tuning starts from and how it is done: base model, preset, name. A part of the Fine-tune widget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from ..training.config import FROZEN
from ..training.presets import DEFAULT, PRESETS
from .model_box import ModelBox
from .wrapped import WrappedLabel

CUSTOM = "custom"

_BASIS = "thorough"  # what custom settings start from
_AS_SUITS = 5  # per cent; the lowest of the box, which stands for no share of one's own
_CUSTOM_TITLE = "Custom"
_CUSTOM_TIP = "As thorough, with settings of your own."
_FROZEN_TITLES = dict(zip(FROZEN, ("Nothing", "Edges and textures", "Encoder", "All but the end"), strict=True))


@dataclass(frozen=True)
class Choices:
    """What is chosen in the form.

    Attributes
    ----------
    initial, device : str
        Model that is the start, by name or file; where to train.
    preset : str
        Name of a preset.
    settings : mapping
        Settings that differ from the preset's.
    hold_out : float or None
        Share of the objects that judge; None leaves it to the preset.
    any_angle : bool or None
        Whether objects are shown turned by any angle; None leaves it to the preset.
    name : str
        Of the new model; may be empty.
    """

    initial: str
    device: str
    preset: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    hold_out: float | None = None
    any_angle: bool | None = None
    name: str = ""


class CustomSettings(QWidget):
    """The few settings worth changing, each of which is used.

    Signals
    -------
    changed
        One of them.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        basis = PRESETS[_BASIS].settings
        self.steps = _spin(
            QSpinBox(), 5, 20_000, int(basis["steps"]), 20, "How often the model learns from a handful of objects"
        )
        self.rate = _spin(
            _RateBox(),
            1e-6,
            1e-2,
            float(basis["learning_rate"]),
            1e-4,
            "How far each step goes: too low learns nothing, too high forgets what the model could do",
        )
        self.batch = _spin(
            QSpinBox(), 1, 64, int(basis["batch"]), 1, "Objects of one step: more take more memory and time"
        )
        self.hold_out = _spin(
            QSpinBox(),
            _AS_SUITS,
            50,
            _AS_SUITS,
            5,
            "Share of the images, or of the one image's area, whose objects judge the model and do not teach it; "
            "as suits: few objects are dealt out and judge in turns",
        )
        self.hold_out.setSuffix(" %")
        self.hold_out.setSpecialValueText("as suits")
        self.anchor = _spin(
            QDoubleSpinBox(),
            0.0,
            1000.0,
            float(basis.get("anchor", 0.0)),
            10.0,
            "How strongly the model is held to what it was: 0 lets it go; higher keeps what it could do before",
        )
        self.turning = QComboBox()
        self.turning.addItem("By any angle", True)
        self.turning.addItem("Upright only", False)
        self.turning.setToolTip("By any angle, where up means nothing, as under a microscope; upright for photographs")
        self.frozen = QComboBox()
        for name in FROZEN:
            self.frozen.addItem(_FROZEN_TITLES[name], name)
        self.frozen.setCurrentIndex(max(0, self.frozen.findData(basis.get("frozen", FROZEN[0]))))
        self.frozen.setToolTip("Parts of the model that stay as they are: quicker, and less to learn from few objects")
        _narrow(self.turning)
        _narrow(self.frozen)
        form = _form(self)
        form.setContentsMargins(0, 0, 0, 0)
        for title, control in (
            ("Steps", self.steps),
            ("Learning rate", self.rate),
            ("Batch", self.batch),
            ("Held out", self.hold_out),
            ("Turned", self.turning),
            ("Frozen", self.frozen),
            ("Stay near start", self.anchor),
        ):
            form.addRow(_title(title), control)
        for box in (self.steps, self.rate, self.batch, self.hold_out, self.anchor):
            box.valueChanged.connect(lambda _: self.changed.emit())
        for combo in (self.turning, self.frozen):
            combo.activated.connect(lambda _: self.changed.emit())

    def share(self) -> float | None:
        """Share of the objects to hold out; None where their number decides."""
        value = int(self.hold_out.value())
        return None if value == _AS_SUITS else value / 100

    def settings(self) -> dict[str, Any]:
        """Settings of `napari_dextr.training.config.TrainConfig`."""
        basis, steps = PRESETS[_BASIS].settings, int(self.steps.value())
        every = round(steps * basis["validate_every"] / basis["steps"])
        return {
            "steps": steps,
            "learning_rate": float(self.rate.value()),
            "batch": int(self.batch.value()),
            "anchor": float(self.anchor.value()),
            "frozen": str(self.frozen.currentData()),
            "validate_every": min(max(every, 5), steps),
        }


class FineTuneForm(QGroupBox):
    """Everything but the objects.

    Signals
    -------
    changed
        The user has chosen something else.
    costs_changed
        ... on which the time that the training takes depends.
    """

    changed = Signal()
    costs_changed = Signal()

    def __init__(self, source: str, device: str) -> None:
        super().__init__("Model and training")
        self.models = ModelBox(source, device, purpose="The model that learns; it stays as it is, a new one is made.")
        self.presets = QComboBox()
        for preset in PRESETS.values():
            self.presets.addItem(preset.title.partition(" (")[0], preset.name)  # the time is told below
        self.presets.addItem(_CUSTOM_TITLE, CUSTOM)
        self.presets.setCurrentIndex(self.presets.findData(DEFAULT))
        _narrow(self.presets)
        self.explanation = WrappedLabel()
        self.custom = CustomSettings()
        self.name = QLineEdit()
        self.name.setToolTip("Name of the new model. A name that is taken gets a number: nothing is replaced")
        self._proposed = ""
        self._estimate: float | None = None
        form = _form(self)
        form.addRow(_title("Start from"), self.models.models)
        form.addRow("Training", self.presets)
        form.addRow(self.explanation)
        form.addRow(self.custom)
        form.addRow("Device", self.models.devices)
        form.addRow("New model", self.name)
        self.models.chosen.connect(lambda *_: self._on_costs())
        self.presets.currentIndexChanged.connect(lambda _: self._on_costs())
        self.custom.changed.connect(self._on_costs)
        self.name.textChanged.connect(lambda _: self.changed.emit())
        self._show()

    @property
    def preset(self) -> str:
        """Name of the chosen preset, or `CUSTOM`."""
        return str(self.presets.currentData())

    def choices(self) -> Choices:
        """Everything that is chosen here."""
        own = self.preset == CUSTOM
        return Choices(
            initial=self.models.source,
            device=str(self.models.devices.currentData()),
            preset=_BASIS if own else self.preset,
            settings=self.custom.settings() if own else {},
            hold_out=self.custom.share() if own else None,
            any_angle=bool(self.custom.turning.currentData()) if own else None,
            name=self.name.text().strip(),
        )

    def propose(self, name: str) -> None:
        """Fill in a name, unless the user has typed one."""
        if self.name.text().strip() in ("", self._proposed):
            self._proposed = name
            self.name.setText(name)
            self.name.setCursorPosition(0)  # the beginning of a long name says more than its end

    def show_estimate(self, seconds: float | None) -> None:
        """Say how long the training will take, seconds; None where that is not known."""
        self._estimate = seconds
        self._show()

    def _on_costs(self) -> None:
        self._estimate = None
        self._show()
        self.costs_changed.emit()
        self.changed.emit()

    def _show(self) -> None:
        own = self.preset == CUSTOM
        self.custom.setVisible(own)
        text = _CUSTOM_TIP if own else PRESETS[self.preset].explanation
        if self._estimate is not None:
            text += f" Here it takes about <b>{in_words(self._estimate)}</b>."
        self.explanation.setText(text)


class _RateBox(QDoubleSpinBox):
    """A small number, stepped by factors: what is far too much by adding is a little by multiplying."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(7)

    def textFromValue(self, value: float) -> str:
        return f"{value:.2g}"

    def stepBy(self, steps: int) -> None:
        self.setValue(float(f"{self.value() * 10 ** (steps / 6):.2g}"))


def in_words(seconds: float) -> str:
    """A time as a person would say it: "40 seconds", "3 minutes", "2.5 hours"."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} seconds"
    if seconds < 100 * 60:
        minutes = max(1, round(seconds / 60))
        return f"{minutes} minute{'s' * (minutes != 1)}"
    return f"{seconds / 3600:.1f} hours"


def _form(parent: QWidget) -> QFormLayout:
    form = QFormLayout(parent)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def _spin(box: Any, least: float, most: float, value: float, step: float, tip: str) -> Any:
    box.setRange(least, most)
    box.setSingleStep(step)
    box.setValue(value)
    box.setToolTip(tip)
    box.setMinimumWidth(60)  # napari's style asks for more than the dock has
    return box


def _narrow(combo: QComboBox) -> None:
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)


def _title(text: str) -> QLabel:
    """Name of a row, as broad as the broadest, so that the rows of both forms begin in one line."""
    label = QLabel(text)
    label.setMinimumWidth(label.fontMetrics().horizontalAdvance("Stay near start "))
    return label
