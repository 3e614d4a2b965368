"""COCO files with damage: documents that are broken with a mind for their structure, and plain bytes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_dextr.coco import (
    CocoDataset,
    ImageLabels,
    export_coco,
    labels_to_coco,
    looks_like_coco,
    merge_coco,
    read_coco,
    read_labels,
    validate_coco,
)
from napari_dextr.errors import DataError, DextrError
from napari_dextr.objects import NAMESPACE
from napari_dextr.rle import encode

from .harness import Area, Wrong
from .mutations import as_bytes, byte_edits, damage, json_edits, reshape

SHAPE = (24, 30)


def labels() -> Any:
    """Three objects, one with a hole, one in two parts."""
    plane = np.zeros(SHAPE, np.int32)
    plane[2:10, 3:12] = 1
    plane[5:7, 6:8] = 0
    plane[12:20, 2:9] = 2
    plane[14:18, 20:28] = 2
    plane[1:6, 20:25] = 5
    return plane


@cache
def documents() -> tuple[Any, ...]:
    """Valid documents: run lengths, polygons, our records, others' keys, and what an export writes."""
    runs = labels_to_coco(labels(), "a.png", categories={1: "cell", 2: "nucleus"}, category_of={2: 2})
    polygons = labels_to_coco(labels(), "b.png", segmentation="polygons")
    plain = json.loads(json.dumps(runs))
    for entry in plain["annotations"]:
        entry["segmentation"] = {"size": list(SHAPE), "counts": _counts(entry["segmentation"])}
    ours = json.loads(json.dumps(runs))
    for entry in ours["annotations"]:
        entry[NAMESPACE] |= {
            "marks": [["extreme", 2.0, 5.0], ["extreme", 9.0, 5.0], ["inside", 3.0, 4.0]], "box": [2.0, 3.0, 9.0, 11.0],
            "score": 0.9, "seconds": 2.5, "model": "embedded", "plane": [3], "author": "me", "layer": "cells",
        }  # fmt: skip
    ours["images"][0][NAMESPACE] = {"source": "stack.tif", "plane": [3], "axes": "z"}
    ours["categories"][0][NAMESPACE] = {"colour": "#112233"}
    others = json.loads(json.dumps(polygons))
    others["info"], others["licenses"] = {"year": 2020}, [{"id": 1, "name": "CC0", "url": ""}]
    others["annotations"][0] |= {"extreme_points": [[5, 2], [3, 6], [7, 9], [11, 4]], "score": 0.5}
    others["annotations"][1] |= {"iscrowd": 1, "ignore_segmentation": encode(labels() == 5)}
    others["annotations"].append({"id": 9, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]})
    others["categories"][0]["color"] = [1, 2, 3]
    return runs, polygons, plain, ours, others, merge_coco([runs, others])


def _counts(rle: dict[str, Any]) -> list[int]:
    from napari_dextr.rle import decode

    flat = decode(rle, SHAPE).T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    counts: list[int] = np.diff([0, *edges, flat.size]).tolist()
    return counts


_structured = st.tuples(
    st.integers(0, 5), json_edits(2), st.sampled_from(["read", "read", "validate", "export", "viewer"])
)
_bytes = st.tuples(st.integers(0, 5), byte_edits(2), st.sampled_from(["read", "validate", "export"]))


def check_structured(case: Any, folder: Path) -> str:
    number, edits, job = case
    return _use(as_bytes(reshape(documents()[number], edits)), job, folder)


def check_bytes(case: Any, folder: Path) -> str:
    number, edits, job = case
    return _use(damage(as_bytes(documents()[number]), edits), job, folder)


def _use(data: bytes, job: str, folder: Path) -> str:
    path = folder / "annotations.json"
    path.write_bytes(data)
    likely = looks_like_coco(path)
    if not isinstance(likely, bool):
        raise Wrong("looks_like_coco says neither yes nor no")
    try:
        if job == "validate":
            report = validate_coco(path)
            if report.ok != (not report.problems) or not report.summary():
                raise Wrong(f"{report.found} problems, but {len(report.problems)} sentences")
            return "sound" if report.ok else "told what is wrong"
        if job == "export":
            return _export(path)
        if job == "viewer":
            return _open(path)
        return _read(read_coco(path))
    finally:
        if job != "export" and path.read_bytes() != data:
            raise Wrong("reading has changed the file")


def _read(dataset: CocoDataset) -> str:
    problems: list[str] = []
    objects = 0
    for image, listed in dataset.by_image():
        for drawn in read_labels(dataset, image.id, problems=problems):
            if drawn.labels.shape != (image.height, image.width) or drawn.labels.dtype != np.int32:
                raise Wrong(f"labels {drawn.labels.dtype} {drawn.labels.shape} of {image.height} x {image.width}")
            found = {int(value) for value in np.unique(drawn.labels)} - {0}
            if found != set(drawn.facts) or found != set(drawn.ids) or found != set(drawn.areas):
                raise Wrong(f"labels {found}, facts of {set(drawn.facts)}, ids of {set(drawn.ids)}")
            objects += len(found)
        for obj in listed:
            try:
                region, mask = dataset.cut(obj)
                full = dataset.mask(obj)
            except DataError:
                continue
            if full.shape != (image.height, image.width) or full.sum() != mask.sum() or (full[region] != mask).any():
                raise Wrong(f"two ways to read object {obj.id} give two masks")
            for ask in (dataset.facts, dataset.ignore_mask):
                try:
                    ask(obj)
                except DataError:
                    objects += 0  # told in a sentence
    assert len(dataset.classes) == len(dataset.categories)
    return "read, some left out" if problems else "read"


def _export(path: Path) -> str:
    """Add to the damaged file: either nothing changes, or what comes out can be read and holds our objects."""
    before = path.read_bytes()
    try:
        report = export_coco(path, [ImageLabels("ours.png", labels())], author="stress", versions=1)
    except DextrError:
        if path.read_bytes() != before:
            raise Wrong("a refused export has changed the file") from None
        raise
    dataset = read_coco(path)
    image = next(image for image in dataset.images.values() if image.file_name == "ours.png")
    drawn = read_labels(dataset, image.id)
    if report.objects != 3 or len(drawn) != 1 or (drawn[0].labels != labels()).any():
        raise Wrong("what was exported does not come back")
    return "merged"


def _open(path: Path) -> str:
    """Open it as napari would."""
    from napari_dextr.napari_io.reader import get_reader

    reader = get_reader(str(path))
    if reader is None:
        return "not ours"
    for data, options, kind in reader(str(path)):
        if kind not in {"image", "labels", "points", "shapes"} or not isinstance(options, dict):
            raise Wrong(f"a layer of kind {kind}")
        if kind == "labels" and np.asarray(data[(0,) * (data.ndim - 2)]).dtype.kind not in "iu":
            raise Wrong("labels that are no whole numbers")
    return "opened"


STRUCTURED = Area(
    "COCO documents", "COCO files, changed with a mind for their structure", 2200, _structured, check_structured
)
BYTES = Area("COCO bytes", "COCO files, damaged as bytes", 2600, _bytes, check_bytes)
