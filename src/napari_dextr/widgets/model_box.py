"""Choice of model and device."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog

from ..models.registry import EMBEDDED, entries

DEVICES = {"Automatic": "auto", "Processor (CPU)": "cpu", "Nvidia or AMD GPU": "cuda", "Apple GPU": "mps"}

_FILE = "From a file…"


class ModelBox(QObject):
    """Two combo boxes, ``models`` and ``devices``, and one signal.

    Parameters
    ----------
    source : str
        Name or path of the model that is chosen at first.
    device : str
        One of the values of `DEVICES`.

    Signals
    -------
    chosen(source, device)
        The user has chosen a model, by name or by file, or a device.
    """

    chosen = Signal(str, str)

    def __init__(self, source: str = EMBEDDED, device: str = "auto") -> None:
        super().__init__()
        self.models = QComboBox()
        self.devices = QComboBox()
        for combo in (self.models, self.devices):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(8)
        for name, tip in _choices():
            self._append(name, name, tip)
        self._append(_FILE, None, "Weights on this computer: published DEXTR (.pth) or our own (.safetensors)")
        for title, name in DEVICES.items():
            self.devices.addItem(title, name)
        self._last = self._place_of(source)
        self.models.setCurrentIndex(self._last)
        self.devices.setCurrentIndex(max(0, self.devices.findData(device)))
        self.models.activated.connect(self._on_model)
        self.devices.currentIndexChanged.connect(lambda _: self.announce())

    @property
    def source(self) -> str:
        """Name or path of the chosen model."""
        return str(self.models.itemData(self._last))

    def announce(self) -> None:
        """Emit `chosen` with what is chosen now."""
        self.chosen.emit(self.source, str(self.devices.currentData()))

    def show_choice(self, source: str, device: str) -> None:
        """Show what is in use, without a word."""
        self._last = self._place_of(source)
        self.models.setCurrentIndex(self._last)
        self.devices.blockSignals(True)
        self.devices.setCurrentIndex(max(0, self.devices.findData(device)))
        self.devices.blockSignals(False)

    def _place_of(self, source: str) -> int:
        """Where a model stands in the list, to which a file is added."""
        place = self.models.findData(source)
        if place < 0 and source.strip():
            place = self.models.count() - 1
            self._insert(place, source)
        return max(place, 0)

    def _insert(self, place: int, path: str) -> None:
        self.models.insertItem(place, path.replace("\\", "/").rsplit("/", 1)[-1], path)
        self.models.setItemData(place, path, 3)

    def _append(self, title: str, source: str | None, tip: str) -> None:
        self.models.addItem(title, source)
        self.models.setItemData(self.models.count() - 1, tip, 3)  # Qt.ToolTipRole

    def _on_model(self, index: int) -> None:
        if self.models.itemData(index) is None:
            path, _ = QFileDialog.getOpenFileName(
                self.models, "Weights of a model", "", "Weights (*.safetensors *.pth *.pt);;All files (*)"
            )
            if not path:
                self.models.setCurrentIndex(self._last)
                return
            self._insert(index, path)
            self.models.setCurrentIndex(index)
        if index != self._last or self.models.itemData(index) != self.source:
            self._last = index
            self.announce()


def _choices() -> list[tuple[str, str]]:
    """Names and explanations; the embedded model first, even where its weights are missing (it says so when used)."""
    known = {entry.name: entry.title for entry in entries()}
    tips = {EMBEDDED: "Small network that comes with the plugin", **known}
    for entry in entries():
        if entry.url:
            tips[entry.name] += f"; downloaded once ({entry.size / 1e6:.0f} MB)"
    return list(tips.items())
