"""Sessions whose widget was closed while the layers stayed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.locks import FileLock
from napari_dextr.napari_io import parked_sessions
from napari_dextr.napari_io.parked_sessions import (
    Parked,
    ask_for,
    hear,
    hear_no_more,
    holding,
    not_holding,
    park,
    parked_with,
    release_closed,
)
from napari_dextr.napari_io.saved_layers import tell_saved
from napari_dextr.session.kept import Kept
from napari_dextr.session.unsaved import Rest, moment


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    yield
    parked_sessions._parked.clear()


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    for _ in range(2):
        viewer.add_labels(np.zeros((4, 4), int))
    return viewer


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    path = tmp_path / "journal"
    path.touch()
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    return Kept(path, lock, {number: Rest({1: moment()}, {1}) for number in (3, 5)})


@pytest.fixture
def told() -> Iterator[list[None]]:
    """An entry each time that there was something new to recover."""
    told: list[None] = []

    def released() -> None:
        told.append(None)

    hear(released)
    yield told
    hear_no_more(released)


def free(kept: Kept) -> bool:
    other = FileLock(kept.path.with_name("lock"))
    taken = other.acquire()
    other.release()
    return taken


def test_it_is_held_back_as_long_as_a_layer_is_there(viewer: ViewerModel, kept: Kept) -> None:
    first, second = viewer.layers
    park(Parked(kept, viewer, {3: first, 5: second}))
    viewer.layers.remove(first)
    release_closed()
    assert not free(kept)
    viewer.layers.remove(second)
    release_closed()
    assert free(kept)
    assert list(parked_with([first, second])) == []  # whoever recovers it has them


def test_an_export_that_ends_after_its_layers_were_removed_counts(viewer: ViewerModel, kept: Kept) -> None:
    first, second = viewer.layers
    park(Parked(kept, viewer, {3: first, 5: second}))
    viewer.layers.clear()
    release_closed()
    tell_saved([first], moment())
    assert list(kept.rests) == [5]
    tell_saved([second], moment())
    assert not kept.path.exists()
    release_closed()
    assert parked_sessions._parked == []


def test_whoever_hears_is_told_when_there_is_something_to_recover(
    viewer: ViewerModel, kept: Kept, told: list[None]
) -> None:
    park(Parked(kept, viewer, dict(zip((3, 5), viewer.layers, strict=True))))
    release_closed()
    assert not told
    viewer.layers.clear()
    release_closed()
    release_closed()
    assert len(told) == 1


def test_nobody_is_told_of_a_journal_in_which_nothing_is_left(
    viewer: ViewerModel, kept: Kept, told: list[None]
) -> None:
    park(Parked(kept, viewer, dict(zip((3, 5), viewer.layers, strict=True))))
    tell_saved(viewer.layers, moment())
    release_closed()
    assert not told


def test_a_saved_layer_holds_nothing_back(viewer: ViewerModel, kept: Kept) -> None:
    first, second = viewer.layers
    park(Parked(kept, viewer, {3: first, 5: second}))
    assert [(number, layer) for _, number, layer in parked_with([second])] == [(5, second)]
    tell_saved([second], moment())
    assert list(parked_with([second])) == []
    viewer.layers.remove(first)
    release_closed()
    assert free(kept)
    assert kept.path.exists()


def test_it_goes_when_all_is_saved(viewer: ViewerModel, kept: Kept) -> None:
    park(Parked(kept, viewer, dict(zip((3, 5), viewer.layers, strict=True))))
    tell_saved(viewer.layers, moment())
    assert not kept.path.exists()
    release_closed()
    assert parked_sessions._parked == []


def test_without_a_window_it_is_offered_at_once_and_may_still_be_saved(viewer: ViewerModel, kept: Kept) -> None:
    park(Parked(kept, viewer, dict(zip((3, 5), viewer.layers, strict=True))), shown=False)
    assert free(kept)
    tell_saved(viewer.layers, moment())
    assert not kept.path.exists()


class Thing:
    """A viewer or a layer that nobody but the test knows."""

    layers: tuple[object, ...] = ()
    events = SimpleNamespace(name=SimpleNamespace(connect=lambda callback: None))


def test_those_who_hold_something_are_asked_for_it() -> None:
    asked: list[object] = []
    holding(asked.append)
    ask_for(["layer"])
    not_holding(asked.append)
    ask_for(["another"])
    assert asked == [["layer"]]


def test_it_keeps_nothing_alive(kept: Kept) -> None:
    viewer, layer = Thing(), Thing()
    viewer.layers = (layer,)
    gone = weakref.ref(layer)
    park(Parked(kept, viewer, {3: layer}))
    assert not free(kept)
    del viewer, layer
    gc.collect()
    assert gone() is None
    release_closed()
    assert free(kept)
