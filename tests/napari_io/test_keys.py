"""Keys are bound, respected where they are taken, and given back."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points

from napari_dextr.napari_io.keys import CLICK_KEYS, VIEWER_KEYS, KeyRing


def actions(pressed: list[str]) -> dict[str, object]:
    return {name: (lambda name=name: pressed.append(name)) for name in CLICK_KEYS}


def test_bound_keys_call_and_are_released() -> None:
    pressed: list[str] = []
    viewer, layer, ring = ViewerModel(), Points(np.empty((0, 2))), KeyRing()
    ring.bind(viewer, VIEWER_KEYS, actions(pressed))  # type: ignore[arg-type]
    ring.bind(layer, CLICK_KEYS, actions(pressed))  # type: ignore[arg-type]
    assert {str(key) for key in viewer.keymap} == {"Enter", "Escape", "U", "D"}
    for callback in list(layer.keymap.values()):
        callback(layer)
    assert sorted(pressed) == sorted(CLICK_KEYS)
    ring.release(layer)
    assert not layer.keymap
    assert viewer.keymap
    ring.release()
    assert not viewer.keymap


def test_a_key_in_use_is_left_alone() -> None:
    viewer, ring = ViewerModel(), KeyRing()
    mine: list[str] = []
    viewer.bind_key("U", lambda _: mine.append("mine"))
    ring.bind(viewer, VIEWER_KEYS, actions([]))  # type: ignore[arg-type]
    ring.release()
    (callback,) = viewer.keymap.values()
    callback(viewer)
    assert mine == ["mine"]


def test_keys_clash_with_nothing_of_napari() -> None:
    """Neither with the points layer's keys nor with the viewer's, in this version of napari."""
    from napari.utils.shortcuts import default_shortcuts

    taken = {
        str(key)
        for name, keys in default_shortcuts.items()
        for key in keys
        if "points" in name or name in VIEWER_ACTIONS
    }
    ours = {key.replace("Control", "Ctrl").replace("-", "+") for key in (*CLICK_KEYS.values(), *VIEWER_KEYS.values())}
    assert not ours & taken


VIEWER_ACTIONS = {
    "napari:toggle_ndisplay", "napari:reset_view", "napari:roll_axes", "napari:transpose_axes", "napari:toggle_grid",
    "napari:toggle_selected_visibility", "napari:hold_for_pan_zoom", "napari:increment_dims_left",
    "napari:increment_dims_right", "napari:select_all_in_slice", "napari:select_all_data",
}  # fmt: skip
