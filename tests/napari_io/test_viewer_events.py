"""A viewer is listened to until it is let go."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_dextr.napari_io.viewer_events import ViewerEvents


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
