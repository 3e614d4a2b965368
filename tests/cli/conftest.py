"""A model on disk for the commands, and a way to call them."""

from __future__ import annotations

from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from napari_dextr.cli import app
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A small untrained model that takes every mark, as a file."""
    torch.manual_seed(0)
    network = CompactNet((8, 8, 8, 8), (1, 1, 1, 1), 8, (1,))
    spec = ModelSpec("tiny", "compact", options=_options(), canvas=32, marks=MARKS, threshold=0.3, has_score=True)
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors", network, spec)


def _options() -> dict:
    return {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1]}


@pytest.fixture
def photo(tmp_path) -> Path:
    """A PNG of 40 x 50 pixels."""
    path = tmp_path / "photo.png"
    imageio.v3.imwrite(path, np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))
    return path


@pytest.fixture
def call():
    """Run a command line in this process."""

    def _call(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200", "TERM": "dumb"})

    return _call


@pytest.fixture
def refused(call):
    """Run a command line that must end with code 2 and one sentence on standard error; returns the sentence."""

    def _refused(*words: object) -> str:
        result = call(*words)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("napari-dextr: ")
        return result.stderr

    return _refused
