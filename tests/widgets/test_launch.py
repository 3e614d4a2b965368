"""Opening the viewer with a sample and the widget docked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_dextr.widgets import launch


def test_an_unknown_sample_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        launch.main(["--sample", "moon"])
    assert stopped.value.code == 2
    assert "astronaut" in capsys.readouterr().err


@pytest.mark.screen
@pytest.mark.parametrize("from_file", [False, True])
def test_opens_image_and_widget(
    from_file: bool, make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot: Any
) -> None:
    import napari

    monkeypatch.setattr(napari, "Viewer", make_napari_viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    opened: list[Any] = []
    original = launch.open_viewer
    monkeypatch.setattr(launch, "open_viewer", lambda *given: opened.append(original(*given)))
    arguments = ["--sample", "coins"]
    if from_file:
        path = tmp_path / "cells.tif"
        tifffile.imwrite(path, np.zeros((40, 50), np.uint8))
        arguments.append(str(path))
    assert launch.main(arguments) == 0
    ((viewer, widget),) = opened
    assert viewer.layers[0].name == ("cells" if from_file else "Coins")
    assert widget.controller.bench.image is viewer.layers[0]
    widget.release()
    qtbot.waitUntil(lambda: not widget.controller.model.running)
