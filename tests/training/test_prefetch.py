"""Drawing ahead: in order, no further than asked, and an error reaches the one who waits."""

from __future__ import annotations

import threading

import pytest

from napari_dextr.training.prefetch import drawn_ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_everything_comes_in_order(threads):
    assert list(drawn_ahead(lambda step: step * step, 3, 9, threads)) == [9, 16, 25, 36, 49, 64]


def test_no_more_is_drawn_than_was_asked_ahead():
    drawn, lock = [], threading.Lock()

    def draw(step):
        with lock:
            drawn.append(step)
        return step

    batches = drawn_ahead(draw, 0, 100, 2)
    assert next(batches) == 0
    batches.close()
    assert max(drawn) <= 2


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_comes_out_where_its_batch_would(threads):
    def draw(step):
        if step == 2:
            raise ValueError("broken crop")
        return step

    batches = drawn_ahead(draw, 0, 5, threads)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="broken crop"):
        next(batches)
