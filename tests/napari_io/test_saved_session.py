"""Names of layers and planes in a saved session, and the way back."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_dextr.errors import DataError
from napari_dextr.napari_io.planes import Plane
from napari_dextr.napari_io.saved_session import describe, image_names, image_of, place_named
from napari_dextr.session.recovery import Recovered, RecoveredDraft

PLANE = Plane((1, 2), (3, 0, 0))


def stack(name: str = "stack", planes: int = 5) -> Image:
    return Image(np.zeros((planes, 8, 9)), name=name)


def saved(name: Any) -> Recovered:
    draft = RecoveredDraft(name, (), (1.0, 1.0, 5.0, 5.0), None)
    return Recovered(datetime.now(timezone.utc), [], [draft], 0, False)


def test_names_are_json_and_lead_back() -> None:
    image = stack()
    name = json.loads(json.dumps(describe((image, PLANE))))
    assert name["layer"] == "stack"
    assert place_named(name, image) == (image, PLANE)
    assert describe(image) == {"layer": "stack", "shape": [5, 8, 9]}


@pytest.mark.parametrize(
    "name",
    [None, {}, {"axes": [1, 2], "index": "x"}, {"axes": [1], "index": [0, 0, 0]}, {"axes": [1, 2], "index": [0, 0]},
     {"axes": [1, 2], "index": [9, 0, 0]}, {"axes": [1, 7], "index": [0, 0, 0]}],
)  # fmt: skip
def test_names_that_do_not_fit_are_refused(name: Any) -> None:
    with pytest.raises(DataError):
        place_named(name, stack())


def test_all_images_of_a_session_are_named() -> None:
    assert image_names(saved(describe((stack("cells"), PLANE)))) == {"cells"}
    assert image_names(saved(None)) == set()


def test_the_image_is_found_by_shape_and_name() -> None:
    viewer = ViewerModel()
    other, same, namesake = stack("other"), stack("stack"), stack("stack", 7)
    name = describe((same, PLANE))
    for image in (same, other, namesake):
        viewer.add_layer(image)
    assert image_of([name], viewer) is same
    viewer.layers.remove(same)
    assert image_of([name], viewer) is other
    with pytest.raises(DataError, match="Open the image 'stack' first"):
        image_of([name], viewer, {"stack", "other"})  # which was made on both
    viewer.layers.clear()
    with pytest.raises(DataError, match="Open the image 'stack' first"):
        image_of([name], viewer)
    with pytest.raises(DataError, match="made on"):
        image_of([None], viewer)


def test_of_several_pictures_none_is_guessed() -> None:
    viewer = ViewerModel()
    photos = [Image(np.zeros((8, 9, 3), np.uint8), name=name, rgb=True) for name in ("photo 1", "photo 2")]
    name = {**describe((photos[0], PLANE)), "layer": "photo 3"}
    viewer.add_layer(photos[0])
    assert image_of([name], viewer) is photos[0]
    viewer.add_layer(photos[1])
    with pytest.raises(DataError, match="could be 'photo 3'"):
        image_of([name], viewer)
