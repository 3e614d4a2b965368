"""Choice of model and device."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog

from ..models.registry import EMBEDDED, entries

DEVICES = {"Automatic": "auto", "Processor (CPU)": "cpu", "Nvidia or AMD GPU": "cuda", "Apple GPU": "mps"}

_FILE = "From a file…"


class ModelBox(QObject):
    """Two combo boxes, ``models`` and ``devices``, and one signal.

    Signals
    -------
    chosen(source, device)
        The user has chosen a model, by name or by file, or a device.
    """

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.models = QComboBox()
        self.devices = QComboBox()
        for combo in (self.models, self.devices):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(8)
        for name, tip in _choices():
            self._append(name, name, tip)
        self._append(_FILE, None, "Weights on this computer: published DEXTR (.pth) or our own (.safetensors)")
        for title, device in DEVICES.items():
            self.devices.addItem(title, device)
        self._last = 0
        self.models.activated.connect(self._on_model)
        self.devices.currentIndexChanged.connect(lambda _: self.announce())

    @property
    def source(self) -> str:
        """Name or path of the chosen model."""
        return str(self.models.itemData(self._last))

    def announce(self) -> None:
        """Emit `chosen` with what is chosen now."""
        self.chosen.emit(self.source, str(self.devices.currentData()))

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
            self.models.insertItem(index, path.replace("\\", "/").rsplit("/", 1)[-1], path)
            self.models.setItemData(index, path, 3)
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
