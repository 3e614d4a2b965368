"""A network made ready to answer quickly on one device."""

from __future__ import annotations

import copy
import hashlib
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .spec import ModelSpec

Precision = Literal["auto", "full", "reduced"]

_NORMALISATIONS = {nn.BatchNorm1d: nn.Conv1d, nn.BatchNorm2d: nn.Conv2d, nn.BatchNorm3d: nn.Conv3d}
_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class NetworkOutput(NamedTuple):
    """Answer of a network, on the CPU.

    Attributes
    ----------
    logits : (N, 1, h, w) float32
        Before the sigmoid.
    score : (N,) float32 or None
        Predicted IoU in 0..1, where the network has a score head.
    """

    logits: Tensor
    score: Tensor | None


class Runtime:
    """A network prepared for inference: folded normalisation, memory layout and arithmetic that suit the device.

    Parameters
    ----------
    network : torch.nn.Module
        Its forward returns logits, or logits and the score's logit. It is left as it is, and kept: `to` starts from it.
    spec : ModelSpec
        Only ``reduced_precision`` and ``name`` matter here.
    device : str
        ``"auto"`` (CUDA, else Apple's MPS, else the CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : {"auto", "full", "reduced"}
        ``"full"`` is the network exactly as it is, in float32; ``"auto"`` folds normalisation into convolutions, and
        uses half precision where the spec says that it agrees and the device is faster with it; ``"reduced"`` uses
        half precision in any case.

    Raises
    ------
    ModelError
        If the device is not there, or a name is unknown.

    Attributes
    ----------
    device : torch.device
    precision : str
        Arithmetic in use: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    """

    def __init__(
        self, network: nn.Module, spec: ModelSpec, device: str | torch.device = "auto", precision: str = "auto"
    ) -> None:
        if precision not in get_args(Precision):
            raise ModelError(f"The precision '{precision}' is unknown; use one of {', '.join(get_args(Precision))}.")
        self.spec = spec
        self._asked = cast(Precision, precision)
        self._network = network
        self.to(device)

    def to(self, device: str | torch.device) -> Runtime:
        """Move to another device, in place; the arithmetic is chosen anew for it. Returns itself."""
        self.device = choose_device(device)
        self._dtype = choose_dtype(self._asked, self.device, agrees=self.spec.reduced_precision)
        self._layout = torch.preserve_format if self._asked == "full" else torch.channels_last
        network = copy.deepcopy(self._network).eval().requires_grad_(False)
        if self._asked != "full":
            network = fold_normalisation(network)
        try:
            self._ready = cast(Any, network).to(self.device, self._dtype, memory_format=self._layout)
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"There is not enough memory on {self.device} for the model '{self.spec.name}'; "
                "close other programs or use device 'cpu'."
            ) from error
        return self

    @property
    def precision(self) -> str:
        return _NAMES[self._dtype]

    def weights_hash(self) -> str:
        """SHA-256 of the network's weights as they were given, whatever the device and the arithmetic."""
        digest = hashlib.sha256()
        for name, value in sorted(self._network.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def __call__(self, inputs: Tensor) -> NetworkOutput:
        """Run the network.

        Parameters
        ----------
        inputs : (N, C, S, S) tensor

        Returns
        -------
        NetworkOutput
            float32 on the CPU.

        Raises
        ------
        ModelError
            If the answer is not finite: the weights, or half precision, are not fit for use.
        """
        exact = _exact_float32(self.device) if self._dtype == torch.float32 else nullcontext()
        with torch.inference_mode(), exact:
            prepared = inputs.to(self.device, self._dtype, memory_format=self._layout)
            answer: Any = self._ready(prepared)
            logits, score = answer if isinstance(answer, tuple) else (answer, None)
            if score is not None:
                score = torch.sigmoid(score.float()).reshape(-1).cpu()
            logits = logits.float().cpu()
            if not bool(torch.isfinite(logits).all()) or (score is not None and bool(torch.isnan(score).any())):
                raise ModelError(
                    f"The model '{self.spec.name}' answers with what is no number, in {self.precision}; use precision "
                    "'full' or another model."
                )
            return NetworkOutput(logits, score)


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """The device of a name, after a check that it is there.

    Parameters
    ----------
    name : str or torch.device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Raises
    ------
    ModelError
        If the name is unknown or this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise ModelError(f"The device '{name}' is unknown; use auto, cpu, cuda or mps.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise ModelError(
                "PyTorch finds no CUDA device here; use device 'cpu' or 'auto', or install an NVIDIA driver and a "
                "CUDA build of PyTorch."
            )
        if (device.index or 0) >= count:  # no index means the current one
            raise ModelError(f"There is no device '{name}' here; the highest is 'cuda:{count - 1}'.")
    if device.type == "mps" and not _has_mps():
        raise ModelError("The device 'mps' exists only on Macs with Apple's own chips; use device 'cpu' or 'auto'.")
    return device


def choose_dtype(precision: Precision, device: torch.device, *, agrees: bool) -> torch.dtype:
    """Arithmetic for a device.

    Parameters
    ----------
    precision : {"auto", "full", "reduced"}
    device : torch.device
    agrees : bool
        Whether half precision was shown to give the same masks.

    Returns
    -------
    torch.dtype
        bfloat16 on CPUs with instructions for it and on recent NVIDIA cards, float16 on older ones; with ``"auto"``
        float32 wherever half precision would not be faster.
    """
    if precision == "full" or not (agrees or precision == "reduced"):
        return torch.float32
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= (8, 0):
            return torch.bfloat16
        return torch.float16 if capability >= (7, 0) or precision == "reduced" else torch.float32
    if device.type == "mps":
        return torch.float16 if precision == "reduced" else torch.float32
    return torch.bfloat16 if precision == "reduced" or cpu_has_bfloat16() else torch.float32


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX) and PyTorch's oneDNN can use it.

    oneDNN also takes bfloat16 on CPUs that only emulate it, slower than float32; its own answer is no guide.
    """
    mkldnn: Any = torch.backends.mkldnn
    if not mkldnn.is_available():
        return False
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        supported = getattr(torch.cpu, probe, None)  # neither is in every version of PyTorch
        if supported is not None and supported():
            return True
    return bool(_linux_cpu_flags() & {"avx512_bf16", "amx_bf16"})


def fold_normalisation(network: nn.Module) -> nn.Module:
    """Fold batch normalisations into the convolutions before them; same function, fewer passes over memory.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode; changed in place. One that cannot be traced is returned as it is.

    Returns
    -------
    torch.nn.Module
        The network.
    """
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for convolution, normalisation in _foldable(network):
        pair: Any = (network.get_submodule(convolution), network.get_submodule(normalisation))
        _replace(network, convolution, fuse_conv_bn_eval(*pair))
        _replace(network, normalisation, nn.Identity())
    return network


def _foldable(network: nn.Module) -> list[tuple[str, str]]:
    """Names of convolutions and of the normalisations that alone take their results."""
    from torch import fx

    try:
        graph = fx.symbolic_trace(network).graph
    except Exception:  # the network decides its path by its input: whatever tracing raises, it runs unfolded
        return []
    modules = dict(network.named_modules())
    calls = [node for node in graph.nodes if node.op == "call_module"]
    targets = [str(node.target) for node in calls]
    pairs = []
    for node in calls:
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) != 1:
            continue
        convolution, normalisation = str(before.target), str(node.target)
        wanted = _NORMALISATIONS.get(type(modules[normalisation]))
        once = targets.count(convolution) == targets.count(normalisation) == 1  # a shared layer has other uses
        statistics = getattr(modules[normalisation], "running_var", None) is not None
        if wanted is not None and type(modules[convolution]) is wanted and once and statistics:
            pairs.append((convolution, normalisation))
    return pairs


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)


class _Exact:
    """Keeps PyTorch from computing float32 in TF32 or bfloat16 behind our back, on one kind of device.

    The switches are the process's, and several threads run networks: the first to come sets them, the last to go
    puts them back.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                switches = _float32_switches(self._kind)
                self._before = [(owner, name, getattr(owner, name)) for owner, name, _ in switches]
                for owner, name, value in switches:
                    setattr(owner, name, value)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for owner, name, value in self._before:
                    setattr(owner, name, value)


_EXACT = {kind: _Exact(kind) for kind in ("cuda", "cpu")}


def _exact_float32(device: torch.device) -> _Exact:
    return _EXACT["cuda" if device.type == "cuda" else "cpu"]


def _float32_switches(kind: str) -> list[tuple[Any, str, Any]]:
    """Owner, name and exact value of PyTorch's switches for float32 on a kind of device, where it has them."""
    backends: Any = torch.backends
    if kind == "cuda":
        places = [(backends.cudnn, "conv"), (backends.cuda, "matmul")]
    else:
        places = [(backends.mkldnn, "conv"), (backends.mkldnn, "matmul")]
    switches: list[tuple[Any, str, Any]] = [
        (getattr(backend, name, None), "fp32_precision", "ieee") for backend, name in places
    ]
    if kind == "cuda" and not all(hasattr(owner, name) for owner, name, _ in switches):
        # PyTorch before 2.9; the old and the new switches must not be mixed
        switches = [(backends.cudnn, "allow_tf32", False), (backends.cuda.matmul, "allow_tf32", False)]
    return [switch for switch in switches if hasattr(switch[0], switch[1])]


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def _linux_cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
