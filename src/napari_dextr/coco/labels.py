"""Label images out to COCO's objects, and objects back to label images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..objects import NAMESPACE, ObjectFacts
from ..rle import Runs, cut_runs, encode_polygons, encode_runs, label_runs, measure, run_pixels
from .dataset import CocoDataset, CocoObject
from .outlines import polygons

Labels = npt.NDArray[Any]

SegmentationForm = Literal["auto", "rle", "polygons"]
"""How objects are written: polygons where an object has no hole, polygons with bridges to holes, or run lengths."""

_HIGHEST = 2**31 - 1  # labels are int32
_MOST_PARTS = 300  # of an object that is written as polygons where nobody insists: more are specks, not outlines


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """The labels of one image, or of one plane of a stack, and what is known about its objects.

    Attributes
    ----------
    file_name : str
        Of the image, relative to the annotation file's images, with forward slashes; see `plane_file_name`.
    labels : (H, W) array of int, or a function that returns it
        0 is background; every other value is one object. A function is called once, when its turn comes.
    facts : mapping of label to ObjectFacts
        Objects that it lacks have no class and no marks.
    layer : str
        Which of several label images of one image this is; "" for the only one.
    ids : mapping of label to int
        Ids that the objects have in the file that is written, as `read_labels` or the last export gave them. Those of
        labels that are gone tell what to remove there.
    source, plane, axes
        Of a plane of a stack: the stack's file name, indices and a letter for each.
    crowds : frozenset of int
        Labels that mark crowds.
    extra : mapping
        Further keys of the image's entry.
    """

    file_name: str
    labels: Labels | Callable[[], Labels]
    facts: Mapping[int, ObjectFacts] = field(default_factory=dict)
    layer: str = ""
    ids: Mapping[int, int] = field(default_factory=dict)
    source: str | None = None
    plane: tuple[int, ...] = ()
    axes: str = ""
    crowds: frozenset[int] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> Labels:
        """The ``(H, W)`` labels.

        Raises
        ------
        DataError
            When they are not a plane of whole numbers.
        """
        return check_labels(self.labels() if callable(self.labels) else self.labels)

    def image_extra(self) -> dict[str, Any]:
        """Keys of the image's entry besides its id, name and size."""
        ours = {"source": self.source, "plane": list(self.plane), "axes": self.axes}
        given = self.extra.get(NAMESPACE)
        record = {**(given if isinstance(given, Mapping) else {}), **{k: v for k, v in ours.items() if v}}
        return {**self.extra, **({NAMESPACE: record} if record else {})}


@dataclass(frozen=True, eq=False)
class ReadLabels:
    """One label image of one image of a data set.

    Attributes
    ----------
    labels : (H, W) int32
    facts : dict of label to ObjectFacts
    ids : dict of label to int
        Ids of the annotations; give them back to the next export.
    layer : str
        Name that was recorded, or "".
    crowds : frozenset of int
        Labels that mark crowds.
    areas : dict of label to int
        Pixels of each object.
    """

    labels: npt.NDArray[np.int32]
    facts: dict[int, ObjectFacts]
    ids: dict[int, int]
    layer: str
    crowds: frozenset[int]
    areas: dict[int, int]


def check_labels(labels: npt.ArrayLike) -> Labels:
    """The labels as an array; raises `DataError` unless they are a plane of whole numbers."""
    array = np.asarray(labels)
    if array.ndim != 2 or array.dtype.kind not in "iub" or not array.size:
        raise DataError(f"Labels must be a plane of whole numbers; got {array.dtype} of shape {array.shape}.")
    return array


def segment(runs: Runs, shape: tuple[int, int], form: SegmentationForm) -> tuple[Any, dict[str, Any]]:
    """A COCO segmentation of an object's runs, and its area and bbox as pycocotools defines them.

    Polygons are only taken where pycocotools makes exactly these pixels from them.
    """
    rle = encode_runs(runs, shape)
    if form != "rle":
        region, mask = cut_runs(runs, shape)
        outline = polygons(mask, (region[0].start, region[1].start), bridges=form == "polygons")
        if form == "auto" and outline is not None and len(outline) > _MOST_PARTS:
            outline = None
        if outline and encode_polygons(outline, shape) == rle:
            return outline, measure(rle)
    return rle, measure(rle)


def check_form(form: str) -> None:
    """Raise `DataError` unless `form` is a `SegmentationForm`."""
    if form not in get_args(SegmentationForm):
        raise DataError(f"There is no segmentation '{form}'; choose one of {', '.join(get_args(SegmentationForm))}.")


def labels_to_coco(
    labels: npt.ArrayLike,
    file_name: str,
    *,
    categories: Mapping[int, str] | None = None,
    category_of: Mapping[int, int] | None = None,
    facts: Mapping[int, Mapping[str, Any]] | None = None,
    segmentation: SegmentationForm = "rle",
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
    segmentation : {"rle", "auto", "polygons"}
        How objects are written.

    Returns
    -------
    dict
        ``images``, ``annotations`` and ``categories``, ids from 1. Each annotation keeps its label, under the key
        ``napari_dextr``. Area and bbox are pycocotools' (pixel count; x, y of the first pixel, width and height).

    Raises
    ------
    DataError
        When the labels are not a plane of whole numbers, or a label has a category that is not listed.

    Examples
    --------
    >>> document = labels_to_coco(np.array([[0, 3, 3], [0, 3, 3]]), "cells.png", categories={1: "cell"})
    >>> [(entry["bbox"], entry["area"]) for entry in document["annotations"]]
    [([1.0, 0.0, 2.0, 2.0], 4.0)]
    """
    check_form(segmentation)
    array = check_labels(labels)
    names = dict(categories or {1: "object"})
    shape = (int(array.shape[0]), int(array.shape[1]))
    annotations: list[dict[str, Any]] = []
    for label, runs in label_runs(array):
        category = (category_of or {}).get(label, next(iter(names)))
        if category not in names:
            raise DataError(f"Label {label} has category {category}, which is not among the categories.")
        outline, measures = segment(runs, shape, segmentation)
        annotations.append(
            {
                **(facts or {}).get(label, {}),
                "id": len(annotations) + 1,
                "image_id": 1,
                "category_id": int(category),
                "segmentation": outline,
                **measures,
                "iscrowd": 0,
                NAMESPACE: {"label": label},
            }
        )
    return {
        "images": [{"id": 1, "file_name": file_name, "height": shape[0], "width": shape[1]}],
        "annotations": annotations,
        "categories": [{"id": int(key), "name": name} for key, name in names.items()],
    }


def read_labels(dataset: CocoDataset, image_id: int, *, problems: list[str] | None = None) -> list[ReadLabels]:
    """Label images of one image of a data set; one, or more where objects overlap, so that none loses a pixel.

    An object gets the label that was recorded, or its id as its label; where that is taken or too large, the next
    free number. Objects with a box only are left out.

    Parameters
    ----------
    dataset : CocoDataset
    image_id : int
    problems : list, optional
        Gets a sentence for each object that cannot be drawn; such objects are then left out.

    Raises
    ------
    DataError
        Where an object cannot be drawn and there is no list of problems.
    """
    layers: dict[str, list[CocoObject]] = {}
    for obj in dataset.objects_of(image_id):
        if obj.segmentation:
            layer = obj.record.get("layer")
            layers.setdefault(layer if isinstance(layer, str) else "", []).append(obj)
    image = dataset.images[image_id]
    drawn: list[ReadLabels] = []
    for layer, objects in layers.items():
        canvases: list[_Canvas] = []
        for label, obj in _numbered(objects):
            try:
                pixels, facts = run_pixels(dataset.runs(obj)), dataset.facts(obj)
                if not len(pixels):
                    raise DataError(f"Object {obj.id} of '{dataset.path.name}' has no pixels.")
            except DataError as error:
                if problems is None:
                    raise
                problems.append(str(error))
                continue
            cols, rows = np.divmod(pixels, image.height)
            pixels = rows * image.width + cols
            canvas = next((canvas for canvas in canvases if not canvas.labels.ravel()[pixels].any()), None)
            if canvas is None:
                canvas = _Canvas(np.zeros((image.height, image.width), np.int32))
                canvases.append(canvas)
            canvas.labels.ravel()[pixels] = label
            canvas.facts[label], canvas.ids[label], canvas.areas[label] = facts, obj.id, len(pixels)
            if obj.iscrowd:
                canvas.crowds.add(label)
        for canvas in canvases:
            crowds = frozenset(canvas.crowds)
            drawn.append(ReadLabels(canvas.labels, canvas.facts, canvas.ids, layer, crowds, canvas.areas))
    return drawn


@dataclass(eq=False)
class _Canvas:
    """A label image under way."""

    labels: npt.NDArray[np.int32]
    facts: dict[int, ObjectFacts] = field(default_factory=dict)
    ids: dict[int, int] = field(default_factory=dict)
    crowds: set[int] = field(default_factory=set)
    areas: dict[int, int] = field(default_factory=dict)


def _numbered(objects: list[CocoObject]) -> Iterator[tuple[int, CocoObject]]:
    """Objects in their order with a label each, no label twice."""
    labels: dict[int, int] = {}  # index of an object -> its label
    taken: set[int] = set()
    for recorded in (True, False):  # what was recorded goes before what is made from an id
        for index, obj in enumerate(objects):
            label: Any = obj.record.get("label") if recorded else obj.id
            fits = type(label) is int and abs(label) <= _HIGHEST and (label > 0 or (recorded and label < 0))
            if index not in labels and fits and label not in taken:
                labels[index] = label
                taken.add(label)
    spare = max([0, *taken])
    for index, obj in enumerate(objects):
        if index not in labels:
            spare = spare + 1 if spare < _HIGHEST else next(n for n in range(1, _HIGHEST) if n not in taken)
            labels[index] = spare
            taken.add(spare)
        yield labels[index], obj
