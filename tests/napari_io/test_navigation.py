"""Going to an object."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.napari_io.navigation import show_object, show_place


def centre(viewer: ViewerModel) -> tuple[float, ...]:
    return tuple(getattr(viewer, "scene", viewer).camera.center)


def test_the_plane_and_the_middle_of_a_scaled_layer() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((5, 40, 60), int), scale=(4, 0.5, 0.5), translate=(0, 100, 0))
    viewer.add_labels(np.zeros((40, 60), int))
    labels.data[3, 10:21, 30:41] = 8
    show_object(viewer, labels, (3,), 8)
    assert viewer.dims.point[0] == pytest.approx(12)
    assert centre(viewer)[-2:] == pytest.approx((107.5, 17.5))
    assert viewer.layers.selection.active is labels
    assert labels.selected_label == 8


def test_an_object_that_has_gone_only_selects_the_layer() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((40, 60), int))
    before = centre(viewer)
    show_object(viewer, labels, (), 8)
    assert centre(viewer) == before


def test_a_view_with_other_axes() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 40, 60)))
    viewer.dims.order = (1, 0, 2)
    show_place(viewer, image, (0, 20, 0), (1, 10, 3, 30), (0, 2))
    assert viewer.dims.point[1] == pytest.approx(20)
    assert centre(viewer)[-2:] == pytest.approx((2, 20))
