"""The image that is worked on can be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers._source import layer_source

from napari_dextr.napari_io.object_table import KEY
from napari_dextr.napari_io.sight import Sight, another_picture


def grey(viewer: Any, name: str, **options: Any) -> Image:
    return viewer.add_image(np.zeros((40, 30)), name=name, **options)


def colour(viewer: Any, name: str) -> Image:
    return viewer.add_image(np.zeros((40, 30, 3), np.uint8), name=name, rgb=True)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def test_channels_are_one_picture_and_colour_images_are_several(viewer: ViewerModel) -> None:
    one, other = grey(viewer, "dapi"), grey(viewer, "cy5")
    photo, second = colour(viewer, "photo"), colour(viewer, "second")
    assert not another_picture(one, other)
    assert not another_picture(one, photo)
    assert another_picture(photo, second)
    assert not another_picture(photo, photo)


def test_files_are_several_pictures_unless_they_are_seen_through_one_another(viewer: ViewerModel) -> None:
    images = []
    for name in ("a.tif", "b.tif"):
        with layer_source(path=name):
            images.append(grey(viewer, name))
    one, other = images
    assert another_picture(one, other)
    other.blending = "additive"
    assert not another_picture(one, other)


def test_pictures_of_a_coco_file_are_several(viewer: ViewerModel) -> None:
    images = []
    for names in (["a.png", "b.png"], ["c.png"], ["b.png"]):
        coco = {"images": [{"index": [index], "file_name": name} for index, name in enumerate(names)]}
        images.append(grey(viewer, names[0], metadata={KEY: {"coco": coco}}))
    assert another_picture(images[0], images[1])
    assert not another_picture(images[0], images[2])
    assert not another_picture(images[0], grey(viewer, "channel"))


def visible(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def test_what_covers_an_image_is_hidden_until_it_is_needed(viewer: ViewerModel) -> None:
    low, middle, high = (colour(viewer, name) for name in ("low", "middle", "high"))
    grey(viewer, "additive", blending="additive")
    grey(viewer, "elsewhere", translate=(500, 500))
    sight = Sight(viewer)
    sight.uncover(low, [])
    assert visible(viewer) == ["low", "additive", "elsewhere"]
    sight.uncover(middle, [])
    assert visible(viewer) == ["low", "middle", "additive", "elsewhere"]
    sight.uncover(high, [])
    assert visible(viewer) == ["low", "middle", "high", "additive", "elsewhere"]


def test_what_the_user_hid_stays_hidden(viewer: ViewerModel) -> None:
    low, _, high = (colour(viewer, name) for name in ("low", "middle", "high"))
    high.visible = False
    sight = Sight(viewer)
    sight.uncover(low, [])
    assert visible(viewer) == ["low"]
    sight.give_back()
    assert visible(viewer) == ["low", "middle"]


def test_in_a_grid_nothing_is_covered(viewer: ViewerModel) -> None:
    low, _ = colour(viewer, "low"), colour(viewer, "high")
    getattr(viewer, "canvas", viewer).grid.enabled = True
    Sight(viewer).uncover(low, [])
    assert visible(viewer) == ["low", "high"]
