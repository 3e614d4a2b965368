"""The Points layer that takes the clicks."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_dextr.napari_io.click_layer import CORNER, NAME, STYLES, ClickLayer
from napari_dextr.napari_io.planes import Plane
from napari_dextr.session import KINDS, Mark

FLAT = Plane((0, 1), (0, 0))


class Calls:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_lies_on_its_image() -> None:
    image = Image(np.zeros((5, 40, 50)), scale=(2, 0.5, 0.5), translate=(1, 2, 3), units=("um",) * 3)
    layer = ClickLayer(image, Calls()).layer
    assert (layer.name, layer.ndim) == (NAME, 3)
    np.testing.assert_array_equal(layer.scale, image.scale)
    np.testing.assert_array_equal(layer.translate, image.translate)
    assert layer.units == image.units


def test_reports_each_change_once() -> None:
    calls = Calls()
    clicks = ClickLayer(Image(np.zeros((40, 50))), calls)  # napari holds listeners weakly
    layer = clicks.layer
    layer.add([1, 2])
    assert calls.count == 1
    layer.add([3, 4])
    layer.data = layer.data + 1  # napari says 'changing' and 'changed'
    assert calls.count == 3
    layer.selected_data = {0}
    layer.remove_selected()
    assert calls.count == 4


def test_is_silent_after_release_and_while_written() -> None:
    calls = Calls()
    clicks = ClickLayer(Image(np.zeros((40, 50))), calls)
    clicks.write(FLAT, [Mark("extreme", 1, 2)])
    clicks.release()
    clicks.layer.add([3, 4])
    assert calls.count == 0
    assert len(clicks.layer.data) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_new_clicks_get_kind_colour_and_symbol(kind: str) -> None:
    clicks = ClickLayer(Image(np.zeros((40, 50))), Calls())
    clicks.layer.add([1, 2])
    clicks.kind = kind
    clicks.layer.add([3, 4])
    assert [mark.kind for mark in clicks.marks(FLAT)] == ["extreme", kind]
    assert [str(symbol) for symbol in clicks.layer.symbol] == [STYLES["extreme"][0], STYLES[kind][0]]
    colors = ["#{:02x}{:02x}{:02x}".format(*(round(255 * v) for v in c[:3])) for c in clicks.layer.face_color]
    assert colors == [STYLES["extreme"][1], STYLES[kind][1]]


def test_writing_gives_back_the_same_marks_and_their_looks() -> None:
    clicks = ClickLayer(Image(np.zeros((40, 50))), Calls())
    marks = tuple(Mark(kind, 1.25 + i, 2.5 * i) for i, kind in enumerate(KINDS))
    clicks.write(FLAT, marks)
    assert clicks.marks(FLAT) == marks
    assert [str(symbol) for symbol in clicks.layer.symbol] == [STYLES[kind][0] for kind in KINDS]
    clicks.write(FLAT, marks[:1])
    assert clicks.marks(FLAT) == marks[:1]
    clicks.write(FLAT, ())
    assert clicks.marks(FLAT) == ()
    clicks.layer.add([1, 1])
    assert clicks.marks(FLAT) == (Mark("extreme", 1, 1),)


def test_planes_are_not_mixed() -> None:
    image = Image(np.zeros((5, 40, 50)), scale=(3, 1, 1))
    clicks = ClickLayer(image, Calls())
    second, third = Plane((1, 2), (1, 0, 0)), Plane((1, 2), (2, 0, 0))
    clicks.layer.add([1.0, 5, 6])
    clicks.layer.add([2.2, 7, 8])
    assert clicks.marks(second) == (Mark("extreme", 5, 6),)
    assert clicks.marks(third) == (Mark("extreme", 7, 8),)
    clicks.write(third, [Mark("inside", 1, 1), Mark("extreme", 2, 2)])
    assert clicks.marks(second) == (Mark("extreme", 5, 6),)
    assert clicks.marks(third) == (Mark("inside", 1, 1), Mark("extreme", 2, 2))


def test_marks_follow_the_world_when_the_layer_was_moved() -> None:
    clicks = ClickLayer(Image(np.zeros((40, 50)), scale=(0.5, 0.5)), Calls())
    clicks.layer.add([10, 20])
    clicks.layer.translate = (5, 0)  # by hand; five micrometres are ten pixels
    assert clicks.marks(FLAT) == (Mark("extreme", 20, 20),)
    clicks.write(FLAT, [Mark("extreme", 20, 20)])
    np.testing.assert_allclose(clicks.layer.data, [[10, 20]])


def test_a_spoilt_features_table_does_no_harm() -> None:
    clicks = ClickLayer(Image(np.zeros((40, 50))), Calls())
    clicks.layer.add([1, 2])
    clicks.layer.features = {"kind": ["whatever"]}
    assert clicks.marks(FLAT)[0].kind == "extreme"
    clicks.layer.features = {"other": [1]}
    assert clicks.marks(FLAT)[0].kind == "extreme"


# -- gestures ----------------------------------------------------------------------------------------------------------


def start(clicks: ClickLayer, position: tuple[float, float], **facts: Any) -> tuple[Iterator[None], Any]:
    """Press the mouse; the callback has run up to where it waits."""
    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=(), position=position, view_direction=None, dims_displayed=[0, 1]
    )
    event.__dict__.update(facts)
    generator = clicks._on_press(clicks.layer, event)
    next(generator, None)
    return generator, event


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"modifiers": ("Shift",)}, "outside"),
        ({"button": 2}, "outside"),
        ({"modifiers": ("Control",)}, "boundary"),
        ({"modifiers": ("Alt",)}, "inside"),
        ({"button": 2, "modifiers": ("Control",)}, "boundary"),
        ({}, "extreme"),
    ],
)
def test_gestures_choose_the_kind_of_one_click(facts: dict[str, Any], kind: str) -> None:
    calls = Calls()
    clicks = ClickLayer(Image(np.zeros((40, 50))), calls)
    clicks.layer.mode = "add"
    start(clicks, (5, 6), **facts)
    clicks.layer.add([5, 6])
    start(clicks, (20, 6))
    clicks.layer.add([20, 6])
    assert [mark.kind for mark in clicks.marks(FLAT)] == [kind, "extreme"]
    assert [str(symbol) for symbol in clicks.layer.symbol] == [STYLES[kind][0], STYLES["extreme"][0]]
    assert calls.count == 2


def test_a_gesture_makes_no_kind_that_the_model_does_not_take() -> None:
    clicks = ClickLayer(Image(np.zeros((40, 50))), Calls())
    clicks.allowed = ("extreme",)
    clicks.layer.mode = "add"
    start(clicks, (5, 6), button=2)
    clicks.layer.add([5, 6])
    assert clicks.marks(FLAT)[0].kind == "extreme"


def test_a_point_under_the_mouse_is_dragged_and_stays_selected() -> None:
    calls = Calls()
    clicks = ClickLayer(Image(np.zeros((40, 50))), calls)
    clicks.write(FLAT, [Mark("extreme", 5, 6), Mark("extreme", 30, 40)])
    clicks.layer.mode = "add"
    pressed, event = start(clicks, (5, 6))
    assert str(clicks.layer.mode) == "select"  # napari's own callback, which comes next, drags
    clicks.layer.data[0] = (9, 9)
    event.type = "mouse_move"
    next(pressed, None)
    event.type = "mouse_release"
    next(pressed, None)
    assert str(clicks.layer.mode) == "add"
    assert set(clicks.layer.selected_data) == {0}
    assert calls.count == 1
    pressed, event = start(clicks, (20, 20))
    assert str(clicks.layer.mode) == "add"  # nothing there: napari adds a point


def test_corners_are_no_marks() -> None:
    clicks = ClickLayer(Image(np.zeros((40, 50))), Calls())
    clicks.kind = CORNER
    clicks.layer.add([3, 4])
    assert clicks.marks(FLAT) == ()
    assert clicks.corners(FLAT) == [(3.0, 4.0)]
    clicks.write(FLAT, [Mark("inside", 1, 1)], [(3.0, 4.0)])
    assert clicks.corners(FLAT) == [(3.0, 4.0)]
    clicks.write(FLAT, [])
    assert clicks.corners(FLAT) == []
