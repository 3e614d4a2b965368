"""The benchmark's viewer clicks, waits and closes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_dextr.errors import DextrError
from napari_dextr.widgets import bench_scene
from napari_dextr.widgets.bench_scene import Scene

POINTS = [(20.0, 60.0), (60.0, 20.0), (100.0, 62.0), (58.0, 110.0)]


@pytest.mark.screen
def test_from_clicks_to_a_drawn_label(qtbot: Any, load: Any) -> None:
    labels = np.zeros((128, 128), np.uint16)
    scene = Scene(np.zeros((128, 128), np.uint8), (64, 64), load, target=labels)
    try:
        scene.do.set_auto_accept(True)
        scene.click(POINTS[:3])
        assert not labels.any()
        frames = scene.frames
        seconds = scene.until_drawn(lambda: scene.click(POINTS[3:]), lambda: bool(labels.any()))
        assert seconds > 0
        assert scene.frames > frames
        assert (labels == 1).sum() == 81 * 91
        scene.settle()
    finally:
        scene.close()
    qtbot.waitUntil(lambda: not scene.do.model.running)


@pytest.mark.screen
def test_a_viewer_that_does_nothing_is_said(qtbot: Any, load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(np.zeros((64, 64), np.uint8), (32, 32), load)
    try:
        monkeypatch.setattr(bench_scene, "_PATIENCE", 0.2)
        with pytest.raises(DextrError, match="did not finish"):
            scene.wait(lambda: False)
    finally:
        scene.close()
