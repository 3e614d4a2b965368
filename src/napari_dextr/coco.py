"""Objects in COCO files: reading with checks, masks of every encoding, and writing.

Masks are ``(H, W)`` bool arrays. COCO stores them as polygons (x, y), as run lengths, or as run lengths packed into
a string ("compressed RLE"); runs go down the columns. See the format at https://cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .files import atomic_write
from .image_file import open_image
from .rle import Mask, decode, encode, measure

_OBJECT_KEYS = ("id", "image_id", "category_id", "segmentation", "bbox", "iscrowd")


@dataclass(frozen=True)
class CocoImage:
    """One image of a data set; height and width in pixels."""

    id: int
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class CocoObject:
    """One annotated object.

    Attributes
    ----------
    segmentation : polygons, run lengths or None
        As it stands in the file; `CocoDataset.mask` turns it into pixels.
    bbox : tuple of float or None
        x, y, width and height in pixels, as COCO defines it.
    iscrowd : bool
        Whether it marks a crowd, not one object.
    extra : dict
        Every other key of the annotation, e.g. ``ignore_segmentation``.
    """

    id: int
    image_id: int
    category_id: int
    segmentation: Any
    bbox: tuple[float, float, float, float] | None
    iscrowd: bool
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CocoDataset:
    """A COCO file that was read and checked: images by id, objects in file order, category names by id."""

    images: dict[int, CocoImage]
    objects: list[CocoObject]
    categories: dict[int, str]
    path: Path

    def mask(self, obj: CocoObject) -> Mask:
        """Pixels of an object, ``(H, W)`` bool.

        Raises
        ------
        DataError
            When the object has no segmentation, or one that does not fit its image.
        """
        if not obj.segmentation:
            raise DataError(f"Object {obj.id} of '{self.path.name}' has no segmentation, so it has no mask.")
        return self._decode(obj.segmentation, obj)

    def ignore_mask(self, obj: CocoObject) -> Mask | None:
        """Pixels to leave out of loss and score (key ``ignore_segmentation``), ``(H, W)`` bool, or None."""
        segmentation = obj.extra.get("ignore_segmentation")
        return self._decode(segmentation, obj) if segmentation else None

    def by_image(self) -> Iterator[tuple[CocoImage, list[CocoObject]]]:
        """Each image with its objects, in the order of the file; images without objects too."""
        grouped: dict[int, list[CocoObject]] = {image_id: [] for image_id in self.images}
        for obj in self.objects:
            grouped[obj.image_id].append(obj)
        for image_id, objects in grouped.items():
            yield self.images[image_id], objects

    def _decode(self, segmentation: Any, obj: CocoObject) -> Mask:
        image = self.images[obj.image_id]
        try:
            return decode(segmentation, (image.height, image.width))
        except DataError as error:
            raise DataError(f"Object {obj.id} of '{self.path.name}': {error}") from None


# -- reading --------------------------------------------------------------------------------------------------


def read_coco(path: str | os.PathLike[str]) -> CocoDataset:
    """Read a COCO annotation file (instances).

    Parameters
    ----------
    path : path-like
        JSON file with ``images`` and ``annotations``; ``categories`` may be missing.

    Raises
    ------
    DataError
        When the file is missing, cut short, not COCO, or inconsistent.
    """
    path = Path(path)
    document = _read_json(path)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), list) for key in ("images", "annotations")
    ):
        raise DataError(f"'{path.name}' is not a COCO file: it needs the lists 'images' and 'annotations'.")
    images: dict[int, CocoImage] = {}
    for entry in document["images"]:
        image = _image(entry, path)
        if image.id in images:
            raise DataError(f"'{path.name}' holds two images with id {image.id}; ids must differ.")
        images[image.id] = image
    objects = [_object(entry, path) for entry in document["annotations"]]
    if len({obj.id for obj in objects}) < len(objects):
        raise DataError(f"'{path.name}' holds two annotations with one id; ids must differ.")
    lost = next((obj for obj in objects if obj.image_id not in images), None)
    if lost is not None:
        raise DataError(
            f"Object {lost.id} of '{path.name}' belongs to image {lost.image_id}, which the file does not list."
        )
    return CocoDataset(images, objects, _categories(document.get("categories") or [], path), path)


def find_image(folder: str | os.PathLike[str], image: CocoImage) -> Path:
    """Path of an image of a data set below `folder`, with or without the folders that its file name holds.

    Raises
    ------
    DataError
        When there is no such file.
    """
    name = image.file_name.replace("\\", "/")
    for candidate in (Path(folder) / name, Path(folder) / name.rsplit("/", 1)[-1]):
        if candidate.is_file():
            return candidate
    raise DataError(f"The image '{image.file_name}' is not in '{folder}'; check the images folder.")


def open_annotated(folder: str | os.PathLike[str], image: CocoImage) -> Any:
    """Open an image of a data set (`napari_dextr.image_file.open_image`) and check that its masks fit on it.

    Raises
    ------
    DataError
        If the file is missing, or has another size than the annotations say.
    ImageError
        If it cannot be read.
    """
    opened = open_image(find_image(folder, image))
    if tuple(opened.shape[:2]) != (image.height, image.width):
        raise DataError(
            f"The image '{image.file_name}' has {opened.shape[0]} x {opened.shape[1]} pixels, "
            f"but the annotations say {image.height} x {image.width}."
        )
    return opened


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"The file '{path}' does not exist.") from None
    except (IsADirectoryError, PermissionError):
        raise DataError(f"'{path}' cannot be read; give the path of a COCO JSON file you may open.") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror or error}).") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"'{path.name}' is not complete JSON (it breaks at line {error.lineno}, column {error.colno}); "
            "export or copy it again."
        ) from None
    except (UnicodeDecodeError, RecursionError):
        raise DataError(f"'{path.name}' is not a JSON text file.") from None


def _image(entry: Any, path: Path) -> CocoImage:
    if not isinstance(entry, dict):
        raise DataError(f"'{path.name}' holds an image entry that is not an object in braces.")
    try:
        image = CocoImage(
            id=_whole(entry["id"]),
            file_name=str(entry["file_name"]),
            height=_whole(entry["height"]),
            width=_whole(entry["width"]),
        )
    except KeyError as error:
        raise DataError(f"An image of '{path.name}' (id {entry.get('id')}) lacks the key {error}.") from None
    except (TypeError, ValueError):
        raise DataError(f"An image of '{path.name}' has an id, height or width that is not a whole number.") from None
    if min(image.height, image.width) < 1:
        raise DataError(
            f"Image {image.id} of '{path.name}' is {image.height} x {image.width} pixels; both must be positive."
        )
    return image


def _object(entry: Any, path: Path) -> CocoObject:
    if not isinstance(entry, dict):
        raise DataError(f"'{path.name}' holds an annotation that is not an object in braces.")
    try:
        bbox = entry.get("bbox") or None
        return CocoObject(
            id=_whole(entry["id"]),
            image_id=_whole(entry["image_id"]),
            category_id=_whole(entry["category_id"]),
            segmentation=entry.get("segmentation"),
            bbox=None if bbox is None else _bbox(bbox),
            iscrowd=bool(entry.get("iscrowd", 0)),
            extra={key: value for key, value in entry.items() if key not in _OBJECT_KEYS},
        )
    except KeyError as error:
        raise DataError(f"An annotation of '{path.name}' (id {entry.get('id')}) lacks the key {error}.") from None
    except (TypeError, ValueError):
        raise DataError(
            f"Annotation {entry.get('id')} of '{path.name}' has an id that is not a whole number "
            "or a bbox that is not four numbers."
        ) from None


def _categories(entries: Any, path: Path) -> dict[int, str]:
    try:
        return {_whole(entry["id"]): str(entry["name"]) for entry in entries}
    except (KeyError, TypeError, ValueError):
        raise DataError(f"The categories of '{path.name}' need a whole number 'id' and a 'name' each.") from None


def _whole(value: Any) -> int:
    number = float(value)
    if not number.is_integer():  # infinite and NaN are none either
        raise ValueError(value)
    return int(value)


def _bbox(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    if not np.isfinite([x, y, width, height]).all():
        raise ValueError(values)
    return x, y, width, height


# -- writing --------------------------------------------------------------------------------------------------


def labels_to_coco(
    labels: npt.ArrayLike,
    file_name: str,
    *,
    categories: Mapping[int, str] | None = None,
    category_of: Mapping[int, int] | None = None,
    facts: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """COCO document of one label image.

    Parameters
    ----------
    labels : (H, W) array of int
        0 is background; every other value is one object.
    file_name : str
        Name of the image that the labels belong to.
    categories : mapping of id to name, optional
        By default one category, 1: "object".
    category_of : mapping of label to category id, optional
        Labels that it lacks get the first category.
    facts : mapping of label to mapping, optional
        Further keys of an object's annotation, e.g. ``{3: {"score": 0.93}}``.

    Returns
    -------
    dict
        ``images``, ``annotations`` and ``categories``, ids from 1. Each annotation keeps its ``label``. Area and
        bbox are pycocotools' (pixel count; x, y of the first pixel, width and height in pixels).

    Raises
    ------
    DataError
        When the labels are not a plane of whole numbers, or a label has a category that is not listed.
    """
    from scipy import ndimage

    array = np.asarray(labels)
    if array.ndim != 2 or array.dtype.kind not in "iub":
        raise DataError(f"Labels must be a plane of whole numbers; got {array.dtype} of shape {array.shape}.")
    names = dict(categories or {1: "object"})
    values = [int(value) for value in np.unique(array) if value != 0]
    shape = (int(array.shape[0]), int(array.shape[1]))
    # find_objects needs small positive values, whatever the labels are.
    order = sorted([0, *values])
    boxes = ndimage.find_objects(np.searchsorted(order, array).astype(np.int32) + 1)
    annotations: list[dict[str, Any]] = []
    for value in values:
        rows, cols = boxes[order.index(value)]
        rle = encode(array[rows, cols] == value, corner=(rows.start, cols.start), shape=shape)
        category = (category_of or {}).get(value, next(iter(names)))
        if category not in names:
            raise DataError(f"Label {value} has category {category}, which is not among the categories.")
        annotations.append(
            {
                **(facts or {}).get(value, {}),
                "id": len(annotations) + 1,
                "image_id": 1,
                "category_id": int(category),
                "segmentation": rle,
                **measure(rle),
                "iscrowd": 0,
                "label": value,
            }
        )
    return {
        "images": [{"id": 1, "file_name": file_name, "height": shape[0], "width": shape[1]}],
        "annotations": annotations,
        "categories": [{"id": int(key), "name": name} for key, name in names.items()],
    }


def merge_coco(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One COCO document from several: images and annotations are numbered anew from 1, categories joined by name."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}
    for document in documents:
        image_ids = {}
        for image in document["images"]:
            image_ids[image["id"]] = len(images) + 1
            images.append({**image, "id": len(images) + 1})
        category_ids = {
            entry["id"]: numbers.setdefault(entry["name"], len(numbers) + 1) for entry in document["categories"]
        }
        for entry in document["annotations"]:
            moved = {"image_id": image_ids[entry["image_id"]], "category_id": category_ids[entry["category_id"]]}
            annotations.append({**entry, **moved, "id": len(annotations) + 1})
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }


def write_coco(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write a COCO document as JSON, completely or not at all.

    Raises
    ------
    OutputError
        When the file cannot be written.
    DataError
        When the document holds something JSON has no form for (NaN, for one).
    """
    try:
        text = json.dumps(document, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise DataError(f"The annotations hold a value that JSON cannot keep ({error}).") from None
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
