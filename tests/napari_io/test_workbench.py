"""Layers are made, kept in order, and let go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_dextr.napari_io.export_source import image_of
from napari_dextr.napari_io.object_table import KEY
from napari_dextr.napari_io.placement import same_place
from napari_dextr.napari_io.planes import Plane
from napari_dextr.napari_io.workbench import Workbench

PLANE = Plane((0, 1), (0, 0))
REGION = (slice(4, 8), slice(10, 16))
MASK = np.ones((4, 6), bool)


class Bench:
    def __init__(self) -> None:
        self.viewer = ViewerModel()
        self.image: Image = self.viewer.add_image(np.zeros((40, 30)), name="cells")
        self.clicked = 0
        self.bench = Workbench(self.viewer, self._on_clicked)
        self.bench.set_image(self.image)
        self.bench.arm()
        self.viewer.layers.events.removed.connect(lambda event: self.bench.forget(event.value))

    def _on_clicked(self) -> None:
        self.clicked += 1

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def made() -> Bench:
    return Bench()


def test_click_layer_is_made_and_armed(made: Bench) -> None:
    assert made.names == ["cells", "Extreme clicks"]
    assert made.bench.armed
    made.viewer.layers.selection.active = made.image
    assert not made.bench.armed
    made.bench.arm()
    assert made.bench.armed


def test_order_of_layers_and_the_active_one_stays(made: Bench) -> None:
    made.bench.show(PLANE, REGION, MASK)
    made.bench.make_target()
    assert made.names == ["cells", "DEXTR labels", "DEXTR preview", "Extreme clicks"]
    assert made.bench.armed


def test_clicks_are_passed_on(made: Bench) -> None:
    assert made.bench.clicks is not None
    made.bench.clicks.layer.add([1, 2])
    assert made.clicked == 1


def test_renaming_changes_nothing(made: Bench) -> None:
    assert made.bench.clicks is not None
    made.bench.show(PLANE, REGION, MASK)
    for layer in made.viewer.layers:
        layer.name = f"renamed {layer.name}"
    made.bench.show(PLANE, REGION, MASK)
    made.bench.arm()
    assert len(made.viewer.layers) == 3
    assert made.bench.armed


def test_removed_layers_are_made_anew(made: Bench) -> None:
    assert made.bench.clicks is not None
    made.bench.show(PLANE, REGION, MASK)
    assert made.bench.preview is not None
    made.viewer.layers.remove(made.bench.preview)
    made.bench.hide()
    made.bench.show(PLANE, REGION, MASK)
    old = made.bench.clicks.layer
    made.viewer.layers.remove(old)
    assert made.bench.clicks is None
    assert made.bench.make_clicks().layer is not old
    assert "DEXTR preview" in made.names


def test_all_layers_removed_at_once(made: Bench) -> None:
    made.bench.show(PLANE, REGION, MASK)
    made.bench.make_target()
    made.viewer.layers.select_all()
    made.viewer.layers.remove_selected()
    assert made.bench.image is None
    assert made.bench.clicks is None
    made.bench.set_image(None)
    assert not made.viewer.layers


def test_empty_click_layers_go_with_their_image_and_full_ones_stay(made: Bench) -> None:
    other = made.viewer.add_image(np.zeros((10, 10)), name="other")
    made.bench.set_image(other)
    assert made.names.count("Extreme clicks") == 1
    assert made.bench.clicks is not None
    made.bench.clicks.layer.add([1, 2])
    made.bench.set_image(made.image)
    assert len([name for name in made.names if name.startswith("Extreme clicks")]) == 2
    made.bench.set_image(other)
    assert made.bench.clicks is not None
    assert len(made.bench.clicks.layer.data) == 1


@pytest.mark.parametrize("present", [True, False])
def test_marks_go_with_their_image(made: Bench, present: bool) -> None:
    assert made.bench.clicks is not None
    made.bench.clicks.layer.add([1, 2])
    made.bench.make_boxes().layer.add([[1, 2], [1, 9], [9, 9], [9, 2]])
    target = made.bench.make_target()
    other = made.viewer.add_image(np.zeros((10, 10)), name="other")
    points = made.viewer.add_points([[3, 4]], name="mine")
    if not present:
        made.bench.set_image(other)
    made.viewer.layers.remove(made.image)
    made.bench.tidy()
    left = [other, points, target]
    if not present:
        assert made.bench.clicks is not None
        left.append(made.bench.clicks.layer)
    assert {id(layer) for layer in made.viewer.layers} == {id(layer) for layer in left}


def test_an_image_that_comes_back_at_once_keeps_its_marks(made: Bench) -> None:
    clicks = made.bench.clicks
    assert clicks is not None
    clicks.layer.add([1, 2])
    made.viewer.layers.remove(made.image)
    made.viewer.add_layer(made.image)
    made.bench.tidy()
    made.bench.set_image(made.image)
    assert made.bench.clicks is clicks


def test_made_targets_are_found_again_where_they_fit(made: Bench) -> None:
    target = made.bench.make_target()
    channel = made.viewer.add_image(np.zeros((40, 30)))
    made.bench.set_image(channel)
    assert made.bench.known_target() is target
    made.bench.set_image(made.viewer.add_image(np.zeros((40, 30)), scale=(2, 2)))
    assert made.bench.known_target() is None
    made.bench.set_image(made.image)
    made.viewer.layers.remove(target)
    assert made.bench.known_target() is None


def opened(made: Bench, name: str) -> tuple[Any, Any]:
    """An image and its Labels, as the reader of COCO files makes them."""
    coco = {"file": "set.json", "images": [{"index": [], "file_name": name}]}
    image = made.viewer.add_image(np.zeros((40, 30)), name=name, metadata={KEY: {"coco": coco}})
    return image, labels_of(made, coco)


def labels_of(made: Bench, coco: dict[str, Any]) -> Any:
    return made.viewer.add_labels(np.zeros((40, 30), np.uint16), metadata={KEY: {"coco": coco}})


def test_labels_that_were_opened_with_an_image_are_its_target(made: Bench) -> None:
    first, labels = opened(made, "a.png")
    coco = labels.metadata[KEY]["coco"]
    labels_of(made, coco)  # objects that overlap
    labels_of(made, {**coco, "crowds": [1]})
    second, others = opened(made, "b.png")
    present = made.bench.make_target()
    assert made.bench.known_target(present) is present
    made.bench.set_image(first)
    assert made.bench.known_target(present) is labels
    assert not made.bench.fits(others)
    made.bench.set_image(second)
    assert made.bench.known_target(labels) is others


def test_of_several_labels_of_an_image_that_in_use_last_is_its_target(made: Bench) -> None:
    first, labels = opened(made, "a.png")
    more = labels_of(made, labels.metadata[KEY]["coco"])
    own = made.viewer.add_labels(np.zeros((40, 30), np.uint16))
    second, others = opened(made, "b.png")
    for chosen in (more, own):
        made.bench.set_image(first)
        made.bench.use(chosen)
        made.bench.set_image(second)
        made.bench.use(others)
        made.bench.set_image(first)
        assert made.bench.known_target(others) is chosen
    made.viewer.layers.remove(own)
    made.bench.forget(own)
    assert made.bench.known_target(others) is labels


def test_layers_follow_a_corrected_pixel_size(made: Bench) -> None:
    target = made.bench.make_target()
    made.bench.show(PLANE, REGION, MASK)
    made.image.scale = (0.5, 0.5)
    assert made.bench.clicks is not None
    assert same_place(target, made.image)
    assert same_place(made.bench.clicks.layer, made.image)
    assert made.bench.preview is None
    assert made.clicked


def test_closing_leaves_the_users_work(made: Bench) -> None:
    assert made.bench.clicks is not None
    made.bench.clicks.layer.add([1, 2])
    made.bench.make_target()
    made.bench.show(PLANE, REGION, MASK)
    layer = made.bench.clicks.layer
    made.bench.close()
    assert made.names == ["cells", "DEXTR labels", "Extreme clicks"]
    made.clicked = 0
    layer.add([3, 4])
    made.image.scale = (0.5, 0.5)
    assert made.clicked == 0


@pytest.mark.parametrize(
    ("order", "zooms"),
    [
        ((0, 1, 2), (2.0, 1.0)),
        ((2, 0, 1), (8.0, 2.0)),  # from the side
        ((2, 1, 0), (8.0, 2.0)),  # and transposed: a mark's row still is along the first of its axes
    ],
)
def test_zoom_knows_the_axes_on_the_screen(order: tuple[int, ...], zooms: tuple[float, float]) -> None:
    viewer = ViewerModel()
    bench = Workbench(viewer, lambda: None)
    bench.set_image(viewer.add_image(np.zeros((6, 40, 30)), scale=(2.0, 0.5, 0.25)))
    viewer.dims.order = order
    getattr(viewer, "scene", viewer).camera.zoom = 4.0
    assert bench.zooms == zooms
    assert bench.zoom == min(zooms)


def test_a_picture_that_becomes_a_stack_gets_new_layers_of_marks(made: Bench) -> None:
    assert made.bench.clicks is not None
    old = made.bench.clicks.layer
    old.add([1, 2])
    made.image.data = np.zeros((5, 40, 30))
    assert made.bench.clicks is None
    assert made.bench.make_clicks().layer.ndim == 3
    assert old not in made.viewer.layers


def test_a_target_of_another_size_does_not_fit(made: Bench) -> None:
    target = made.bench.make_target()
    assert made.bench.fits(target)
    made.bench.set_image(made.viewer.add_image(np.zeros((80, 90))))
    assert not made.bench.fits(target)
    assert made.bench.known_target() is None


def colour(made: Bench, name: str) -> Image:
    return made.viewer.add_image(np.zeros((40, 30, 3), np.uint8), name=name, rgb=True)


def test_pictures_of_one_size_get_labels_of_their_own() -> None:
    made = Bench()
    pictures = [colour(made, name) for name in "ab"]
    targets = []
    for picture in reversed(pictures):
        made.bench.set_image(picture)
        assert made.bench.known_target() is None
        targets.append(made.bench.make_target())
    assert made.names == ["cells", "a", "DEXTR labels [1]", "b", "DEXTR labels", "Extreme clicks"]
    for picture, target in zip(pictures, reversed(targets), strict=True):
        made.bench.set_image(picture)
        assert made.bench.known_target() is target
        assert image_of(target, made.viewer.layers) is picture


def test_the_chosen_picture_is_seen_with_its_labels_only() -> None:
    made = Bench()
    low, high = colour(made, "low"), colour(made, "high")
    made.bench.set_image(high)
    labels = made.bench.make_target()
    made.bench.set_image(low)
    assert not made.bench.hidden
    assert [layer.name for layer in made.viewer.layers if layer.visible] == ["cells", "low", "Extreme clicks"]
    low.visible = False
    assert made.bench.hidden
    made.bench.set_image(high)
    assert high.visible
    assert labels.visible
    made.bench.set_image(low)
    made.bench.close()
    assert all(layer.visible for layer in made.viewer.layers)
