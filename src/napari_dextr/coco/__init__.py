"""Objects in COCO files: read with checks, drawn as labels, and written so that nothing of others is lost.

Masks are ``(H, W)`` bool arrays. COCO stores them as polygons (x, y), as run lengths, or as run lengths packed into
a string ("compressed RLE"); runs go down the columns. See the format at https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from ..objects import NAMESPACE
from .dataset import CocoDataset, CocoImage, CocoObject
from .document import looks_like_coco
from .documents import merge_coco, write_coco
from .images import (
    MissingImageError,
    find_image,
    open_annotated,
    plane_file_name,
    relative_name,
    write_plane,
)
from .labels import ImageLabels, ReadLabels, labels_to_coco, read_labels
from .options import WriterOptions
from .reading import read_coco
from .validation import CocoReport, validate_coco
from .writing import CocoWriter, ExportReport, export_coco

__all__ = [
    "NAMESPACE",
    "CocoDataset",
    "CocoImage",
    "CocoObject",
    "CocoReport",
    "CocoWriter",
    "ExportReport",
    "ImageLabels",
    "MissingImageError",
    "ReadLabels",
    "WriterOptions",
    "export_coco",
    "find_image",
    "labels_to_coco",
    "looks_like_coco",
    "merge_coco",
    "open_annotated",
    "plane_file_name",
    "read_coco",
    "read_labels",
    "relative_name",
    "validate_coco",
    "write_coco",
    "write_plane",
]
