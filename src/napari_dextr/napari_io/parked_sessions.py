"""Sessions whose widget was closed while their viewer lives on: what they left unsaved still lies in its layers.

Nobody needs to recover that yet, and it may still be saved. Once the layers or the process are gone, it is offered.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ..session.kept import Kept
from .placement import plain
from .saved_layers import listen
from .saved_session import describe


class Parked:
    """One such session.

    Parameters
    ----------
    kept : Kept
    viewer : Viewer or ViewerModel
    layers : mapping of int to Labels
        What the numbers in ``kept`` stand for.

    Attributes
    ----------
    kept : Kept
    offered : bool
        Whether it can be recovered, as its layers are no longer in the viewer.
    """

    def __init__(self, kept: Kept, viewer: Any, layers: Mapping[int, Any]) -> None:
        self.kept = kept
        self.offered = False
        self._viewer = weakref.ref(plain(viewer))  # arrays of layers are large: nothing is kept alive for this
        self._layers = {number: weakref.ref(plain(layer)) for number, layer in layers.items()}
        for layer in layers.values():
            layer.events.name.connect(self._on_renamed)  # for as long as this is parked: napari holds it weakly

    def number_of(self, layer: Any) -> int | None:
        """What stands in the journal for a layer with something unsaved."""
        found = (number for number in self.kept.rests if number in self._layers and self._layers[number]() is layer)
        return next(found, None)

    @property
    def open(self) -> bool:
        """Whether one of these layers is in the viewer still."""
        viewer = self._viewer()
        layers = () if viewer is None else viewer.layers
        return any(self.number_of(plain(layer)) is not None for layer in layers)

    @property
    def alive(self) -> bool:
        """Whether somebody holds one of these layers: an export that began before it was removed."""
        return any(number in self.kept.rests and layer() is not None for number, layer in self._layers.items())

    def _on_renamed(self, event: Any) -> None:
        layer = plain(event.source)
        number = None if self.offered else self.number_of(layer)
        if number is not None:
            self.kept.rename(number, describe(layer))


_parked: list[Parked] = []
_holders: list[Callable[[Collection[Any]], None]] = []
_hearers: list[Callable[[], None]] = []


def holding(asked: Callable[[Collection[Any]], None]) -> None:
    """Have a function called with the layers that a session goes on with: to park what is held of them still."""
    _holders.append(asked)


def not_holding(asked: Callable[[Collection[Any]], None]) -> None:
    """Have it called no more."""
    _holders[:] = [other for other in _holders if other != asked]


def ask_for(layers: Collection[Any]) -> None:
    """Have everybody who holds something unsaved of some layers park it."""
    for asked in tuple(_holders):
        asked(layers)


def hear(released: Callable[[], None]) -> None:
    """Have a function called whenever a journal can be recovered whose layers are gone."""
    _hearers.append(released)


def hear_no_more(released: Callable[[], None]) -> None:
    """Have it called no more."""
    _hearers[:] = [other for other in _hearers if other != released]


def park(parked: Parked, *, shown: bool = True) -> None:
    """Hold the journal of a session that has ended back as long as its layers are in the viewer.

    Parameters
    ----------
    parked : Parked
    shown : bool
        Whether the viewer has its window still. Where it has none nobody sees the layers, but a program may save them.
    """
    _parked.append(parked)
    if not shown:
        parked.kept.release()
    release_closed()


def release_closed() -> None:
    """Let the journals be recovered whose layers are gone."""
    news = False
    for parked in tuple(_parked):
        if not parked.offered and not parked.open:
            parked.offered = True
            parked.kept.release()
            news = news or bool(parked.kept.rests)
        if parked.offered and not parked.alive:
            _parked.remove(parked)
    if news:
        for released in tuple(_hearers):
            released()


def parked_with(layers: Collection[Any]) -> Iterator[tuple[Parked, int, Any]]:
    """What earlier sessions left unsaved in some layers: the session, the number in its journal, and the layer."""
    for parked in tuple(_parked):
        for layer in layers:
            number = None if parked.offered else parked.number_of(layer)
            if number is not None:
                yield parked, number, layer


def _on_saved(layer: Any, began: int) -> None:
    for parked in tuple(_parked):
        number = parked.number_of(layer)
        if number is not None:
            parked.kept.save(number, began)


listen(_on_saved)
