"""The model as the widgets see it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from napari_dextr.errors import ModelError
from napari_dextr.models.catalogue import EMBEDDED_FILE
from napari_dextr.prompt import Prompt
from napari_dextr.session import KINDS, Request
from napari_dextr.widgets.model_client import ModelClient, load_segmenter, segment_somewhere

POINTS = [(2, 10), (10, 1), (18, 11), (9, 20)]


@pytest.fixture
def client(qtbot: Any, load: Callable[[str, str], Any]) -> Iterator[ModelClient]:
    made = ModelClient(load)
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.running)


def test_loading(qtbot: Any, client: ModelClient, segmenter: Any) -> None:
    assert not client.loading
    assert client.kinds == (*KINDS, "box")
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


def test_a_model_that_cannot_be_loaded_leaves_the_one_before_in_use(
    qtbot: Any, client: ModelClient, segmenter: Any
) -> None:
    with qtbot.waitSignal(client.loaded):
        client.choose("/data/fake.pth", "cpu")
    with qtbot.waitSignals([client.load_failed, client.returned, client.loaded], order="strict") as said:
        client.choose("broken", "cuda")
    failed, returned, _ = said.all_signals_and_args
    assert str(failed.args[0]) == (
        "This model is broken; choose another one. The model before, 'fake.pth', stays in use."
    )
    assert returned.args == ("/data/fake.pth", "cpu")
    assert (client.source, client.segmenter, client.error) == ("/data/fake.pth", segmenter, None)
    with qtbot.waitSignal(client.answered):
        client.ask(Request(1, Prompt.extreme(POINTS)), np.zeros((30, 30), np.uint8), None)


class OutOfMemoryError(RuntimeError):
    """Told by its name: torch.OutOfMemoryError, of which torch has to be imported to speak."""


class SmallGpu:
    """A segmenter without room on its GPU."""

    def __init__(self, segmenter: Any, device: str = "cuda:0") -> None:
        self._segmenter = segmenter
        self.spec, self.device, self.runtime = segmenter.spec, device, self

    def to(self, device: str) -> None:
        self.device = device

    def segment(self, *arguments: Any, **options: Any) -> Any:
        if self.device != "cpu":
            raise OutOfMemoryError("CUDA out of memory")
        return self._segmenter.segment(*arguments, **options)


def test_without_room_on_the_gpu_the_cpu_takes_over(qtbot: Any, segmenter: Any) -> None:
    client = ModelClient(lambda source, device, progress: SmallGpu(segmenter))
    with qtbot.waitSignal(client.loaded):
        client.choose("fake", "auto")
    with qtbot.waitSignals([client.moved, client.answered]) as said:
        client.ask(Request(1, Prompt.extreme(POINTS)), np.zeros((30, 30)), None)
    assert {signal.args[0] for signal in said.all_signals_and_args} == {"cpu", 1}
    assert client.segmenter.device == "cpu"
    client.stop()
    qtbot.waitUntil(lambda: not client.running)


def test_out_of_memory_on_the_cpu_is_reported(segmenter: Any) -> None:
    small = SmallGpu(segmenter)
    small.to = lambda device: None  # type: ignore[method-assign]
    with pytest.raises(OutOfMemoryError):
        segment_somewhere(small, np.zeros((30, 30)), Prompt.extreme(POINTS), None)
    with pytest.raises(OutOfMemoryError):
        segment_somewhere(SmallGpu(small, "cpu"), np.zeros((30, 30)), Prompt.extreme(POINTS), None)


def test_the_default_loader_is_the_librarys_and_warms_up(monkeypatch: pytest.MonkeyPatch, segmenter: Any) -> None:
    import napari_dextr.models

    seen: list[Any] = []

    def load_model(source: str, *, device: str, progress: Any) -> Any:
        seen.append((source, device))
        if device == "cuda":
            raise ModelError("There is not enough memory on cuda.") from OutOfMemoryError()
        if source == "missing":
            raise ModelError("There is no such model.")
        return segmenter

    monkeypatch.setattr(napari_dextr.models, "load_model", load_model, raising=False)
    assert load_segmenter("embedded", "cpu") is segmenter
    assert len(segmenter.calls) == 1
    assert load_segmenter("embedded", "cuda") is segmenter
    assert seen == [("embedded", "cpu"), ("embedded", "cuda"), ("embedded", "cpu")]
    with pytest.raises(ModelError, match="no such"):
        load_segmenter("missing", "cpu")


def test_a_download_tells_how_far_it_is_and_can_be_cancelled(qtbot: Any, segmenter: Any) -> None:
    gate, ended = threading.Event(), threading.Event()

    def load(source: str, device: str, progress: Any) -> Any:
        progress(50, 200)
        assert gate.wait(30)
        try:
            progress(100, 200)
        finally:
            ended.set()
        return segmenter

    client = ModelClient(load)
    with qtbot.waitSignal(client.progressed):
        client.choose("far away", "auto")
    assert client.progress == (50, 200)
    with qtbot.waitSignal(client.load_failed) as failed:
        client.cancel_load()
    assert "cancelled" in str(failed.args[0])
    assert not client.loading
    assert client.progress is None
    gate.set()
    assert ended.wait(30)
    client.cancel_load()
    client.stop()
    qtbot.waitUntil(lambda: not client.running)
    assert client.segmenter is None


@pytest.mark.skipif(not EMBEDDED_FILE.is_file(), reason="this checkout has no embedded weights yet")
def test_loading_leaves_torchs_compiler_alone() -> None:
    """It takes seconds to import, and its LLVM crashes the process where Mesa draws the viewer with another LLVM."""
    program = (
        "import sys; from napari_dextr.widgets.model_client import load_segmenter; "
        "load_segmenter('embedded', 'cpu'); print(*sorted({'torch._dynamo', 'triton'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_a_cancelled_choice_goes_back_to_the_model_before(qtbot: Any, segmenter: Any) -> None:
    gate = threading.Event()

    def load(source: str, device: str, progress: Any) -> Any:
        if source == "slow":
            assert gate.wait(30)
        return segmenter

    client = ModelClient(load)
    with qtbot.waitSignal(client.loaded):
        client.choose("fake", "cpu")
    client.choose("slow", "cuda")
    said: list[str] = []
    client.cancelled.connect(said.append)
    with qtbot.waitSignals([client.returned, client.loaded]) as back, qtbot.assertNotEmitted(client.moved):
        client.cancel_load()
        client.cancel_load()  # a double click
    assert said == ["'fake' is in use again; loading 'slow' was cancelled."]
    assert back.all_signals_and_args[0].args == ("fake", "cpu")
    assert (client.source, client.segmenter, client.error) == ("fake", segmenter, None)
    gate.set()
    client.stop()
    qtbot.waitUntil(lambda: not client.running)


def arrived(client: ModelClient, number: int) -> Any:
    """The news of a load, once its thread has told it and before anybody has heard."""
    told = threading.Event()
    emit, count = client._worker._emit, 0

    def watched(signal: Any, *values: Any) -> None:
        nonlocal count
        emit(signal, *values)
        count += 1
        if count == number:
            told.set()

    client._worker._emit = watched  # type: ignore[method-assign]
    return told


@pytest.mark.parametrize("first", ["fine", "broken"])
def test_news_of_a_model_that_nobody_wants_any_more_is_not_heard(
    qtbot: Any, client: ModelClient, segmenter: Any, first: str
) -> None:
    other, gate = type(segmenter)(), threading.Event()

    def load(source: str, device: str, progress: Any) -> Any:
        if source == "broken":
            raise ModelError("It is broken.")
        if source == "next":
            assert gate.wait(30)
            return other
        return segmenter

    client._load = load
    with qtbot.waitSignal(client.loaded):
        client.choose("before", "cpu")
    told = arrived(client, 1 if first == "fine" else 2)
    client.choose(first, "cpu")
    assert told.wait(30)
    client.choose("next", "cpu")  # before the main thread has heard
    with qtbot.assertNotEmitted(client.loaded, wait=50), qtbot.assertNotEmitted(client.returned):
        pass
    assert client.loading
    with qtbot.waitSignal(client.loaded):
        gate.set()
    assert (client.source, client.segmenter) == ("next", other)


def test_a_cancel_that_comes_too_late_changes_nothing(qtbot: Any, client: ModelClient, segmenter: Any) -> None:
    other = type(segmenter)()
    with qtbot.waitSignal(client.loaded):
        client.choose("before", "cpu")
    client._load = lambda source, device, progress: other
    told = arrived(client, 1)
    client.choose("quick", "cpu")
    assert told.wait(30)
    with qtbot.assertNotEmitted(client.cancelled), qtbot.waitSignal(client.loaded):
        client.cancel_load()
    assert (client.source, client.segmenter) == ("quick", other)
