"""Outcomes: kept in the run folder, read again, told where damaged."""

from __future__ import annotations

import pytest

from napari_dextr.errors import DataError
from napari_dextr.training.outcome import COMPARISONS, MODEL, OUTCOME, TUNED, Outcome, read_outcome
from napari_dextr.training.verdict import Verdict


def test_an_outcome_is_read_as_it_was_written(tmp_path):
    verdict = Verdict.of([0.5] * 6, [0.7, 0.8, 0.7, 0.8, 0.7, 0.8], range(6))
    outcome = Outcome(tmp_path / MODEL, 4, 2, {"own": 0.5}, {"own": 0.75}, 0.45, "finished", verdict, tmp_path / TUNED)
    assert read_outcome(tmp_path) is None
    outcome.write(tmp_path)
    assert read_outcome(tmp_path) == outcome
    plain = Outcome(tmp_path / MODEL, 4, 4, {}, {}, 0.5, "settled")
    plain.write(tmp_path)
    assert read_outcome(tmp_path) == plain


@pytest.mark.parametrize("content", ["{", "{}", '{"steps": null}', "[]"])
def test_a_damaged_one_is_told(tmp_path, content):
    (tmp_path / OUTCOME).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="outcome in"):
        read_outcome(tmp_path)


def test_damaged_pictures_are_left_out(tmp_path):
    Outcome(tmp_path / MODEL, 4, 4, {}, {}, 0.5, "settled").write(tmp_path)
    (tmp_path / COMPARISONS).write_bytes(b"PK")
    assert read_outcome(tmp_path).objects == ()
