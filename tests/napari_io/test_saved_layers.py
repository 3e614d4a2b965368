"""Who hears that a file has a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_dextr.napari_io.saved_layers import listen, stop_listening, tell_saved


def test_everybody_who_listens_hears_of_the_layer_itself() -> None:
    heard: list[tuple[str, Any, int]] = []

    def once(layer: Any, began: int) -> None:
        heard.append(("once", layer, began))
        stop_listening(once)

    def always(layer: Any, began: int) -> None:
        heard.append(("always", layer, began))

    viewer = ViewerModel()
    first, second = (viewer.add_labels(np.zeros((4, 4), int)) for _ in range(2))
    listen(once)
    listen(always)
    tell_saved([PublicOnlyProxy(first), second], 7)
    stop_listening(always)
    tell_saved([first], 8)
    assert heard == [("once", first, 7), ("always", first, 7), ("always", second, 7)]
