"""Labels in use are found without a pause in the viewer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_dextr.errors import OutputError
from napari_dextr.napari_io.label_scan import LabelScan, highest_of, is_small, known_highest


class Slow:
    """A lazy array that waits to be allowed, and can fail."""

    def __init__(self, data: np.ndarray) -> None:
        self.data_, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.threads: set[str] = set()

    def __getitem__(self, key: Any) -> np.ndarray:
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        return self.data_[key]


def test_the_highest_of_any_array(tmp_path: Path) -> None:
    data = np.zeros((5, 20, 30), np.uint8)
    data[2, 3, 4] = 77
    assert highest_of(data) == 77
    assert highest_of(data.transpose(2, 0, 1)) == 77
    assert highest_of(np.full((4, 4), -3)) == 0
    assert highest_of(np.zeros((0, 4))) == 0
    zarr, dask = pytest.importorskip("zarr"), pytest.importorskip("dask.array")
    stored = zarr.open(str(tmp_path / "labels.zarr"), mode="w", shape=data.shape, chunks=(1, 8, 8), dtype="u1")
    stored[...] = data
    assert highest_of(stored) == 77
    assert highest_of(dask.from_array(data, chunks=(1, 7, 9))) == 77


def test_small_arrays_in_memory_are_read_at_once(tmp_path: Path) -> None:
    assert is_small(np.zeros((4000, 4000), np.uint16))
    assert not is_small(np.zeros((20_000, 20_000), np.uint16))
    assert not is_small(Slow(np.zeros((3, 3), int)))


def test_record_and_table_name_labels() -> None:
    layer = Labels(np.zeros((5, 5), int))
    assert known_highest(layer) == 0
    layer.features = {"index": [3, 12], "class": ["a", "b"]}
    assert known_highest(layer) == 12
    layer.metadata["napari_dextr"] = {"objects": {"40": {}, 7: {}}}
    assert known_highest(layer) == 40


def test_a_lazy_layer_is_read_in_another_thread() -> None:
    data = Slow(np.array([[0, 5], [900, 3]]))
    layer = Labels(data)
    data.threads.clear()
    data.gate.clear()
    data.entered.clear()
    done = threading.Event()
    scan = LabelScan(layer, done.set)
    assert data.entered.wait(30)
    assert scan.running
    with pytest.raises(OutputError, match=r"still being read.*0%"):
        scan.result("cells")
    data.gate.set()
    assert done.wait(30)
    assert not scan.running
    assert scan.result("cells") == 900
    assert data.threads == {"napari-dextr labels in use"}


def test_a_cancelled_scan_says_nothing() -> None:
    data = Slow(np.ones((3, 3), int))
    layer = Labels(data)
    data.gate.clear()
    done = threading.Event()
    scan = LabelScan(layer, done.set)
    scan.cancel()
    data.gate.set()
    scan.wait(30)
    assert not done.is_set()


def test_a_layer_that_cannot_be_read_is_said() -> None:
    data = Slow(np.ones((3, 3), int))
    layer = Labels(data)
    data.error = OSError("the drive is gone")
    done = threading.Event()
    scan = LabelScan(layer, done.set)
    assert done.wait(30)
    with pytest.raises(OutputError, match=r"the drive is gone.*choose another"):
        scan.result("cells")
