"""The model as the widgets see it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from napari_dextr.models.registry import EMBEDDED_FILE
from napari_dextr.prompt import Prompt
from napari_dextr.session import KINDS, Request
from napari_dextr.widgets import model_client
from napari_dextr.widgets.model_client import ModelClient, load_segmenter

POINTS = [(2, 10), (10, 1), (18, 11), (9, 20)]


@pytest.fixture
def client(qtbot: Any, load: Callable[[str, str], Any]) -> Iterator[ModelClient]:
    made = ModelClient(load)
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.running)


def test_loading(qtbot: Any, client: ModelClient, segmenter: Any) -> None:
    assert not client.loading
    assert client.kinds == KINDS
    segmenter.spec = type(segmenter)(("extreme",)).spec
    with qtbot.waitSignal(client.loaded):
        client.choose("fake", "auto")
        assert client.loading
    assert not client.loading
    assert client.segmenter is segmenter
    assert client.kinds == ("extreme",)


def test_asking(qtbot: Any, client: ModelClient, segmenter: Any) -> None:
    image = np.zeros((30, 30), np.uint8)
    client.choose("fake", "auto")
    with qtbot.waitSignal(client.answered) as answered:
        client.ask(Request(7, Prompt.extreme(POINTS)), image, (0.0, 9.0))
    serial, segmentation = answered.args
    assert serial == 7
    assert segmentation.mask.any()
    assert segmenter.calls[0][0] is image
    assert segmenter.calls[0][2] == (0.0, 9.0)


def test_a_model_that_cannot_be_loaded(qtbot: Any, client: ModelClient) -> None:
    with qtbot.waitSignal(client.load_failed) as failed:
        client.choose("broken", "auto")
    assert client.error is failed.args[0]
    assert not client.loading
    with qtbot.waitSignal(client.failed) as refused:
        client.ask(Request(1, Prompt.extreme(POINTS)), np.zeros((30, 30)), None)
    assert refused.args == [1, client.error]


def test_the_default_loader_is_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_dextr.models

    seen: list[Any] = []
    monkeypatch.setattr(
        napari_dextr.models, "load_model", lambda source, *, device: seen.append((source, device)), raising=False
    )
    load_segmenter("embedded", "cpu")
    assert seen == [("embedded", "cpu")]
    assert model_client.ModelLoader


@pytest.mark.skipif(not EMBEDDED_FILE.is_file(), reason="this checkout has no embedded weights yet")
def test_loading_leaves_torchs_compiler_alone() -> None:
    """It takes seconds to import, and its LLVM crashes the process where Mesa draws the viewer with another LLVM."""
    program = (
        "import sys; from napari_dextr.widgets.model_client import load_segmenter; "
        "load_segmenter('embedded', 'cpu'); print(*sorted({'torch._dynamo', 'triton'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
