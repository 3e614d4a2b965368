"""Sample data: photographs that come with scikit-image, so that File > Open Sample works without a network."""

from __future__ import annotations

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def astronaut() -> list[LayerData]:
    """Portrait of an astronaut (RGB, 512 x 512)."""
    return _photograph("astronaut", "Astronaut")


def cat() -> list[LayerData]:
    """A cat (RGB, 300 x 451)."""
    return _photograph("chelsea", "Cat")


def coffee() -> list[LayerData]:
    """A cup of coffee (RGB, 400 x 600)."""
    return _photograph("coffee", "Coffee")


def coins() -> list[LayerData]:
    """Coins from Pompeii (grey, 303 x 384)."""
    return _photograph("coins", "Coins")


def tissue() -> list[LayerData]:
    """Immunohistochemical staining of colonic glands (RGB, 512 x 512)."""
    return _photograph("immunohistochemistry", "Tissue")


SAMPLES = {"astronaut": astronaut, "cat": cat, "coffee": coffee, "coins": coins, "tissue": tissue}
"""Samples by their key in the manifest."""


def _photograph(function: str, name: str) -> list[LayerData]:
    import skimage.data

    return [(getattr(skimage.data, function)(), {"name": name}, "image")]
