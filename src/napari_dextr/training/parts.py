"""Parts of a network that a training can leave as they are."""

from __future__ import annotations

from torch import nn

from .config import FROZEN

_EARLY = ("stages.0.", "stages.1.", "network.conv1.", "network.bn1.", "network.layer1.")
_ENCODER = ("stages.", "network.conv1.", "network.bn1.", *(f"network.layer{number}." for number in (1, 2, 3, 4)))
_HEADS = ("merges.0.", "mask_head.", "score_head.", "network.layer5.")


def freeze(network: nn.Module, frozen: str) -> None:
    """Let only the rest of a network learn, in place.

    Parameters
    ----------
    network : PromptNet
        Of the house, or a published one (`napari_dextr.training.published.PublishedNet`).
    frozen : str
        One of `napari_dextr.training.config.FROZEN`.
    """
    nothing, early, encoder, _ = FROZEN
    for name, weight in network.named_parameters():
        if frozen == nothing:
            learns = True
        elif frozen in (early, encoder):
            learns = not name.startswith(_EARLY if frozen == early else _ENCODER)
        else:
            learns = name.startswith(_HEADS)
        weight.requires_grad_(learns)


def keep_statistics(network: nn.Module) -> None:
    """Put the normalisations of a network in training mode back to the statistics they have."""
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
