"""Several processes train one network, a graphics card each: PyTorch's DistributedDataParallel under ``torchrun``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import DataError

T = TypeVar("T")

_PATIENCE = timedelta(hours=12)  # the others wait while the first process cuts crops, or validates


@dataclass(frozen=True)
class World:
    """The processes of a training; by default this one alone.

    Attributes
    ----------
    rank : int
        Number of this process; number 0 writes and validates.
    size : int
        How many there are.
    local : int
        Number of this process on its machine, which is also that of its graphics card.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @classmethod
    def join(cls) -> World:
        """The world that ``torchrun`` describes in the environment; outside of it, this process alone.

        Raises
        ------
        DataError
            If the description is not complete.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        try:
            world = cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
        except (KeyError, ValueError) as error:
            raise DataError(f"Several processes were asked for, but {error} is not set; start with torchrun.") from None
        if not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=_PATIENCE)
        return world

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes, validates and talks."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device of this process: its own card where the user says ``cuda``, or ``auto`` and there is one."""
        if self.size > 1 and (name == "cuda" or (name == "auto" and torch.cuda.is_available())):
            torch.cuda.set_device(self.local)
            return f"cuda:{self.local}"
        return name

    def share(self, count: int) -> int:
        """How many of a batch's samples this process draws: as many as every other, so rounded up."""
        return -(-count // self.size)

    def seed(self, *parts: int) -> tuple[int, ...]:
        """A seed of this process: other samples than the others', and alone the same as ever."""
        return (*parts, self.rank) if self.size > 1 else parts

    def mean(self, values: Sequence[float]) -> list[float]:
        """Means over all processes."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(list(values), dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in (total / self.size).tolist()]

    def tell(self, value: T) -> T:
        """What the first process says, in every process."""
        if self.size == 1:
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        said: T = box[0]
        return said

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module whose gradients are averaged over all processes; alone, the module itself."""
        if self.size == 1:
            return module
        cards = [device] if device.type == "cuda" else None
        parallel: Any = nn.parallel.DistributedDataParallel
        # statistics of normalisations are averaged by `average_statistics`, after the step; PyTorch 2.15 renamed the
        # switch, and warns of the old name
        known = inspect.signature(parallel).parameters
        switch = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        wrapped: nn.Module = parallel(module, device_ids=cards, **{switch: False})
        return wrapped

    def average_statistics(self, module: nn.Module) -> None:
        """Average the running statistics over all processes, so that every process has the same network."""
        if self.size == 1:
            return
        buffers: list[Tensor] = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        if not buffers:
            return
        flat = torch.cat([buffer.flatten() for buffer in buffers])
        dist.all_reduce(flat)
        parts = torch.split(flat / self.size, [buffer.numel() for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part.view_as(buffer))

    def leave(self) -> None:
        """Say goodbye to the others at the end of a program."""
        if self.size > 1 and dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()
