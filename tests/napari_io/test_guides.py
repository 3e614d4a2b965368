"""Guide lines follow the cursor, then show the middle of the box."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from napari.components import ViewerModel

from napari_dextr.napari_io.guides import NAME, Guides


def test_guides_come_and_go_without_changing_what_is_active() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 50)))
    points = viewer.add_points([[1, 1]])
    points.mode = "add"
    guides = Guides(viewer, image)
    assert [layer.name for layer in viewer.layers] == ["Image", NAME, "Points"]
    assert viewer.layers.selection.active is points
    assert str(points.mode) == "add"
    assert not guides.layer.editable
    viewer.mouse_move_callbacks[-1](viewer, SimpleNamespace(position=(10.0, 20.0)))
    np.testing.assert_allclose(guides.layer.data[0], [[10, -0.5], [10, 49.5]])
    np.testing.assert_allclose(guides.layer.data[1], [[-0.5, 20], [39.5, 20]])
    guides.show_middle((10.0, 20.0, 30.0, 40.0))
    viewer.mouse_move_callbacks[-1](viewer, SimpleNamespace(position=(1.0, 2.0)))
    np.testing.assert_allclose(guides.layer.data[0], [[20, 20], [20, 40]])
    np.testing.assert_allclose(guides.layer.data[1], [[10, 30], [30, 30]])
    guides.release()
    guides.release()
    assert guides.layer not in viewer.layers
    assert not viewer.mouse_move_callbacks


def test_guides_lie_on_the_plane_that_is_shown() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 40, 50)), scale=(2, 1, 1))
    viewer.dims.set_current_step(0, 3)
    guides = Guides(viewer, image)
    guides.show_middle((10.0, 20.0, 30.0, 40.0))
    assert {row[0] for line in guides.layer.data for row in line} == {3.0}


def test_where_the_image_is_no_plane_nothing_is_drawn() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 40, 50)))
    image = viewer.add_image(np.zeros((40, 50)))
    guides = Guides(viewer, image)
    viewer.dims.order = (2, 0, 1)
    viewer.mouse_move_callbacks[-1](viewer, SimpleNamespace(position=(1.0, 2.0, 3.0)))
    viewer.dims.ndisplay = 3
    guides.show_middle((10.0, 20.0, 30.0, 40.0))
    assert not len(guides.layer.data)
