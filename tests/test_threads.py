from __future__ import annotations

import os
import sys

import pytest

from napari_dextr.threads import wait_politely


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A program that has not imported torch, and whose user has said nothing."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # put back at the end, whatever the test sets
        monkeypatch.delenv(name)
    return monkeypatch


def test_threads_spin_a_moment_and_sleep(early: pytest.MonkeyPatch) -> None:
    wait_politely()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert 0 < int(os.environ["GOMP_SPINCOUNT"]) < 300_000  # the usual number


def test_what_the_user_says_holds(early: pytest.MonkeyPatch) -> None:
    early.setenv("GOMP_SPINCOUNT", "7")
    wait_politely()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    early.setenv("OMP_WAIT_POLICY", "ACTIVE")
    early.delenv("GOMP_SPINCOUNT")
    wait_politely()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert "GOMP_SPINCOUNT" not in os.environ


def test_once_torch_is_there_nothing_is_set(early: pytest.MonkeyPatch) -> None:
    early.setitem(sys.modules, "torch", sys)
    wait_politely()
    assert "OMP_WAIT_POLICY" not in os.environ
