"""What napari says of painting becomes strokes that say what was where before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_dextr.napari_io.planes import Plane
from napari_dextr.napari_io.strokes import UnknownStrokeError, strokes_of

IMAGE: Any = object()


def replay(strokes: list[Any], data: np.ndarray, backward: bool) -> None:
    for stroke in reversed(strokes) if backward else strokes:
        image, plane = stroke.place
        assert image is IMAGE
        block = data[plane.block(stroke.region)]
        values = stroke.before if backward else stroke.after
        block[plane.expand(stroke.changed)] = values[stroke.changed]


def painted(shape: tuple[int, ...], dims: int = 2) -> tuple[Any, Labels, list[Any]]:
    viewer = ViewerModel()
    data = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint16)
    layer = viewer.add_labels(data)
    layer.n_edit_dimensions = dims
    events: list[Any] = []
    layer.events.paint.connect(events.append)
    return viewer, layer, events


@pytest.mark.parametrize("act", ["brush", "fill", "polygon", "set items", "drag"])
def test_strokes_lead_back_and_forth(act: str) -> None:
    _, layer, events = painted((30, 40))
    before = layer.data.copy()
    if act == "brush":
        layer.brush_size = 7
        layer.paint((12, 20), 5)
    elif act == "fill":
        layer.fill((12, 20), 5)
    elif act == "polygon":
        layer.paint_polygon([(3, 3), (20, 5), (10, 30)], 5)
    elif act == "set items":
        layer.data_setitem((np.array([3, 9]), np.array([4, 30])), 5)
    else:
        with layer.block_history():
            for col in range(5, 30, 3):
                layer.paint((12, col), 5)
    after = layer.data.copy()
    (event,) = events
    strokes = strokes_of(event.value, IMAGE, (0, 1))
    replay(strokes, layer.data, backward=True)
    np.testing.assert_array_equal(layer.data, before)
    replay(strokes, layer.data, backward=False)
    np.testing.assert_array_equal(layer.data, after)


def test_a_stroke_through_planes_is_one_for_each() -> None:
    viewer, layer, events = painted((6, 30, 40), dims=3)
    viewer.dims.set_current_step(0, 3)
    before = layer.data.copy()
    layer.brush_size = 5
    layer.paint((3, 12, 20), 9)
    strokes = strokes_of(events[0].value, IMAGE, (1, 2))
    assert [stroke.place[1].index[0] for stroke in strokes] == [1, 2, 3, 4, 5]
    assert all(stroke.place[1].axes == (1, 2) for stroke in strokes)
    replay(strokes, layer.data, backward=True)
    np.testing.assert_array_equal(layer.data, before)


def test_the_earlier_form_is_read() -> None:
    """Before napari 0.8 every atom was (indices, values before, values after)."""
    indices = (np.array([2, 2, 2]), np.array([4, 5, 5]), np.array([7, 7, 9]))
    (stroke,) = strokes_of([(indices, np.array([1, 0, 3]), 8)], IMAGE, (1, 2))
    assert stroke.place == (IMAGE, Plane((1, 2), (2, 0, 0)))
    assert stroke.region == (slice(4, 6), slice(7, 10))
    np.testing.assert_array_equal(stroke.changed, [[True, False, False], [True, False, True]])
    np.testing.assert_array_equal(stroke.before[stroke.changed], [1, 0, 3])
    assert (stroke.after[stroke.changed] == 8).all()


@pytest.mark.parametrize("atoms", [[("what",)], [None], [(1, 2, 3)], 5])
def test_a_form_that_is_not_known_is_said(atoms: Any) -> None:
    with pytest.raises(UnknownStrokeError):
        strokes_of(atoms, IMAGE, (0, 1))


def test_a_change_of_very_many_planes_is_read_too() -> None:
    indices = (np.arange(100), np.zeros(100, int), np.zeros(100, int))
    strokes = strokes_of([(indices, np.zeros(100, int), 1)], IMAGE, (1, 2))
    assert [stroke.place[1].index[0] for stroke in strokes] == list(range(100))
