"""Which image a Labels layer was made, annotated or opened for: its place alone does not always tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from .object_table import KEY
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


def opened_together(labels: Labels, image: Image) -> bool:
    """Whether both come from one COCO file, which names the same pictures for them."""
    ours, theirs = coco_of(labels), coco_of(image)
    return "file" in ours and ours["file"] == theirs.get("file") and pictures_of(labels) == pictures_of(image) != {}


def named_apart(one: Any, other: Any) -> bool:
    """Whether COCO files know what two layers show, and as different pictures."""
    named, others = (set(pictures_of(layer).values()) for layer in (one, other))
    return bool(named and others) and not named & others


def holds_crowds(labels: Labels) -> bool:
    """Whether a layer was opened for the crowds of a COCO file, which have one of their own."""
    return bool(coco_of(labels).get("crowds"))


def pictures_of(layer: Any) -> dict[tuple[int, ...], str]:
    """What a COCO file calls the picture of each plane; empty where the layer comes from no such file."""
    return {tuple(entry["index"]): str(entry["file_name"]) for entry in coco_of(layer).get("images", ())}


def coco_of(layer: Any) -> Mapping[str, Any]:
    """What the reader of COCO files, or an export, has noted of a layer."""
    found: Mapping[str, Any] = (layer.metadata.get(KEY) or {}).get("coco") or {}
    return found
