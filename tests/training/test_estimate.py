"""The time of a training, told beforehand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from napari_dextr.errors import DataError, ModelError
from napari_dextr.training import estimate
from napari_dextr.training.estimate import estimate_seconds, seconds_of_pass
from napari_dextr.training.finetune_plan import SCRATCH, FineTunePlan


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other tests have measured does not count here."""
    monkeypatch.setattr(estimate, "_known", {})


def plan(**others: Any) -> FineTunePlan:
    return FineTunePlan(None, Path(), device="cpu", **others)


def test_more_work_takes_longer() -> None:
    quick = estimate_seconds(plan(), 10)
    assert quick is not None
    assert quick > 0
    thorough, longer, few = (
        estimate_seconds(plan(preset="thorough"), 10),
        estimate_seconds(plan(settings={"steps": 400}), 10),
        estimate_seconds(plan(hold_out=0.2), 10),  # no cross-validation
    )
    assert thorough is not None
    assert longer is not None
    assert few is not None
    assert few < quick < thorough
    assert longer > 5 * quick


def test_a_model_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = estimate_seconds(plan(), 10)
    monkeypatch.setattr("napari_dextr.models.open_network", lambda _: pytest.fail("opened again"))
    assert estimate_seconds(plan(), 10) == first


def test_the_first_pass_which_sets_the_network_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 2.0, 2.0, 2.3, 3.0, 3.4])  # a slow machine: two seconds, then what a pass takes
    monkeypatch.setattr(estimate, "time", SimpleNamespace(perf_counter=lambda: next(moments)))
    known = seconds_of_pass("embedded", "cpu")
    assert known is not None
    assert known[1] == pytest.approx(0.3)


def test_nothing_is_downloaded_for_an_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(tmp_path))
    monkeypatch.setattr("napari_dextr.models.download.fetch", lambda *_, **__: pytest.fail("downloaded"))
    assert estimate_seconds(plan(initial="dextr-pascal-sbd"), 10) is None


def test_a_start_from_scratch_is_not_estimated() -> None:
    assert estimate_seconds(plan(initial=SCRATCH), 10) is None


def test_what_cannot_be_trained_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        estimate_seconds(plan(initial=str(tmp_path / "missing.safetensors")), 10)
    with pytest.raises(DataError):
        estimate_seconds(plan(settings={"no_such": 1}), 10)
