"""The new model: used, renamed, exported, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel

from napari_dextr.errors import ModelError
from napari_dextr.models import own
from napari_dextr.models.catalogue import EMBEDDED_FILE
from napari_dextr.widgets.fine_tune_model import NewModel

from .fake_training import Annotate


@pytest.fixture
def annotate(qtbot: Any, library: Path) -> Annotate:
    return Annotate()


@pytest.fixture
def model(library: Path, annotate: Annotate) -> NewModel:
    own.keep_model(EMBEDDED_FILE, "cells")
    made = NewModel(ViewerModel(), lambda _: annotate)
    made.take("cells")
    return made


def names() -> list[str]:
    return [model.name for model in own.own_models()]


def test_use_and_back(model: NewModel, annotate: Annotate) -> None:
    model.use()
    assert annotate.chosen == ["cells"]
    assert model.old == "embedded"
    model.use()
    assert annotate.chosen == ["cells"]
    model.revert()
    assert annotate.chosen == ["cells", "embedded"]
    assert model.old is None


def test_renaming(model: NewModel, annotate: Annotate) -> None:
    model.use()
    model.rename("nuclei")
    assert (model.name, names()) == ("nuclei", ["nuclei"])
    annotate.models.reload()
    assert annotate.models.source == "nuclei"
    with pytest.raises(ModelError):
        model.rename("embedded")
    assert model.name == "nuclei"


def test_export(model: NewModel, tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    path.write_bytes(b"older")
    assert model.export(path) == path
    assert path.stat().st_size > 1000


def test_throwing_away_goes_back_to_the_old_model(model: NewModel, annotate: Annotate) -> None:
    model.use()
    model.remove()
    assert annotate.models.source == "embedded"
    assert names() == []
    assert (model.name, model.old) == (None, None)


def test_one_that_was_not_kept_is_thrown_away_without_a_word(model: NewModel) -> None:
    model.take(None)
    model.remove()
    assert names() == ["cells"]


def test_throwing_away_leaves_what_was_chosen_since(model: NewModel, annotate: Annotate) -> None:
    model.use()
    own.keep_model(EMBEDDED_FILE, "other")
    annotate.models.reload()
    annotate.models.choose("other")
    model.remove()
    assert annotate.models.source == "other"
    assert model.old is None
