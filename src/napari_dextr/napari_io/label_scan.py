"""Which labels are in use in a Labels layer: at once for small arrays, in a thread for large and lazy ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutputError
from .label_storage import finest, pieces
from .object_table import given_highest, record
from .placement import plain

if TYPE_CHECKING:
    from napari.layers import Labels

_AT_ONCE = 1 << 27  # bytes in memory that are read without a pause that anybody notices


def known_highest(layer: Labels) -> int:
    """Highest label that was given in a layer, or that its record and features table name; 0 where there is none."""
    layer = plain(layer)
    facts, _ = record(layer)
    named = [given_highest(layer), *facts]
    if "index" in layer.features:
        named += [int(label) for label in layer.features["index"] if label == label]
    return max(named)


def is_small(array: Any) -> bool:
    """Whether an array can be read in the main thread."""
    return isinstance(array, np.ndarray) and array.nbytes <= _AT_ONCE


def highest_of(array: Any, going: Callable[[float], bool] = lambda _: True) -> int:
    """Highest value of an array, at least 0, read piece by piece.

    Parameters
    ----------
    array : array-like
    going : callable
        Called with the share that is done, 0 to 1; the reading ends early where it answers False.
    """
    highest = 0
    blocks = list(pieces(array)) if array.shape and all(array.shape) else []
    for done, block in enumerate(blocks):
        if not going(done / len(blocks)):
            break
        highest = max(highest, int(np.asarray(array[block]).max()))
    return highest


class LabelScan:
    """Reads the highest label of a layer in a thread of its own. No label is given before it has ended.

    Parameters
    ----------
    layer : Labels
        Read as it is now; labels that are painted meanwhile must be noted by whoever listens to the layer.
    finished : callable
        Called in that thread at the end, unless the scan was cancelled.
    """

    def __init__(self, layer: Labels, finished: Callable[[], None]) -> None:
        self._array = finest(layer)  # the thread must not touch the layer
        self._finished = finished
        self._cancelled = False
        self._share = 0.0
        self._highest: int | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="napari-dextr labels in use", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the labels in use are not known yet."""
        return self._highest is None and self._error is None and not self._cancelled

    def result(self, name: str) -> int:
        """The highest label.

        Raises
        ------
        OutputError
            While it is not known, or if the layer could not be read.
        """
        if self._error is not None:
            raise OutputError(
                f"The labels in use in '{name}' could not be read ({self._error}); choose another Labels layer."
            )
        if self._highest is None:
            raise OutputError(
                f"'{name}' is still being read for the labels in use ({self._share:.0%}); accept again in a moment."
            )
        return self._highest

    def cancel(self) -> None:
        """End the thread soon. Does not wait."""
        self._cancelled = True

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the thread to end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            highest = highest_of(self._array, self._going)
        except Exception as error:  # of whatever library holds the pixels
            self._error = error
        else:
            self._highest = highest
        if not self._cancelled:
            self._finished()

    def _going(self, share: float) -> bool:
        self._share = share
        return not self._cancelled
