"""What an export into a COCO file can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from .labels import ImageLabels, SegmentationForm


class WriterOptions(TypedDict, total=False):
    """How objects go into a COCO file.

    Attributes
    ----------
    segmentation : {"auto", "rle", "polygons"}
        "auto" writes polygons where the object has no hole; "polygons" reaches holes by bridges without width. Either
        way pycocotools makes exactly the same pixels of them, which is checked; otherwise run lengths are written.
        By default "auto".
    author : str or None
        Goes with every new object.
    info, licenses
        Go into a new file; licences are added to an old one.
    replace : bool
        Start a new file, instead of adding to the one that exists.
    versions : int
        How many earlier versions to keep beside the file (`napari_dextr.files.keep_version`), by default 5.
    reserved : iterable of int
        Ids of objects that are still to come, where the label images are no list: no new object gets one of them.
    """

    segmentation: SegmentationForm
    author: str | None
    info: Mapping[str, Any] | None
    licenses: Sequence[Mapping[str, Any]]
    replace: bool
    versions: int
    reserved: Iterable[int]


def with_known_ids(options: WriterOptions, planes: Iterable[ImageLabels]) -> WriterOptions:
    """Options that reserve the ids, too, which label images in a list have already."""
    known = [number for plane in planes for number in plane.ids.values()] if isinstance(planes, Sequence) else []
    return {**options, "reserved": [*known, *options.get("reserved", ())]}
