"""Choice of model and device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox

from napari_dextr.models.catalogue import BUILT_IN
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.own import keep_model, models_folder, own_models, remove_model, rename_model
from napari_dextr.models.registry import entries
from napari_dextr.models.spec import ModelSpec
from napari_dextr.widgets import model_box
from napari_dextr.widgets.model_box import ModelBox

FACTS = {"started_from": "embedded", "objects": 23, "images": 4, "validation": {"before": 0.71, "after": 0.86}}
LINE = "Started from embedded, 23 objects of 4 images, 0.71 → 0.86 on held-out objects"


@pytest.fixture
def box(qtbot: Any) -> ModelBox:
    made = ModelBox()
    qtbot.addWidget(made.models)
    qtbot.addWidget(made.devices)
    return made


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(model_box, "show_warning", said.append)
    return said


def own(name: str, seconds: int = 0) -> Path:
    """A model in the library, as far as a list sees it: a header."""
    models_folder().mkdir(parents=True, exist_ok=True)
    path = models_folder() / f"{name}.safetensors"
    # not without a tensor: safetensors 0.4 then writes a broken header
    write_checkpoint(path, torch.nn.Linear(1, 1), ModelSpec(name, "compact", provenance=FACTS))
    os.utime(path, (1e9 + seconds, 1e9 + seconds))
    return path


def lines(box: ModelBox) -> list[str]:
    """What the list shows; a separator is empty."""
    return [box.models.itemText(index) for index in range(box.models.count())]


def pick(box: ModelBox, title: str) -> None:
    """What a user's choice from the open list does."""
    index = box.models.findText(title)
    assert index >= 0
    box.models.setCurrentIndex(index)
    box.models.activated.emit(index)


def test_lists_the_embedded_model_first_and_every_entry(box: ModelBox) -> None:
    sources = [box.models.itemData(index) for index in range(box.models.count())]
    assert sources[0] == "embedded"
    assert {entry.name for entry in entries()} <= set(sources)
    assert len(set(sources)) == len(sources)
    tips = [str(box.models.itemData(index, 3)) for index in range(box.models.count())]
    assert any("MB" in tip for tip in tips)


def test_announces_model_and_device(qtbot: Any, box: ModelBox) -> None:
    with qtbot.waitSignal(box.chosen) as chosen:
        box.announce()
    assert chosen.args == ["embedded", "auto"]
    with qtbot.waitSignal(box.chosen) as chosen:
        box.devices.setCurrentIndex(1)
    assert chosen.args == ["embedded", "cpu"]
    with qtbot.waitSignal(box.chosen) as chosen:
        box.models.activated.emit(1)
    assert chosen.args == [box.models.itemData(1), "cpu"]


def test_choosing_the_same_again_says_nothing(qtbot: Any, box: ModelBox) -> None:
    with qtbot.assertNotEmitted(box.chosen):
        box.models.activated.emit(0)
        box.choose("embedded")


def test_a_file(qtbot: Any, box: ModelBox, monkeypatch: pytest.MonkeyPatch) -> None:
    last = box.models.count() - 1
    monkeypatch.setattr(model_box.QFileDialog, "getOpenFileName", lambda *_: ("/data/mine.safetensors", ""))
    with qtbot.waitSignal(box.chosen) as chosen:
        box.models.activated.emit(last)
    assert chosen.args == ["/data/mine.safetensors", "auto"]
    assert box.models.currentText() == "mine.safetensors"
    pick(box, "embedded")
    own("cells")
    box.reload()
    assert lines(box)[-2:] == ["mine.safetensors", "From a file…"]  # it stays in the list


def test_a_cancelled_file_dialog_changes_nothing(qtbot: Any, box: ModelBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_box.QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    with qtbot.assertNotEmitted(box.chosen):
        box.models.activated.emit(box.models.count() - 1)
    assert box.source == "embedded"
    assert box.models.currentIndex() == 0


def test_shows_what_is_in_use_without_a_word(qtbot: Any, box: ModelBox) -> None:
    with qtbot.assertNotEmitted(box.chosen):
        box.show_choice("/data/mine.safetensors", "cpu")
    assert (box.source, box.models.currentText()) == ("/data/mine.safetensors", "mine.safetensors")
    assert box.devices.currentData() == "cpu"


def test_own_models_stand_under_a_line_of_their_own_with_their_story(box: ModelBox) -> None:
    own("cells", 1)
    own("nuclei", 2)
    box.reload()
    assert lines(box) == [*BUILT_IN, "", "nuclei", "cells", "", "From a file…"]
    assert box.models.itemData(box.models.findText("cells"), 3) == f"cells\n{LINE}"
    pick(box, "cells")
    assert box.models.toolTip() == f"cells\n{LINE}"  # of the chosen one, while the list is closed


def test_a_purpose_goes_before_the_story(qtbot: Any) -> None:
    own("cells")
    box = ModelBox("cells", purpose="The model that learns")
    qtbot.addWidget(box.models)
    assert box.models.toolTip() == f"The model that learns\ncells\n{LINE}"


def test_the_list_is_read_again_when_it_opens(qtbot: Any, box: ModelBox) -> None:
    own("cells")
    box.models.show()
    QTest.keyClick(box.models, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)  # opens it, as the mouse does
    assert "cells" in lines(box)
    box.models.hidePopup()


def test_reloading_changes_no_choice_and_announces_nothing(qtbot: Any, box: ModelBox) -> None:
    own("cells")
    box.choose("cells")
    own("newer", 9)
    with qtbot.assertNotEmitted(box.chosen):
        box.reload()
    assert (box.source, box.models.currentText()) == ("cells", "cells")


def test_an_unchanged_list_is_not_rebuilt(box: ModelBox, monkeypatch: pytest.MonkeyPatch) -> None:
    own("cells")
    box.reload()
    monkeypatch.setattr(QComboBox, "clear", lambda _: pytest.fail("rebuilt"))
    box.reload()


def test_a_renamed_choice_is_followed(qtbot: Any, box: ModelBox) -> None:
    own("cells")
    box.choose("cells")
    rename_model("cells", "nuclei")
    with qtbot.assertNotEmitted(box.chosen):  # it is the same model
        box.reload()
    assert (box.source, box.models.currentText()) == ("nuclei", "nuclei")
    assert lines(box).count("") == 2
    with qtbot.waitSignal(box.chosen) as chosen:
        box.devices.setCurrentIndex(1)
    assert chosen.args == ["nuclei", "cpu"]


def test_a_removed_choice_stays_until_another_is_made(qtbot: Any, box: ModelBox) -> None:
    own("cells")
    box.choose("cells")
    remove_model("cells")
    with qtbot.assertNotEmitted(box.chosen):
        box.reload()
    assert (box.source, box.models.currentText()) == ("cells", "cells (removed)")
    assert "choose another" in box.models.toolTip()
    pick(box, "embedded")
    assert lines(box) == [*BUILT_IN, "From a file…"]


def test_choosing_what_has_just_gone_is_answered_and_changes_nothing(
    qtbot: Any, box: ModelBox, warnings: list[str]
) -> None:
    """A wheel or an arrow key chooses without opening the list, which may be old by then."""
    own("cells")
    box.reload()
    remove_model("cells")
    with qtbot.assertNotEmitted(box.chosen):
        pick(box, "cells")
    assert warnings == ["The model 'cells' is no longer there; 'embedded' stays in use."]
    assert (box.source, box.models.currentIndex()) == ("embedded", 0)
    assert "cells" not in lines(box)


def test_choosing_by_an_old_name_finds_the_new_one(qtbot: Any, box: ModelBox, warnings: list[str]) -> None:
    own("cells")
    box.reload()
    rename_model("cells", "nuclei")
    with qtbot.waitSignal(box.chosen) as chosen:
        pick(box, "cells")
    assert chosen.args == ["nuclei", "auto"]
    assert warnings == []


def test_another_model_of_the_same_name_is_another_choice(qtbot: Any, box: ModelBox) -> None:
    own("cells")
    box.choose("cells")
    remove_model("cells")
    own("cells", 5)
    box.reload()
    assert box.models.currentText() == "cells"
    with qtbot.waitSignal(box.chosen) as chosen:
        pick(box, "cells")
    assert chosen.args == ["cells", "auto"]
    with qtbot.assertNotEmitted(box.chosen):
        pick(box, "cells")


def test_a_preferred_model_that_is_not_there_is_shown_as_it_is_called(qtbot: Any) -> None:
    box = ModelBox("gone")
    qtbot.addWidget(box.models)
    assert (box.source, box.models.currentText()) == ("gone", "gone")
    blank = ModelBox(" ")
    qtbot.addWidget(blank.models)
    assert blank.source == "embedded"


def test_what_is_kept_elsewhere_has_the_name_it_got(box: ModelBox, tmp_path: Path) -> None:
    """With a real model: the list shows exactly what the library gives."""
    from napari_dextr.models.compact import CompactNet

    options = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1]}
    run = write_checkpoint(tmp_path / "best.safetensors", CompactNet(**options), ModelSpec("run", "compact", options))
    keep_model(run)
    keep_model(run)
    box.reload()
    assert {"run", "run 2"} == {model.name for model in own_models()} <= set(lines(box))


def test_a_model_that_could_not_be_had_can_be_tried_again(qtbot: Any, box: ModelBox) -> None:
    name = "dextr-coco"
    box.choose(name)
    with qtbot.assertNotEmitted(box.chosen):
        pick(box, name)
    box.forget_use()
    with qtbot.waitSignal(box.chosen) as chosen:
        pick(box, name)
    assert chosen.args == [name, "auto"]
