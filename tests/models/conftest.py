"""Weights that anyone can make again: every tensor is drawn by its name."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_dextr.models.deeplab import Head, build_dextr

PARITY = Path(__file__).parent.parent / "data" / "parity"


def drawn_by_name(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The reference cases' weights (float32)."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        values = rng.normal(0, 0.1, shape)
    elif len(shape) == 1 and name.endswith("weight"):
        values = rng.uniform(0.5, 1.5, shape) * (0.2 if ".bn3." in name else 1)
    elif len(shape) == 1:
        values = rng.normal(0, 0.1, shape)
    else:
        values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    if name == "conv1.weight":
        values = values / 64
    return np.asarray(values, np.float32)


def shapes_of(head: Head) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published file's tensors (those files hold no counters of batches)."""
    with torch.device("meta"):
        state = build_dextr(head).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


@pytest.fixture(scope="session")
def reference_network() -> Callable[[Head], nn.Module]:
    """The published network of a head with the reference weights, in evaluation mode."""

    @cache
    def make(head: Head) -> nn.Module:
        state = {name: torch.from_numpy(drawn_by_name(name, shape)) for name, shape in shapes_of(head).items()}
        if head == "psp":
            state["layer5.final.bias"].fill_(-6)
        else:
            state["layer5.conv2d_list.0.bias"].fill_(28)
        network = build_dextr(head)
        missing, unexpected = network.load_state_dict(state, strict=False)
        assert all(name.endswith("num_batches_tracked") for name in missing)
        assert not unexpected
        return network.eval()

    return make


@pytest.fixture
def hollow_state() -> Callable[[Head], dict[str, torch.Tensor]]:
    """A published state of the right names and shapes that takes next to no room in a file: zeros."""
    return lambda head: {name: torch.zeros(()).expand(shape) for name, shape in shapes_of(head).items()}
