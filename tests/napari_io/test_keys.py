"""Keys are bound, respected where they are taken, and given back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.shortcuts import default_shortcuts

from napari_dextr.napari_io.keys import KEY_OF, SHORTCUTS, KeyRing

KINDS_OF_LAYER = (Image, Labels, Points, Shapes)


def actions(pressed: list[str]) -> dict[str, Callable[[], None]]:
    return {item.action: lambda name=item.action: pressed.append(name) for item in SHORTCUTS}  # type: ignore[misc]


def press(owner: Layer, key: str) -> None:
    owner.keymap[coerce_keybinding(key)](owner)


def test_bound_keys_call_and_are_released() -> None:
    pressed: list[str] = []
    viewer, layer, ring = ViewerModel(), Points(np.empty((0, 2))), KeyRing()
    ring.bind(viewer, actions(pressed))
    ring.bind(layer, actions(pressed))
    for callback in list(layer.keymap.values()):
        callback(layer)
    assert set(pressed) == {item.action for item in SHORTCUTS}
    assert len(pressed) == sum(len(item.keys) for item in SHORTCUTS)
    ring.release(layer)
    assert not layer.keymap
    assert viewer.keymap
    ring.release()
    assert not viewer.keymap


def test_a_key_in_use_is_left_alone() -> None:
    viewer, ring = ViewerModel(), KeyRing()
    mine: list[str] = []
    viewer.bind_key("U", lambda _: mine.append("mine"))
    ring.bind(viewer, actions([]))
    ring.release()
    (callback,) = viewer.keymap.values()
    callback(viewer)
    assert mine == ["mine"]


@pytest.mark.parametrize("layer", [Labels(np.zeros((4, 4), int)), Points(np.empty((0, 2))), Shapes()])
def test_napari_keeps_its_keys_on_our_layers(layer: Layer) -> None:
    """All but Enter, Escape and undo, which our layers have no use for while nothing is being drawn."""
    pressed: list[str] = []
    ring = KeyRing()
    ring.bind(layer, actions(pressed))
    taken = {key for kind in type(layer).__mro__ for key in getattr(kind, "class_keymap", {})}
    names = {str(key) for key in set(layer.keymap) & taken}
    assert names <= {"Enter", "Escape", "Ctrl+Z", "Ctrl+Shift+Z"}
    for key in ("Enter", "Escape", "Ctrl+Z"):
        press(layer, key)
    assert pressed == ["accept", "discard", "undo"]
    ring.release()


class DrawnLabels(Labels):
    """Labels with napari's key for polygons, which a viewer binds when its window opens."""

    finished = 0

    def finish(self) -> None:
        self.finished += 1


DrawnLabels.bind_key("Enter", DrawnLabels.finish)


def test_enter_finishes_a_polygon_that_is_being_drawn() -> None:
    labels, ring = DrawnLabels(np.zeros((30, 30), int)), KeyRing()
    pressed: list[str] = []
    ring.bind(labels, actions(pressed))
    labels.mode = "polygon"
    press(labels, "Enter")
    assert (labels.finished, pressed) == (1, [])
    labels.mode = "pan_zoom"
    press(labels, "Enter")
    assert (labels.finished, pressed) == (1, ["accept"])


def test_the_promised_keys_work_on_every_kind_of_layer() -> None:
    """On images too, where only the viewer's keys count: napari uses none of them there."""
    promised = ("accept", "discard", "undo", "redo", "withdraw", "force", "next_kind", "next_class", "reopen", "delete")
    taken = {str(key) for key in Image.class_keymap}
    for item in SHORTCUTS:
        if item.action in promised or item.action.startswith("class_"):
            assert not {str(coerce_keybinding(key)) for key in item.keys} & taken


def test_keys_clash_with_nothing_of_the_viewer() -> None:
    ours = {str(coerce_keybinding(key)) for item in SHORTCUTS for key in item.keys}
    layers = ("points", "labels", "shape", "polygon", "vert", "vectors", "tracks", "surface", "image", "plane", "label")
    others = {
        str(key)
        for name, keys in default_shortcuts.items()
        if not any(word in name for word in layers) and "draw" not in name and "direct" not in name
        for key in keys
        if name
        not in {
            "napari:activate_add_rectangle_mode",
            "napari:activate_add_path_mode",
            "napari:activate_vertex_insert_mode",
            "napari:auto_contrast_once",
        }
    }
    assert not ours & others


def test_no_key_has_two_meanings() -> None:
    keys = [key for item in SHORTCUTS for key in item.keys]
    assert len(set(keys)) == len(keys)
    assert KEY_OF["delete"] == "Shift+Delete"
    assert KEY_OF["discard"] == "Esc"
    assert KEY_OF["class_3"] == "Ctrl+3"
