"""Where and how an export is written: file, formats, masks, images. A part of the Export COCO widget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
)

FORMATS = {
    "coco": ("COCO", "One JSON file with masks, classes and marks; this plugin reads it back"),
    "semantic": ("Semantic PNG", "One picture for each image: the number of the class in each pixel"),
    "instances": ("Instance TIFF", "One picture for each image: the number of the object in each pixel"),
    "yolo": ("YOLO-seg", "One text file of outlines for each image, and data.yaml"),
}
"""Title and explanation of each of `napari_dextr.label_formats.FORMATS`."""

SEGMENTATIONS = {
    "Automatic": "auto",
    "Run lengths (RLE)": "rle",
    "Polygons only": "polygons",
}


class ExportForm(QGroupBox):
    """Everything but layers and classes.

    Signals
    -------
    changed
        The user has chosen something else.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Where and how")
        self.file = QLineEdit()
        self.file.setPlaceholderText("annotations.json")
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip("Choose a file")
        self.formats = {name: _check(title, tip, on=name == "coco") for name, (title, tip) in FORMATS.items()}
        self.segmentation = _combo(
            SEGMENTATIONS,
            "How COCO writes masks. Automatic: polygons where they are exact, else RLE",
        )
        self.images = _combo(
            {"Write missing": True, "Name only": False},
            "Images in the folder of the file are referred to. Others are written as PNG into 'images' beside the file",
        )
        self.existing = _combo(
            {"Merge into it": False, "Replace it": True},
            "Merging leaves the entries of others alone. Either way the file as it was is kept with the ending .bak",
        )
        self.empty = _check(
            "Planes without objects too",
            "Images in which there is nothing to find. Without them, a stack comes back with black planes",
        )
        self._lay_out()
        self.browse.clicked.connect(self._browse)
        self.file.textChanged.connect(self._on_changed)
        for box in (*self.formats.values(), self.empty):
            box.toggled.connect(self._on_changed)
        for combo in (self.segmentation, self.images, self.existing):
            combo.activated.connect(self._on_changed)
        self._on_changed()

    @property
    def path(self) -> Path | None:
        """The annotation file; ``.json`` is added where it is missing."""
        text = self.file.text().strip()
        if not text:
            return None
        path = Path(text).expanduser()
        return path if path.suffix.lower() == ".json" else path.with_name(f"{path.name}.json")

    def choices(self) -> dict[str, Any]:
        """Everything that is chosen here, as arguments of `napari_dextr.widgets.export_job.ExportPlan`."""
        return {
            "path": self.path,
            "formats": tuple(name for name, box in self.formats.items() if box.isChecked()),
            "segmentation": str(self.segmentation.currentData()),
            "write_images": bool(self.images.currentData()),
            "replace": bool(self.existing.currentData()),
            "with_empty": self.empty.isChecked(),
        }

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        line = QHBoxLayout()
        line.addWidget(self.file, 1)
        line.addWidget(self.browse)
        form.addRow("File", line)
        ticks = QGridLayout()
        for number, box in enumerate(self.formats.values()):
            ticks.addWidget(box, number // 2, number % 2)
        form.addRow(ticks)
        form.addRow("Masks", self.segmentation)
        form.addRow("Images", self.images)
        form.addRow("If it exists", self.existing)
        form.addRow(self.empty)

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Write annotations to",
            self.file.text(),
            "COCO (*.json)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if path:
            self.file.setText(path)

    def _on_changed(self, _: Any = None) -> None:
        self.existing.setEnabled(self.path is not None and self.path.is_file())
        self.segmentation.setEnabled(self.formats["coco"].isChecked())
        self.changed.emit()


def _check(text: str, tip: str, *, on: bool = False) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setChecked(on)
    return box


def _combo(entries: dict[str, Any], tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    combo.setToolTip(tip)
    for title, value in entries.items():
        combo.addItem(title, value)
    return combo
