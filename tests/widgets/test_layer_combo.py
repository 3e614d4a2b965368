"""A combo box of layers that keeps layers, not names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import Qt

from napari_dextr.widgets.layer_combo import LayerCombo


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def combo(qtbot: Any, viewer: ViewerModel, **options: Any) -> tuple[LayerCombo, list[Any]]:
    box = LayerCombo(viewer, lambda layer: isinstance(layer, Image), **options)
    qtbot.addWidget(box)
    chosen: list[Any] = []
    box.chosen.connect(chosen.append)
    return box, chosen


def texts(box: LayerCombo) -> list[str]:
    return [box.itemText(index) for index in range(box.count())]


def test_lists_fitting_layers_topmost_first(qtbot: Any, viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((4, 4)), name="a")
    viewer.add_labels(np.zeros((4, 4), int))
    viewer.add_image(np.zeros((4, 4)), name="b")
    box, _ = combo(qtbot, viewer)
    assert texts(box) == ["b", "a"]


def test_the_first_layer_is_chosen_and_later_ones_do_not_take_over(qtbot: Any, viewer: ViewerModel) -> None:
    box, chosen = combo(qtbot, viewer)
    assert box.layer is None
    first = viewer.add_image(np.zeros((4, 4)))
    viewer.add_image(np.zeros((4, 4)))
    assert chosen == [first]
    assert box.layer is first


def test_renaming_and_reordering_keep_the_choice(qtbot: Any, viewer: ViewerModel) -> None:
    first = viewer.add_image(np.zeros((4, 4)), name="a")
    viewer.add_image(np.zeros((4, 4)), name="b")
    box, chosen = combo(qtbot, viewer)
    box.layer = first
    first.name = "renamed"
    viewer.layers.move(0, 2)
    assert texts(box) == ["renamed", "b"]
    assert box.layer is first
    assert chosen == [first]


def test_a_removed_choice_is_replaced(qtbot: Any, viewer: ViewerModel) -> None:
    first, second = viewer.add_image(np.zeros((4, 4))), viewer.add_image(np.zeros((4, 4)))
    box, chosen = combo(qtbot, viewer)
    assert box.layer is second
    viewer.layers.remove(second)
    viewer.layers.remove(first)
    assert chosen == [first, None]


def test_none_entry(qtbot: Any, viewer: ViewerModel) -> None:
    layer = viewer.add_image(np.zeros((4, 4)), name="a")
    box, chosen = combo(qtbot, viewer, none="new")
    assert texts(box) == ["new", "a"]
    assert box.layer is None
    box.layer = layer
    viewer.layers.remove(layer)
    assert chosen == [layer, None]


def test_only_the_user_picks(qtbot: Any, viewer: ViewerModel) -> None:
    first, second = viewer.add_image(np.zeros((4, 4))), viewer.add_image(np.zeros((4, 4)))
    box, chosen = combo(qtbot, viewer)
    picked: list[Any] = []
    box.picked.connect(picked.append)
    viewer.layers.remove(second)
    assert (chosen, picked) == ([first], [])
    third = viewer.add_image(np.zeros((4, 4)))
    box.setCurrentIndex(0)
    assert picked == [third]


def test_what_is_accepted_by_now_can_be_shown(qtbot: Any, viewer: ViewerModel) -> None:
    wide = viewer.add_image(np.zeros((4, 4)))
    deep = viewer.add_image(np.zeros((2, 4, 4)))
    axes = [2]
    box = LayerCombo(viewer, lambda layer: layer.ndim == axes[0])
    qtbot.addWidget(box)
    assert box.layer is wide
    axes[0] = 3
    box.layer = deep
    assert box.layer is deep


def test_works_with_napari_proxies(qtbot: Any, viewer: ViewerModel) -> None:
    proxies = pytest.importorskip("napari.utils._proxies")
    layer = viewer.add_image(np.zeros((4, 4)))
    proxy = proxies.PublicOnlyProxy(viewer)
    box, _ = combo(qtbot, proxy)
    assert box.layer is layer
    box.layer = proxy.layers[0]
    assert box.layer is layer


def test_release_stops_following(qtbot: Any, viewer: ViewerModel) -> None:
    box, chosen = combo(qtbot, viewer)
    box.release()
    viewer.add_image(np.zeros((4, 4)))
    assert chosen == []


def test_long_names_are_cut_in_the_middle_and_told_in_full(qtbot: Any, viewer: ViewerModel) -> None:
    names = [f"2026-11-30 embryo {number}, 63x oil, DAPI, deconvolved, position {number}" for number in (14, 15)]
    layers = [viewer.add_image(np.zeros((4, 4)), name=name) for name in names]
    box = LayerCombo(viewer, lambda layer: isinstance(layer, Image), "The image that is annotated")
    qtbot.addWidget(box)
    box.resize(180, 24)
    for layer, name in zip(layers, names, strict=True):
        box.layer = layer
        assert "…" in box.shown
        assert box.shown.endswith(name[-3:])
        assert box.toolTip() == f"{name}\nThe image that is annotated"
    assert [box.itemData(index, Qt.ItemDataRole.ToolTipRole) for index in range(2)] == names[::-1]
    assert box.view().textElideMode() == Qt.TextElideMode.ElideMiddle
    layers[1].name = "short"
    assert (box.shown, box.toolTip()) == ("short", "short\nThe image that is annotated")
    viewer.layers.clear()
    assert box.toolTip() == "The image that is annotated"
