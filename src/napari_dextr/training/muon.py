"""Muon: steps along orthogonalised momentum, for convolutions. PyTorch's own takes matrices only, no convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_ROUNDS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)  # pulls every singular value into 0.7 to 1.2 within those rounds
_ADAM_SIZE = 0.2  # root mean square of a step of Adam's, in learning rates: so one rate suits both
_FEWEST_ROWS = 8  # of a matrix: a head with one output has no directions to balance


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for hidden convolutions and matrices, AdamW for everything else.

    A step turns every singular value of the momentum into about 1, so that directions which the loss seldom asks for
    are learned as fast as those it always asks for. The first convolution, depthwise ones, heads of fewer than 8
    outputs, normalisations and biases get AdamW.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters that require a gradient are optimised, seen as matrices of one row per output.
    lr : float
        Learning rate, comparable with AdamW's.
    weight_decay : float
        Decoupled; not on normalisations and biases.

    Notes
    -----
    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the size of a step follows
    J. Liu et al., "Muon is Scalable for LLM Training" (2025).
    """

    def __init__(self, network: nn.Module, lr: float, weight_decay: float = 0.0) -> None:
        learning = [p for p in network.parameters() if p.requires_grad]
        # the first layer sees colours and marks, whose sizes differ: no directions to balance
        first = getattr(network, "stages", network)  # the encoder; heads may be registered before it
        inputs = next((p for p in first.parameters() if p.ndim > 1), None)
        wide = [p for p in learning if p.ndim > 1 and p is not inputs and p.shape[0] >= _FEWEST_ROWS and p.shape[1] > 1]
        hidden = {id(p) for p in wide}
        other = [p for p in learning if p.ndim > 1 and id(p) not in hidden]
        plain = [p for p in learning if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": wide, "weight_decay": weight_decay, "orthogonal": True},
            {"params": other, "weight_decay": weight_decay, "orthogonal": False},
            {"params": plain, "weight_decay": 0.0, "orthogonal": False},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Change the weights in place; parameters without a gradient stay as they are."""
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            for weight in moving:
                weight.mul_(1 - group["lr"] * group["weight_decay"])
            (self._orthogonal if group["orthogonal"] else self._adam)(moving, group["lr"])

    def _orthogonal(self, weights: Iterable[Tensor], rate: float) -> None:
        alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for weight in weights:
            gradient, state = weight.grad, self.state[weight]
            assert gradient is not None
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
            ahead = gradient.lerp(state["momentum"], _MOMENTUM).flatten(1)
            alike.setdefault(ahead.shape, []).append((weight, ahead))
        for shape, pairs in alike.items():  # matrices of one shape in one go
            size = _ADAM_SIZE * math.sqrt(max(shape))
            for (weight, _), turned in zip(pairs, orthogonalised(torch.stack([m for _, m in pairs])), strict=True):
                weight.add_(turned.reshape(weight.shape), alpha=-rate * size)

    def _adam(self, weights: Iterable[Tensor], rate: float) -> None:
        fast, slow = _BETAS
        for weight in weights:
            gradient, state = weight.grad, self.state[weight]
            assert gradient is not None
            if not state:
                state.update(step=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
            state["step"] += 1
            state["mean"].lerp_(gradient, 1 - fast)
            state["square"].mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
            size = (state["square"] / (1 - slow ** state["step"])).sqrt_().add_(_EPSILON)
            weight.addcdiv_(state["mean"], size, value=-rate / (1 - fast ** state["step"]))


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with the same singular vectors, and singular values near 1 (0.7 to 1.2, but for the very small ones).

    Parameters
    ----------
    matrices : Tensor
        ``(N, rows, columns)``.

    Returns
    -------
    Tensor
        ``(N, rows, columns)``.

    Notes
    -----
    A Newton-Schulz iteration. All its rounds multiply from the left by polynomials of M Mᵀ, so they are gathered in a
    small square matrix first: for kernels of 3 x 3, nine times as wide as high, a third of the time.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalised(matrices.mT).mT
    first, third, fifth = _QUINTIC
    matrices = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    gram = matrices @ matrices.mT
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    gathered = identity
    for _ in range(_ROUNDS):
        factor = torch.baddbmm(gram, gram, gram, beta=third, alpha=fifth) + first * identity
        gathered = factor @ gathered
        gram = factor @ gram @ factor
    return gathered @ matrices
