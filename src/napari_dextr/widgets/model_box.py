"""Choice of model and device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog

from ..models.catalogue import EMBEDDED, ModelEntry
from ..models.own import own_models
from ..models.registry import entries
from .elided import ElidedCombo
from .model_client import short_name

DEVICES = {"Automatic": "auto", "Processor (CPU)": "cpu", "Nvidia or AMD GPU": "cuda", "Apple GPU": "mps"}

_FILE = "From a file…"
_TIP = Qt.ItemDataRole.ToolTipRole

Stamp = tuple[int, int, int]
"""Of a model's file: `napari_dextr.models.own.OwnModel.stamp`."""


class ModelBox(QObject):
    """Two combo boxes, ``models`` and ``devices``, and one signal.

    The list is read again whenever it opens: models are also kept, renamed and removed elsewhere.

    Parameters
    ----------
    source : str
        Name or path of the model that is chosen at first.
    device : str
        One of the values of `DEVICES`.
    purpose : str
        What the model is for, as the first line of the list's tooltip.

    Signals
    -------
    chosen(source, device)
        The user has chosen a model, by name or by file, or a device.
    """

    chosen = Signal(str, str)

    def __init__(self, source: str = EMBEDDED, device: str = "auto", *, purpose: str = "") -> None:
        super().__init__()
        self.models = _OpeningCombo()
        self.devices = QComboBox()
        for combo in (self.models, self.devices):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(8)
        for title, name in DEVICES.items():
            self.devices.addItem(title, name)
        self._source = source if source.strip() else EMBEDDED
        self._purpose = purpose
        self._others: list[str] = []  # what was chosen and is in no list: files, and a model that has gone
        self._stamps: dict[str, Stamp] = {}  # of all own models that were ever seen here, by name
        self._rows: list[_Row] = []
        self.reload()
        self._in_use: tuple[str, Stamp | None] | None = self._chosen
        self.devices.setCurrentIndex(max(0, self.devices.findData(device)))
        self.models.opening.connect(self.reload)
        self.models.activated.connect(self._on_model)
        self.devices.currentIndexChanged.connect(lambda _: self.announce())

    @property
    def source(self) -> str:
        """Name or path of the chosen model."""
        return self._source

    @property
    def _chosen(self) -> tuple[str, Stamp | None]:
        return self._source, self._stamps.get(self._source)

    def announce(self) -> None:
        """Emit `chosen` with what is chosen now."""
        self._in_use = self._chosen
        self.chosen.emit(self.source, str(self.devices.currentData()))

    def choose(self, source: str) -> None:
        """Choose a model, by name or path, as the user would."""
        self._source = source
        self.reload()
        if self._chosen != self._in_use:  # also where another model has the name now
            self.announce()

    def show_choice(self, source: str, device: str) -> None:
        """Show what is in use, without a word."""
        self._source = source
        self.reload()
        self._in_use = self._chosen
        self.devices.blockSignals(True)
        self.devices.setCurrentIndex(max(0, self.devices.findData(device)))
        self.devices.blockSignals(False)

    def forget_use(self) -> None:
        """The model could not be had: choosing it again is another try."""
        self._in_use = None

    def reload(self) -> None:
        """Look again which models there are. The choice stays, also where it has another name by now, or has gone."""
        known, stamps = entries(), _stamps()
        self._source = self._now_called(self._source, stamps)
        self._stamps |= stamps
        names = {EMBEDDED, *(entry.name for entry in known)}
        others = dict.fromkeys((*self._others, self._source))
        self._others = [
            other for other in others if other not in names and (other == self._source or short_name(other) != other)
        ]
        rows = _rows(known, self._others, self._stamps.keys())
        if rows != self._rows:
            self._rows = rows
            self._write()
        place = max(0, self.models.findData(self._source))
        self.models.setCurrentIndex(place)
        self.models.setToolTip("\n".join(line for line in (self._purpose, rows[place].tip) if line))

    def _now_called(self, source: str, stamps: dict[str, Stamp]) -> str:
        """The name that a model has by now, told by its file; the same where nothing is known of another."""
        stamp = self._stamps.get(source)
        if stamp is None or source in stamps:
            return source
        return next((name for name, other in stamps.items() if other == stamp), source)

    def _write(self) -> None:
        self.models.hidePopup()
        self.models.clear()
        for row in self._rows:
            if row.title:
                self.models.addItem(row.title, row.source)
                self.models.setItemData(self.models.count() - 1, row.tip, _TIP)
            else:
                self.models.insertSeparator(self.models.count())

    def _on_model(self, index: int) -> None:
        source = self.models.itemData(index)
        if source is None:
            source, _ = QFileDialog.getOpenFileName(
                self.models, "Weights of a model", "", "Weights (*.safetensors *.pth *.pt);;All files (*)"
            )
        elif source != self._source and self._has_gone(source):
            show_warning(f"The model '{source}' is no longer there; '{short_name(self._source)}' stays in use.")
            source = ""
        self.choose(source or self._source)

    def _has_gone(self, source: str) -> bool:
        """Whether it was one of the user's own models, and there is none of that name, nor its file under another."""
        stamps = _stamps()
        return source in self._stamps and self._now_called(source, stamps) not in stamps


def _stamps() -> dict[str, Stamp]:
    return {model.name: model.stamp for model in own_models()}


class _OpeningCombo(ElidedCombo):
    """Says so before its list opens."""

    opening = Signal()

    def showPopup(self) -> None:
        self.opening.emit()
        super().showPopup()


@dataclass(frozen=True)
class _Row:
    """A line of the list; without a title, a separator. Without a source, the way to a file."""

    title: str = ""
    source: str | None = None
    tip: str = ""


def _rows(known: tuple[ModelEntry, ...], others: list[str], owned: Collection[str]) -> list[_Row]:
    """The whole list; the embedded model first, even where its weights are missing (it says so when used)."""
    tips = {EMBEDDED: "Small network that comes with the plugin"}
    for entry in known:
        if not entry.own:
            tips[entry.name] = entry.title
            if entry.url:
                tips[entry.name] += f"; downloaded once ({entry.size / 1e6:.0f} MB)"
    rows = [_Row(name, name, tip) for name, tip in tips.items()]
    own = [_Row(entry.name, entry.name, f"{entry.name}\n{entry.title}") for entry in known if entry.own]
    if own:
        rows += [_Row(), *own, _Row()]
    for other in others:
        if other in owned:
            rows.append(_Row(f"{other} (removed)", other, "No longer among your models; choose another when you like"))
        else:
            rows.append(_Row(short_name(other), other, other))
    rows.append(_Row(_FILE, None, "Weights on this computer: published DEXTR (.pth) or our own (.safetensors)"))
    return rows
