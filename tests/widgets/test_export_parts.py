"""Parts of the Export COCO widget."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox

from napari_dextr.napari_io.export_counts import Counts, Doubt
from napari_dextr.objects import ObjectClass
from napari_dextr.widgets.export_parts import ClassTable, CountsPanel, LayerPairs, MessagePanel

EGG, MITE = ObjectClass(1, "egg", "#e69f00"), ObjectClass(4, "mite", "#56b4e9")


def test_labels_come_with_their_image_and_a_tick(qtbot: Any) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((8, 8)), name="below")
    labels = viewer.add_labels(np.zeros((8, 8), int))
    other = viewer.add_labels(np.zeros((3, 3), int))
    pairs = LayerPairs(viewer)
    qtbot.addWidget(pairs)
    assert pairs.pairs() == [(labels, image), (other, None)]
    heard: list[bool] = []
    pairs.changed.connect(lambda: heard.append(True))
    _, tick, box, images = pairs._rows[0]
    assert [box.itemText(place) for place in range(box.count())] == ["below", "no image"]
    pairs._rows[1][1].setChecked(False)
    box.activated.emit(images.index(None))
    assert len(heard) == 2
    pairs.refresh()  # choices stay
    assert pairs.pairs() == [(labels, None)]
    tick.setChecked(False)


def test_the_preview_of_annotate_is_not_listed(qtbot: Any) -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.zeros((8, 8), int), name="DEXTR preview").editable = False
    pairs = LayerPairs(viewer)
    qtbot.addWidget(pairs)
    assert pairs.pairs() == []
    assert not pairs.findChildren(QCheckBox)


def test_class_names_can_be_changed(qtbot: Any) -> None:
    table = ClassTable()
    qtbot.addWidget(table)
    table.show_classes([EGG, MITE])
    table.item(0, 0).setText("  ovum ")
    table.item(1, 0).setText("")
    assert table.names() == {1: "ovum", 4: "mite"}
    table.show_classes([EGG, MITE, ObjectClass(5, "larva", "#123456")])
    assert table.names() == {1: "ovum", 4: "mite", 5: "larva"}
    table.show_classes([ObjectClass(1, "ovum", "#e69f00")])  # the layer has got the new name
    assert table.names() == {1: "ovum"}


def test_counts_stand_beside_the_names(qtbot: Any) -> None:
    table = ClassTable()
    qtbot.addWidget(table)
    table.show_classes([EGG, MITE])
    table.show_counts(Counter(egg=1200))
    assert [table.item(row, 1).text() for row in range(2)] == ["1,200", "0"]
    table.show_counts(None)
    assert table.item(0, 1).text() == ""


def test_counts_and_doubts_are_sentences(qtbot: Any) -> None:
    panel = CountsPanel()
    qtbot.addWidget(panel)
    counts = Counts(objects=1, _seen={(0, (z,)) for z in range(3)}, _filled={(0, (1,))})
    panel.show_counts(counts, False)
    assert panel.text() == "<b>1 object</b> on 1 plane of 3 so far …"
    counts.tiny, counts.first["tiny"] = 2, Doubt("mine", (0,), 7, "only 4 pixels")
    panel.show_counts(counts, True)
    assert "so far" not in panel.text()
    assert 'href="tiny"' in panel.text()
    assert "2 tiny: e.g." in panel.text()
    assert "label 7" in panel.text()


def test_messages_have_a_kind(qtbot: Any) -> None:
    panel = MessagePanel()
    qtbot.addWidget(panel)
    panel.say("The disk is full.", "error")
    assert panel.text.text() == "⚠ The disk is full."
    assert panel.text.font().bold()
    panel.say("Ready.")
    assert (panel.kind, panel.text.text(), panel.text.font().bold()) == ("hint", "Ready.", False)


def test_what_there_is_to_know_besides_is_in_the_tooltip(qtbot: Any) -> None:
    panel = MessagePanel()
    qtbot.addWidget(panel)
    panel.say("Look.", "warning", ["a < b", "c"])
    assert panel.toolTip() == "<p>a &lt; b</p><p>c</p>"
    panel.say("Ready.")
    assert panel.toolTip() == ""
