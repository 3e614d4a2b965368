"""Which image a Labels layer was made or annotated for: of several on the same pixels its place does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from .placement import plain

if TYPE_CHECKING:
    from napari.layers import Image, Labels

_images: WeakKeyDictionary[Any, ReferenceType[Any]] = WeakKeyDictionary()  # layers may be pickled, references not


def belongs_to(labels: Labels, image: Image) -> None:
    """Note the image; where one is noted that still exists, that one counts."""
    if noted_image(labels) is None:
        _images[plain(labels)] = ref(plain(image))


def noted_image(labels: Labels) -> Image | None:
    """The image that was noted, if any."""
    noted = _images.get(plain(labels))
    return None if noted is None else noted()
