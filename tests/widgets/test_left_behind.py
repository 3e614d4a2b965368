"""What can be recovered is found at the beginning, and when layers were removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.locks import FileLock
from napari_dextr.napari_io import parked_sessions
from napari_dextr.napari_io.parked_sessions import Parked, park
from napari_dextr.napari_io.saved_layers import tell_saved
from napari_dextr.session.autosave import lock_path
from napari_dextr.session.kept import Kept, as_line
from napari_dextr.session.unsaved import Rest, moment
from napari_dextr.widgets.left_behind import LeftBehind


@pytest.fixture
def viewer() -> Iterator[ViewerModel]:
    yield ViewerModel()
    parked_sessions._parked.clear()


@pytest.fixture
def left(qtbot: Any, viewer: ViewerModel, tmp_path: Path) -> Iterator[LeftBehind]:
    left = LeftBehind(viewer, tmp_path)
    yield left
    left.stop()


def keep(folder: Path, name: str) -> Kept:
    """The journal of a session that has ended with an object that no file has."""
    facts = {"place": 1, "region": [0, 0, 5, 5], "facts": {}}
    lines: list[dict[str, Any]] = [
        {"napari_dextr": "session", "version": 1, "started": "2026-11-30T12:00:00+00:00"},
        {"name": 0, "target": name},
        {"name": 1, "place": "p"},
        {"objects": [{"target": 0, "label": 1, **facts}]},
    ]
    path = folder / f"{name}.dextr-session"
    path.write_bytes(b"".join(map(as_line, lines)))
    lock = FileLock(lock_path(path))
    assert lock.acquire()
    return Kept(path, lock, {0: Rest({1: moment()}, {1})})


def names(left: LeftBehind) -> list[str]:
    return [found.path.stem for found in left.found]


def test_one_comes_after_the_other(qtbot: Any, left: LeftBehind, tmp_path: Path) -> None:
    for name in ("a", "b"):
        keep(tmp_path, name).release()
    left.start()
    qtbot.waitUntil(lambda: len(left.found) == 2)
    first, second = names(left)
    left.put_off()
    assert names(left) == [second, first]
    with qtbot.waitSignal(left.changed):
        left.drop()
    assert names(left) == [first]
    left.found[0].path.unlink()
    left.look_again()
    assert left.found == []


def test_a_layer_that_is_removed_is_looked_for_unless_napari_quits(
    qtbot: Any, left: LeftBehind, viewer: ViewerModel, tmp_path: Path
) -> None:
    left.start()
    for name in ("a", "b"):
        layer = viewer.add_labels(np.zeros((4, 4), int), name=name)
        park(Parked(keep(tmp_path, name), viewer, {0: layer}))
    viewer.layers.remove("a")
    qtbot.waitUntil(lambda: names(left) == ["a"])
    viewer.layers.clear()
    left.stop()
    qtbot.wait(1)
    assert names(left) == ["a"]


def test_an_offer_goes_when_a_file_has_it_after_all(
    qtbot: Any, left: LeftBehind, viewer: ViewerModel, tmp_path: Path
) -> None:
    left.start()
    layer = viewer.add_labels(np.zeros((4, 4), int), name="a")
    park(Parked(keep(tmp_path, "a"), viewer, {0: layer}))
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: names(left) == ["a"])
    tell_saved([layer], moment())
    left.look_again()
    assert left.found == []


def test_nothing_is_looked_for_before_it_starts(left: LeftBehind, tmp_path: Path) -> None:
    keep(tmp_path, "a").release()
    left.look()
    left._look()
    left.stop()
    assert left.found == []
