"""Where and how an export is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_dextr.label_formats import FORMATS as KNOWN
from napari_dextr.widgets import export_form
from napari_dextr.widgets.export_form import FORMATS, ExportForm


@pytest.fixture
def form(qtbot: Any) -> ExportForm:
    widget = ExportForm()
    qtbot.addWidget(widget)
    return widget


def test_every_format_is_offered_and_coco_is_chosen(form: ExportForm) -> None:
    assert tuple(FORMATS) == KNOWN
    assert form.choices() == {
        "path": None,
        "formats": ("coco",),
        "segmentation": "auto",
        "write_images": True,
        "replace": False,
        "with_empty": False,
    }


def test_choices_follow_the_widgets(form: ExportForm, tmp_path: Path, qtbot: Any) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert not form.existing.isEnabled()
    with qtbot.waitSignal(form.changed):
        form.file.setText(str(tmp_path / "a"))
    assert form.existing.isEnabled()
    form.formats["yolo"].setChecked(True)
    form.formats["coco"].setChecked(False)
    assert not form.segmentation.isEnabled()
    for combo, place in ((form.segmentation, 1), (form.images, 1), (form.existing, 1)):
        combo.setCurrentIndex(place)
    form.empty.setChecked(True)
    assert form.choices() == {
        "path": tmp_path / "a.json",
        "formats": ("yolo",),
        "segmentation": "rle",
        "write_images": False,
        "replace": True,
        "with_empty": True,
    }


def test_browsing(form: ExportForm, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["/somewhere/b.json", ""]
    monkeypatch.setattr(
        export_form.QFileDialog, "getSaveFileName", lambda *args, **options: (answers.pop(0), "COCO (*.json)")
    )
    form.browse.click()
    form.browse.click()
    assert form.path == Path("/somewhere/b.json")
