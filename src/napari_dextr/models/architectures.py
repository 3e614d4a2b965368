"""The network architectures and pipelines that a `ModelSpec` may name.

Each is written as ``"module:attribute"`` and looked up when it is used, so that asking what there is imports nothing
heavy.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, first_line
from .spec import ModelSpec

if TYPE_CHECKING:
    import torch

ARCHITECTURES: dict[str, str] = {
    "backbone": "napari_dextr.models.backbone:BackboneNet",
    "compact": "napari_dextr.models.compact:CompactNet",
    "dextr-resnet101": "napari_dextr.models.deeplab:build_dextr",
}
"""Architecture of a `ModelSpec` to the callable that builds the network from its options."""

PIPELINES: dict[str, str] = {
    "house": "napari_dextr.models.house:HousePipeline",
    "published": "napari_dextr.models.published:PublishedPipeline",
}
"""Pipeline of a `ModelSpec` to the class that reads crops and pastes logits."""


def build_network(spec: ModelSpec) -> torch.nn.Module:
    """Make the network of a spec, with fresh weights.

    Raises
    ------
    ModelError
        If the architecture is unknown or does not take the spec's options.
    """
    builder = _look_up(ARCHITECTURES, spec.architecture, "network architecture")
    try:
        network: torch.nn.Module = builder(**spec.options)
    except (TypeError, ValueError, OverflowError, RuntimeError, MemoryError) as error:
        raise ModelError(
            f"The model '{spec.name}' describes its network in a way this version cannot build ({first_line(error)}); "
            "update napari-dextr or export the model again."
        ) from error
    return network


def load_pipeline(name: str) -> Any:
    """Make the pipeline of a name (`ModelSpec.pipeline`).

    Raises
    ------
    ModelError
        If the pipeline is unknown.
    """
    return _look_up(PIPELINES, name, "pipeline")()


def _look_up(table: Mapping[str, str], key: str, what: str) -> Any:
    if key not in table:
        raise ModelError(
            f"The checkpoint names an unknown {what}, '{key}' (known: {', '.join(table)}); update napari-dextr."
        )
    module, _, attribute = table[key].partition(":")
    return getattr(importlib.import_module(module), attribute)
