"""A viewer is listened to until it is let go."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_dextr.napari_io.viewer_events import LayerEvents, ViewerEvents


class Heard:
    """napari holds listeners weakly: they are methods of something that lives."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def removed(self, event: Any) -> None:
        self.said.append(f"removed {event.value.name}")

    def activated(self, event: Any) -> None:
        self.said.append("activated")

    def turned(self, event: Any) -> None:
        self.said.append("turned")


def test_events_are_told_until_release() -> None:
    viewer, heard = ViewerModel(), Heard()
    events = ViewerEvents(viewer, removed=heard.removed, activated=heard.activated, turned=heard.turned)
    viewer.add_image(np.zeros((3, 4, 5)), name="stack")
    assert "activated" in heard.said
    heard.said.clear()
    viewer.dims.set_current_step(0, 2)
    assert set(heard.said) == {"turned"}
    viewer.layers.remove("stack")
    assert "removed stack" in heard.said
    events.release()
    events.release()
    heard.said.clear()
    viewer.add_image(np.zeros((4, 5)))
    assert heard.said == []


def test_layers_are_listened_to_until_others_are() -> None:
    viewer, names, edits = ViewerModel(), Heard(), Heard()
    labels = viewer.add_labels(np.zeros((4, 5), int), name="cells")
    image = viewer.add_image(np.zeros((4, 5)), name="photo")
    events = LayerEvents(renamed=names.activated, edited=edits.activated, edits=("paint", "data", "labels_update"))
    events.follow(viewer.layers)
    image.name = "picture"
    assert names.said == ["activated"]
    labels.data_setitem((np.array([1]), np.array([1])), 3)
    assert edits.said
    edits.said.clear()
    events.follow([image])
    labels.data_setitem((np.array([2]), np.array([1])), 3)
    labels.name = "nuclei"
    assert (names.said, edits.said) == (["activated"], [])
    events.release()
    image.name = "photo"
    assert names.said == ["activated"]
