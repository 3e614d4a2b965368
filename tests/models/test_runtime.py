from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_dextr.errors import ModelError
from napari_dextr.models import runtime as module
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.runtime import Runtime, choose_device, choose_dtype, cpu_has_bfloat16, fold_normalisation
from napari_dextr.models.spec import ModelSpec

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
SPEC = ModelSpec("small", "compact", has_score=True)
AGREES = ModelSpec("small", "compact", has_score=True, reduced_precision=True)


def settled(network: nn.Module) -> nn.Module:
    """Normalisation statistics as after training, not the identity of fresh ones."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor, low, high in (
                (layer.running_mean, -0.3, 0.3),
                (layer.running_var, 0.5, 1.5),
                (layer.weight.data, 0.5, 1.5),
                (layer.bias.data, -0.3, 0.3),
            ):
                tensor.uniform_(low, high, generator=generator)
    return network.eval()


@pytest.fixture
def network():
    torch.manual_seed(0)
    return settled(CompactNet(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), decoder=8, pools=(1, 2)))


@pytest.fixture
def inputs():
    return torch.randn(2, 11, 64, 64, generator=torch.Generator().manual_seed(1))


def normalisations(network: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


# -- arithmetic ------------------------------------------------------------------------------------------------------


def test_full_precision_is_the_network_itself(network, inputs):
    output = Runtime(network, AGREES, "cpu", "full")(inputs)
    with torch.no_grad():
        logits, score = network(inputs)
    assert torch.equal(output.logits, logits)
    assert output.score is not None
    assert torch.equal(output.score, torch.sigmoid(score).reshape(-1))


def test_auto_is_float32_unless_agreement_was_shown(network, inputs):
    runtime = Runtime(network, SPEC, "cpu", "auto")
    assert runtime.precision == "float32"
    with torch.no_grad():
        logits, _ = network(inputs)
    torch.testing.assert_close(runtime(inputs).logits, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("there", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_lowers_precision_where_it_pays(network, inputs, monkeypatch, there, expected):
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: there)
    assert Runtime(network, AGREES, "cpu", "auto").precision == expected


def test_reduced_precision_is_close_and_answers_in_float32(network, inputs):
    runtime = Runtime(network, SPEC, "cpu", "reduced")
    assert runtime.precision == "bfloat16"
    output = runtime(inputs)
    assert output.logits.dtype == torch.float32
    assert output.score is not None
    assert output.score.dtype == torch.float32
    assert output.score.shape == (2,)
    with torch.no_grad():
        logits, _ = network(inputs)
    assert not torch.equal(output.logits, logits)
    assert float((output.logits - logits).abs().max()) < 0.1 * float(logits.std())


def test_networks_without_a_score(inputs):
    output = Runtime(nn.Conv2d(11, 1, 3), SPEC, "cpu")(inputs)
    assert output.score is None
    assert output.logits.shape == (2, 1, 62, 62)


def test_the_network_given_is_left_alone(network, inputs):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for precision in ("full", "auto", "reduced"):
        Runtime(network, AGREES, "cpu", precision)(inputs)
    assert network.training
    assert normalisations(network) > 0
    assert all(parameter.requires_grad for parameter in network.parameters())
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])


def test_answers_carry_no_gradient(network, inputs):
    assert not Runtime(network, SPEC, "cpu")(inputs.requires_grad_()).logits.requires_grad


def test_moving_starts_from_the_given_network(network, inputs):
    runtime = Runtime(network, SPEC, "cpu", "reduced")
    first = runtime(inputs).logits
    assert runtime.to("cpu") is runtime
    assert torch.equal(runtime(inputs).logits, first)


def test_not_enough_memory_on_the_device(network, monkeypatch):
    def full(self, *args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(nn.Module, "to", full)
    with pytest.raises(ModelError, match="not enough memory on cpu for the model 'small'"):
        Runtime(network, SPEC, "cpu")


def tf32_switches() -> list[tuple[object, str, object, object]]:
    """Where PyTorch keeps its switches for TF32, with their values for fast and for exact: newer ones, or older."""
    convolution, product = getattr(torch.backends.cudnn, "conv", None), torch.backends.cuda.matmul
    if hasattr(convolution, "fp32_precision"):
        return [(convolution, "fp32_precision", "tf32", "ieee"), (product, "fp32_precision", "tf32", "ieee")]
    return [(torch.backends.cudnn, "allow_tf32", True, False), (product, "allow_tf32", True, False)]


@pytest.fixture
def fast_switches():
    """TF32 allowed, as a user may have it. (monkeypatch cannot take these back: they answer to `__getattr__`.)"""
    before = [(owner, name, getattr(owner, name)) for owner, name, _, _ in tf32_switches()]
    for owner, name, fast, _ in tf32_switches():
        setattr(owner, name, fast)
    yield tf32_switches()
    for owner, name, value in before:
        setattr(owner, name, value)


def test_float32_is_not_tf32_on_a_card(fast_switches):
    with module._exact_float32(CUDA):
        assert all(getattr(owner, name) == exact for owner, name, _, exact in fast_switches)
    assert all(getattr(owner, name) == fast for owner, name, fast, _ in fast_switches)


def test_switches_come_back_after_an_error(fast_switches):
    with pytest.raises(RuntimeError, match="out of order"), module._exact_float32(CUDA):
        raise RuntimeError("out of order")
    assert all(getattr(owner, name) == fast for owner, name, fast, _ in fast_switches)


def test_a_thread_that_ends_leaves_float32_exact_for_the_other(fast_switches):
    first, second = module._exact_float32(CUDA), module._exact_float32(CUDA)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert all(getattr(owner, name) == exact for owner, name, _, exact in fast_switches)
    second.__exit__(None, None, None)
    assert all(getattr(owner, name) == fast for owner, name, fast, _ in fast_switches)


def test_only_float32_is_guarded(network, inputs, monkeypatch):
    guarded = []
    guard = module._exact_float32
    monkeypatch.setattr(module, "_exact_float32", lambda device: guarded.append(device.type) or guard(device))
    Runtime(network, SPEC, "cpu", "reduced")(inputs)
    assert guarded == []
    Runtime(network, SPEC, "cpu", "full")(inputs)
    assert guarded == ["cpu"]


def test_unknown_precision(network):
    with pytest.raises(ModelError, match="'double' is unknown; use one of auto, full, reduced"):
        Runtime(network, SPEC, "cpu", "double")


# -- choices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [CPU, CUDA, MPS], ids=str)
def test_full_is_float32_everywhere(device):
    assert choose_dtype("full", device, agrees=True) == torch.float32
    assert choose_dtype("auto", device, agrees=False) == torch.float32


@pytest.mark.parametrize(
    ("capability", "auto", "reduced"),
    [
        ((9, 0), torch.bfloat16, torch.bfloat16),
        ((8, 0), torch.bfloat16, torch.bfloat16),
        ((7, 5), torch.float16, torch.float16),
        ((6, 1), torch.float32, torch.float16),
    ],
)
def test_arithmetic_of_nvidia_cards(monkeypatch, capability, auto, reduced):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_dtype("auto", CUDA, agrees=True) == auto
    assert choose_dtype("reduced", CUDA, agrees=False) == reduced


def test_arithmetic_of_apple_chips():
    assert choose_dtype("auto", MPS, agrees=True) == torch.float32
    assert choose_dtype("reduced", MPS, agrees=True) == torch.float16


def test_bfloat16_needs_instructions_for_it(monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: False, raising=False)
    monkeypatch.setattr(module, "_linux_cpu_flags", lambda: {"avx2", "avx512f"})
    assert not cpu_has_bfloat16()
    monkeypatch.setattr(module, "_linux_cpu_flags", lambda: {"avx512f", "amx_bf16"})
    assert cpu_has_bfloat16() is torch.backends.mkldnn.is_available()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not cpu_has_bfloat16()


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_fastest_device_is_chosen(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(module, "_has_mps", lambda: mps)
    assert choose_device("auto").type == expected


def test_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(module, "_has_mps", lambda: False)
    with pytest.raises(ModelError, match=r"no CUDA device here; use device 'cpu' or 'auto'"):
        choose_device("cuda")
    with pytest.raises(ModelError, match="only on Macs"):
        choose_device("mps")


def test_a_second_card_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0").index == 0
    with pytest.raises(ModelError, match=r"no device 'cuda:1' here; the highest is 'cuda:0'"):
        choose_device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "meta", "tpu", ""])
def test_names_that_mean_no_device(name):
    with pytest.raises(ModelError, match="use auto, cpu, cuda or mps"):
        choose_device(name)


# -- folding ---------------------------------------------------------------------------------------------------------


def test_folding_takes_every_normalisation_away(network, inputs):
    with torch.no_grad():
        before = network(inputs)[0]
        folded = fold_normalisation(network)
        assert normalisations(folded) == 0
        torch.testing.assert_close(folded(inputs)[0], before, rtol=1e-4, atol=1e-4)


class Odd(nn.Module):
    """Normalisations that must stay: after a shared result, a shared layer, or no convolution at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.BatchNorm2d(3) for _ in range(4))
        self.third = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        shared = self.first(x)
        x = self.norm1(shared) + shared
        x = self.norm2(self.second(x)) + self.norm2(self.second(x * 2))
        x = self.norm3(torch.relu(x))
        return self.norm4(self.third(x))


def test_folding_leaves_what_it_must_not_touch():
    torch.manual_seed(0)
    network = settled(Odd())
    inputs = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        before = network(inputs)
        folded = fold_normalisation(network)
        torch.testing.assert_close(folded(inputs), before, rtol=1e-4, atol=1e-4)
    assert normalisations(folded) == 3
    assert isinstance(folded.norm4, nn.Identity)


class Undecided(nn.Module):
    """Its path depends on its input, so it cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.convolution(x)) if x.sum() > 0 else x


def test_what_cannot_be_traced_runs_unfolded():
    network = settled(Undecided())
    assert normalisations(fold_normalisation(network)) == 1
    inputs = torch.ones(1, 3, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(Runtime(network, SPEC, "cpu")(inputs).logits, network(inputs))


def test_the_published_network_folds_completely(reference_network):
    network = reference_network("psp")
    inputs = torch.rand(1, 4, 96, 96, generator=torch.Generator().manual_seed(0)) * 255
    runtime = Runtime(network, SPEC, "cpu", "auto")
    assert normalisations(runtime._ready) == 0
    with torch.no_grad():
        logits = network(inputs)
    assert float((runtime(inputs).logits - logits).abs().max()) < 1e-3 * float(logits.std())


def test_cpu_flags_are_optional(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "Path", lambda name: tmp_path / "none")  # a system without /proc
    assert module._linux_cpu_flags() == set()
    (tmp_path / "none").write_text("processor : 0\nflags : fpu avx512_bf16\n", encoding="utf-8")
    assert module._linux_cpu_flags() == {"fpu", "avx512_bf16"}


def test_the_hash_of_the_weights_changes_with_any_of_them(network):
    before = Runtime(network, SPEC, "cpu", "full").weights_hash()
    assert Runtime(network, SPEC, "cpu", "reduced").weights_hash() == before
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1
    assert Runtime(network, SPEC, "cpu").weights_hash() != before


@pytest.mark.parametrize("value", [float("nan"), 3e38])
def test_answers_that_are_no_numbers_are_refused(network, inputs, value):
    with torch.no_grad():
        next(network.parameters()).fill_(value)
    with pytest.raises(ModelError, match="what is no number, in float32"):
        Runtime(network, SPEC, "cpu", "full")(inputs)
