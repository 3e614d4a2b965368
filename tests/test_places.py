"""One folder for all that is the user's, which one variable moves."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from napari_dextr import places
from napari_dextr.models import own
from napari_dextr.training.finetune_runs import runs_folder


def test_the_variable_moves_models_and_runs(monkeypatch, tmp_path):
    monkeypatch.delenv(own.MODELS_VARIABLE, raising=False)
    monkeypatch.setenv(places.DATA_VARIABLE, str(tmp_path))
    assert places.data_folder() == tmp_path
    assert own.models_folder() == tmp_path / "models"
    assert runs_folder() == tmp_path / "runs"


def test_a_library_elsewhere_does_not_take_the_runs_along(monkeypatch, tmp_path):
    monkeypatch.setenv(places.DATA_VARIABLE, str(tmp_path))
    monkeypatch.setenv(own.MODELS_VARIABLE, "/srv/lab/models")
    assert own.models_folder() == Path("/srv/lab/models")
    assert runs_folder() == tmp_path / "runs"


@pytest.mark.parametrize("value", [None, " "])
def test_without_it_the_system_has_a_place(monkeypatch, value):
    if value is None:
        monkeypatch.delenv(places.DATA_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(places.DATA_VARIABLE, value)
    assert places.data_folder() == platformdirs.user_data_path("napari-dextr", appauthor=False)


def test_a_home_is_understood(monkeypatch):
    monkeypatch.setenv(places.DATA_VARIABLE, "~/annotations")
    assert places.data_folder() == Path.home() / "annotations"
