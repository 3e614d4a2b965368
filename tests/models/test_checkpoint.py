from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from napari_dextr.errors import ModelError, OutputError
from napari_dextr.models.checkpoint import (
    load_network,
    read_checkpoint,
    read_header,
    read_spec,
    weights_file,
    write_checkpoint,
)
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.spec import ModelSpec

OPTIONS = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1, 2]}
SPEC = ModelSpec(
    name="small", architecture="compact", options=OPTIONS, canvas=64, marks=("extreme", "inside"), has_score=True
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CompactNet(**OPTIONS).eval()


@pytest.fixture
def file(tmp_path, network):
    return write_checkpoint(tmp_path / "small.safetensors", network, SPEC)


def refusal(path: Path, match: str) -> str:
    """The one sentence that refuses a file."""
    with pytest.raises(ModelError, match=match) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")
    return message


# -- our own layout --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_what_is_written_comes_back(tmp_path, network, dtype):
    path = write_checkpoint(tmp_path / "a.safetensors", network, SPEC, dtype=dtype)
    spec, state = read_checkpoint(path)
    assert spec == SPEC
    expected = network.state_dict()
    assert set(state) == set(expected)
    tolerance = {torch.float16: 1e-3, torch.bfloat16: 1e-2, torch.float32: 0}[dtype]
    for name, tensor in state.items():
        assert tensor.dtype == expected[name].dtype
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensor, expected[name], rtol=tolerance, atol=tolerance * 1e-3)


def test_halves_are_stored_unless_told_otherwise(tmp_path, network, file):
    full = write_checkpoint(tmp_path / "full.safetensors", network, SPEC, dtype=torch.float32)
    assert file.stat().st_size < 0.7 * full.stat().st_size


def test_values_beyond_half_precision_survive(tmp_path, network):
    state = dict(network.state_dict())
    state["top.0.weight"] = state["top.0.weight"] + 1e5
    variance = next(name for name in state if name.endswith("running_var"))
    state[variance] = state[variance] * 1e6
    _, read = read_checkpoint(write_checkpoint(tmp_path / "a.safetensors", state, SPEC))
    assert torch.equal(read["top.0.weight"], state["top.0.weight"])
    assert torch.equal(read[variance], state[variance])


def test_the_network_comes_back(file, network):
    spec, loaded = load_network(file)
    assert spec == SPEC
    assert not loaded.training
    assert not any(tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))
    inputs = torch.randn(1, 11, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(loaded(inputs)[0], network(inputs)[0], rtol=0.02, atol=0.02)


def test_a_network_that_computes_a_buffer_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_dextr.models.architectures.ARCHITECTURES", {"own": f"{__name__}:WithBuffer"})
    spec = ModelSpec(name="own", architecture="own")
    _, loaded = load_network(write_checkpoint(tmp_path / "a.safetensors", WithBuffer(), spec))
    assert loaded.ramp.tolist() == [0, 1, 2]


class WithBuffer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.register_buffer("ramp", torch.arange(3.0), persistent=False)


def test_the_spec_is_read_from_the_header_alone(file):
    assert read_spec(file) == SPEC
    header = struct.unpack("<Q", file.read_bytes()[:8])[0]
    file.write_bytes(file.read_bytes()[: 8 + header])  # not one tensor left
    assert read_spec(file) == SPEC


def test_a_header_of_deep_brackets_is_broken(tmp_path):
    text = b"[" * 200_000
    (tmp_path / "deep.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    refusal(tmp_path / "deep.safetensors", "not in a layout")
    with pytest.raises(ModelError, match="incomplete or damaged"):
        read_header(tmp_path / "deep.safetensors")


def test_a_header_knows_how_long_its_file_is(file):
    raw = file.read_bytes()
    header, start = read_header(file, whole=True)
    assert start == 8 + struct.unpack("<Q", raw[:8])[0]
    assert start + max(header[name]["data_offsets"][1] for name in header if name != "__metadata__") == len(raw)
    file.write_bytes(raw[:-1])
    assert read_header(file) == (header, start)
    with pytest.raises(ModelError, match="incomplete or damaged"):
        read_header(file, whole=True)


@pytest.mark.parametrize("name", ["best.safetensors", "model.safetensors"])
def test_a_run_folder_stands_for_its_weights(tmp_path, network, name):
    write_checkpoint(tmp_path / name, network, SPEC)
    assert weights_file(tmp_path) == tmp_path / name
    assert read_checkpoint(tmp_path)[0] == SPEC


def test_the_best_of_a_run_comes_first(tmp_path, network):
    for name in ("model.safetensors", "best.safetensors"):
        write_checkpoint(tmp_path / name, network, SPEC)
    assert weights_file(str(tmp_path)).name == "best.safetensors"


def test_weights_that_are_not_finite_are_not_written(tmp_path, network):
    state = dict(network.state_dict())
    state["top.0.weight"] = state["top.0.weight"] * float("nan")
    with pytest.raises(ModelError, match=r"'top\.0\.weight' are not finite"):
        write_checkpoint(tmp_path / "a.safetensors", state, SPEC)
    assert not list(tmp_path.iterdir())


def test_writing_into_no_folder(tmp_path, network):
    with pytest.raises(OutputError, match="folder does not exist"):
        write_checkpoint(tmp_path / "nowhere" / "a.safetensors", network, SPEC)


def test_a_failed_write_leaves_the_old_file(file, network, monkeypatch):
    before = file.read_bytes()

    def full_disk(path, content):
        with path.open("wb") as half:
            half.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OutputError, match="disk is full"):
        write_checkpoint(file, network, SPEC)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


# -- published layout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["psp", "atrous"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_published_layout(tmp_path, hollow_state, head, zipped):
    path = tmp_path / "dextr_pascal-sbd.pth"
    state = OrderedDict((f"module.{name}", tensor) for name, tensor in hollow_state(head).items())
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    spec, read = read_checkpoint(path)
    assert spec.name == "dextr-pascal-sbd"
    assert spec.options == {"head": head}
    assert (spec.pipeline, spec.canvas, spec.margin, spec.threshold) == ("published", 512, 50, 0.8)
    assert spec.provenance["licence"] == "MIT"
    assert not any(name.startswith("module.") for name in read)
    assert sum(name.endswith("num_batches_tracked") for name in read) == len(read) - len(state)
    _, network = load_network(path)
    assert set(network.state_dict()) == set(read)


@pytest.mark.parametrize("nest", ["state_dict", "model"])
def test_nested_with_counters_under_another_name(tmp_path, hollow_state, nest):
    path = tmp_path / "mine.pth"
    counters = {
        name.replace("running_var", "num_batches_tracked"): torch.tensor(7)
        for name in hollow_state("psp")
        if name.endswith("running_var")
    }
    torch.save({"epoch": 3, nest: {**hollow_state("psp"), **counters}}, path)
    assert len(hollow_state("psp")) + len(counters) == 656
    spec, _ = read_checkpoint(path)
    assert spec.name == "mine"
    assert spec.options == {"head": "psp"}


def test_counters_are_taken_where_they_are(tmp_path, hollow_state):
    path = tmp_path / "mine.pth"
    torch.save({**hollow_state("psp"), "bn1.num_batches_tracked": torch.tensor(7)}, path)
    _, state = read_checkpoint(path)
    assert int(state["bn1.num_batches_tracked"]) == 7
    assert int(state["layer1.0.bn1.num_batches_tracked"]) == 0


def test_half_precision_pickles_become_float32(tmp_path, hollow_state):
    path = tmp_path / "half.pth"
    torch.save({name: tensor.half() for name, tensor in hollow_state("atrous").items()}, path)
    _, state = read_checkpoint(path)
    assert {tensor.dtype for name, tensor in state.items() if "num_batches" not in name} == {torch.float32}


# -- refusals --------------------------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    refusal(tmp_path / "none.pth", "does not exist")


def test_folder_without_weights(tmp_path):
    refusal(tmp_path, "holds no weights")


@pytest.mark.parametrize("content", [b"", b"x", b"not a checkpoint at all, but long enough"])
def test_arbitrary_bytes(tmp_path, content):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    refusal(path, "incomplete or damaged|not in a layout")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>404", b"\n <html><head><title>Moved</title></head></html>"])
def test_web_page_saved_as_weights(tmp_path, page):
    path = tmp_path / "dextr_coco.pth"
    path.write_bytes(page)
    refusal(path, "is a web page")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_truncated_pickle(tmp_path, zipped, share):
    path = tmp_path / "a.pth"
    torch.save({"layer5.final.weight": torch.ones(20_000)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refusal(path, "incomplete or damaged")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_truncated_safetensors(file, share):
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    refusal(file, "incomplete or damaged")


class Attack:
    """Writes a file when it is unpickled without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_code_is_never_run(tmp_path, hollow_state, how):
    mark, path = tmp_path / "ran", tmp_path / "a.pth"
    content = {**hollow_state("atrous"), "extra": Attack(mark)}
    if how == "pickle":
        path.write_bytes(pickle.dumps({"extra": Attack(mark)}, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    refusal(path, "could run code")
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"encoder.weight": torch.zeros(3)},
        {"state_dict": {}},
        [torch.zeros(3)],
        {"epoch": 3},
        torch.zeros(3),
        {"layer5.final.weight": 3},
    ],
    ids=["names", "empty", "list", "number", "tensor", "no tensor"],
)
def test_other_content(tmp_path, content):
    path = tmp_path / "a.pth"
    torch.save(content, path)
    refusal(path, "not in a layout this plugin knows")


def test_wrong_shape(tmp_path, hollow_state):
    path = tmp_path / "iog.pth"
    torch.save({**hollow_state("psp"), "conv1.weight": torch.zeros(64, 5, 7, 7)}, path)
    message = refusal(path, "'conv1.weight' have shape")
    assert "(64, 5, 7, 7) instead of (64, 4, 7, 7)" in message


def test_missing_weights(tmp_path, hollow_state):
    state = hollow_state("psp")
    del state["layer3.11.conv2.weight"]
    path = tmp_path / "a.pth"
    torch.save(state, path)
    refusal(path, "lacks the weights 'layer3.11.conv2.weight'")


def test_surplus_weights(tmp_path, hollow_state):
    path = tmp_path / "a.pth"
    torch.save({**hollow_state("psp"), "aux.weight": torch.zeros(1), "aux.bias": torch.zeros(1)}, path)
    refusal(path, r"no place for \('aux.weight' and 1 more\)")


def test_safetensors_without_a_spec(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    refusal(path, "no spec in its header")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"architecture": "transformer"}, "unknown network architecture, 'transformer'"),
        ({"options": {"depth": 3}}, "in a way this version cannot build"),
        ({"options": {**OPTIONS, "decoder": 16}}, "have shape"),
    ],
)
def test_specs_that_do_not_fit(tmp_path, network, changes, match):
    from dataclasses import replace

    path = write_checkpoint(tmp_path / "a.safetensors", network, replace(SPEC, **changes))
    with pytest.raises(ModelError, match=match):
        read_checkpoint(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, network, value):
    path = write_checkpoint(tmp_path / "a.safetensors", network, SPEC)
    state = load(path.read_bytes())
    state["top.0.weight"].reshape(-1)[0] = value
    path.write_bytes(save(state, metadata={"spec": SPEC.to_json()}))
    with pytest.raises(ModelError, match="'top.0.weight' are not finite"):
        read_checkpoint(path)


def test_a_canvas_that_the_network_cannot_halve_is_refused_at_once(tmp_path, network):
    write_checkpoint(tmp_path / "odd.safetensors", network, replace(SPEC, canvas=72))
    with pytest.raises(ModelError, match="cannot be run"):
        load_network(tmp_path / "odd.safetensors")
