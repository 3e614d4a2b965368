"""What can be seen of an image among the others, and which of them show something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .belonging import named_apart
from .placement import plain

if TYPE_CHECKING:
    from napari.layers import Image

_SOLID = ("opaque", "translucent", "translucent_no_depth")  # kinds of blending that show nothing of what is below


def another_picture(one: Image, other: Image) -> bool:
    """Whether two images of one size show different things, so that they need labels of their own.

    Channels show one thing: they are grey, and come from one file or are seen through one another. Pictures in colour,
    files that are not seen through one another, and what COCO files know as different pictures, are taken for a
    collection.
    """
    if plain(one) is plain(other):
        return False
    if named_apart(one, other) or (one.rgb and other.rgb):
        return True
    paths = [image.source.path for image in (one, other)]
    return None not in paths and paths[0] != paths[1] and _solid(one) and _solid(other)


class Sight:
    """Brings the image that is worked on to light, and gives back what was hidden for it.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._hidden: list[Any] = []

    def uncover(self, image: Image, foreign: list[Any]) -> None:
        """Show an image: what covers it is hidden until it is needed itself, and so are the labels of others.

        Parameters
        ----------
        image : Image
        foreign : list of layers
            Labels of other pictures.
        """
        image.visible = True
        layers = [plain(layer) for layer in self._viewer.layers]
        grid = getattr(self._viewer, "canvas", self._viewer).grid
        above = [] if grid.enabled else layers[layers.index(image) + 1 :]
        hide = [layer for layer in above if _covers(layer, image)] + foreign
        self._give_back([layer for layer in self._hidden if not any(layer is other for other in hide)])
        for layer in hide:
            if layer.visible:
                layer.visible = False
                self._hidden.append(layer)

    def give_back(self) -> None:
        """Show again what was hidden here."""
        self._give_back(list(self._hidden))

    def _give_back(self, layers: list[Any]) -> None:
        for layer in layers:
            self._hidden = [other for other in self._hidden if other is not layer]
            layer.visible = True


def _solid(image: Image) -> bool:
    return str(image.blending) in _SOLID and image.opacity == 1


def _covers(layer: Any, image: Image) -> bool:
    from napari.layers import Image

    if not isinstance(layer, Image) or not _solid(layer):
        return False
    axes = min(layer.ndim, image.ndim)
    (low, high), (start, end) = (np.asarray(one.extent.world)[:, -axes:] for one in (layer, image))
    return bool((np.minimum(high, end) > np.maximum(low, start)).all())
