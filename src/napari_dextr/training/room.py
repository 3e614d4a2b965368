"""What is done when a graphics card runs out of memory: smaller batches first, then the processor."""

from __future__ import annotations

import torch

from ..errors import ModelError


class Room:
    """How large the batches may be, and where.

    Parameters
    ----------
    device : torch.device

    Attributes
    ----------
    device : torch.device
        The processor, once the card was given up.
    shrunk : int
        Batches are this many times smaller than the settings say.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.shrunk = 1

    def of(self, count: int) -> int:
        """How many of ``count`` samples there is room for; at least one."""
        return max(1, count // self.shrunk)

    def make(self, count: int, least: int) -> str:
        """Halve the batches, or leave the card where they would get too small; a sentence that says so.

        Parameters
        ----------
        count : int
            Samples of a batch by the settings.
        least : int
            Below which no batch goes: statistics of fewer samples would ruin the normalisations.

        Raises
        ------
        ModelError
            If there is nothing left to give up.
        """
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.of(count) // 2 >= least:
            self.shrunk *= 2
            return (
                f"The memory of the device ({self.device}) is full: batches have {self.of(count)} samples from now on."
            )
        if self.device.type == "cpu":
            raise ModelError("There is not enough memory for the training; close other programs, or take --canvas 128.")
        left, self.device, self.shrunk = self.device, torch.device("cpu"), 1
        return (
            f"The memory of the graphics card ({left}) is too small: the training goes on, more slowly, on the "
            "processor. Close other programs that use the card to have it faster next time."
        )
