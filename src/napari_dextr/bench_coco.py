"""How fast label images go into a COCO file and come back, beside a plain loop over pycocotools; and boxes to masks."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .bench import peak_megabytes
from .coco import ImageLabels, export_coco, read_coco, read_labels
from .prompt import Prompt

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from .segmenter import Segmenter

_TURNS = 5


@dataclass(frozen=True)
class Size:
    """What is written and read: so many planes of ``side`` squared pixels with so many objects each."""

    planes: int = 100
    objects: int = 100
    side: int = 1024


@dataclass(frozen=True)
class Measure:
    """Seconds of one job, and the largest memory of the process that did nothing else, MB (None on Windows)."""

    seconds: float
    megabytes: float | None


@dataclass(frozen=True)
class CocoBenchReport:
    """What `bench_coco` measured.

    Attributes
    ----------
    size : Size
    measures : mapping of str to Measure
        "export" and "import" in three ways each: ``here, run lengths``, ``here, polygons``, ``plain pycocotools``.
    identical : bool
        Whether all ways gave the same labels back.
    """

    size: Size
    measures: Mapping[str, Measure]
    identical: bool

    def remarks(self) -> list[str]:
        """The figures as sentences."""
        objects = self.size.planes * self.size.objects
        lines = [f"{objects} objects on {self.size.planes} planes of {self.size.side}² pixels"]
        for name, measure in self.measures.items():
            memory = "" if measure.megabytes is None else f", {measure.megabytes:.0f} MB at most"
            lines.append(f"{name}: {measure.seconds:.2f} s{memory}")
        for job in ("export", "import"):
            plain = self.measures[f"{job}, plain pycocotools"].seconds
            ratio = plain / self.measures[f"{job}, run lengths"].seconds
            lines.append(f"{job} is {ratio:.1f} times as fast as a plain loop over pycocotools")
        lines.append("every way gave the same labels" if self.identical else "THE LABELS DIFFER")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        measures = {name: vars(measure) for name, measure in self.measures.items()}
        return {"size": vars(self.size), "measures": measures, "identical": self.identical}


def bench_coco(size: Size | None = None, progress: Callable[[int, int], object] | None = None) -> CocoBenchReport:
    """Measure export and import, each in a fresh process, in the same run as the plain loop.

    Parameters
    ----------
    size : Size, optional
    progress : callable, optional
        Called with (jobs done, jobs in all).
    """
    size = size or Size()
    measures: dict[str, Measure] = {}
    answers: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="napari-dextr-") as folder:
        jobs = [(job, way) for way in ("run lengths", "polygons", "plain pycocotools") for job in ("export", "import")]
        for number, (job, way) in enumerate(jobs, start=1):
            path = str(Path(folder) / f"{way}.json")
            measures[f"{job}, {way}"], answers[f"{job}, {way}"] = _apart(job, way, path, size)
            if progress is not None:
                progress(number, len(jobs))
    imported = {answer for name, answer in answers.items() if name.startswith("import")}
    return CocoBenchReport(size, dict(sorted(measures.items())), imported == {_digest(size)})


def bench_annotate(model: Segmenter, objects: int = 64, batch: int = 8) -> dict[str, float]:
    """Objects a second that one image's boxes become masks: one by one, in batches, and as the model chooses, in turns.

    Returns
    -------
    dict
        ``"one by one"``, ``"in batches"`` and ``"by default"``, objects a second (medians of five turns each).
    """
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (512, 512, 3), np.uint8)
    corners = rng.uniform(0, 400, (objects, 2))
    prompts = [Prompt.box(row, col, row + 80, col + 90) for row, col in corners.tolist()]
    ways: dict[str, Callable[[], object]] = {
        "one by one": lambda: [model.segment(image, prompt) for prompt in prompts],
        "in batches": lambda: model.segment_many(image, prompts, batch=batch),
        "by default": lambda: model.segment_many(image, prompts),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for size in (1, batch):
        model.segment_many(image, prompts[:size], batch=size)
    for _ in range(_TURNS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: objects / statistics.median(taken) for name, taken in seconds.items()}


def synthetic_labels(number: int, size: Size) -> npt.NDArray[np.int32]:
    """A plane of blobs on a grid, no two alike; ``(side, side)`` int32, labels from 1."""
    rng = np.random.default_rng(number)
    labels = np.zeros((size.side, size.side), np.int32)
    across = int(np.ceil(np.sqrt(size.objects)))
    cell = size.side // across
    rows, cols = np.mgrid[:cell, :cell] - (cell - 1) / 2
    angles = np.arctan2(rows, cols)
    for label in range(1, size.objects + 1):
        row, col = divmod(label - 1, across)
        wave = 1 + 0.2 * np.sin(angles * rng.integers(2, 6) + rng.uniform(0, 6))
        blob = np.hypot(rows, cols) < 0.35 * cell * wave * rng.uniform(0.6, 1)
        labels[row * cell : (row + 1) * cell, col * cell : (col + 1) * cell][blob] = label
    return labels


def _apart(job: str, way: str, path: str, size: Size) -> tuple[Measure, str]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, job, way, path, size))
    process.start()
    theirs.close()
    try:
        measure, answer = mine.recv()
    except EOFError:
        raise RuntimeError(f"The process that measured '{job}, {way}' ended early.") from None
    finally:
        process.join()
    return measure, answer


def _run(pipe: Connection, job: str, way: str, path: str, size: Size) -> None:
    import pycocotools.mask  # noqa: F401 - importing is not what is measured

    work = {"export": _export, "import": _import}[job] if way != "plain pycocotools" else _PLAIN[job]
    started = time.perf_counter()
    seconds_apart, answer = work(path, way, size)
    seconds = time.perf_counter() - started - seconds_apart
    pipe.send((Measure(seconds, peak_megabytes()), answer))
    pipe.close()


def _planes(size: Size, spent: list[float]) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
    """The planes, and in `spent` the seconds it took to make them."""
    for number in range(size.planes):
        started = time.perf_counter()
        labels = synthetic_labels(number, size)
        spent.append(time.perf_counter() - started)
        yield number, labels


def _export(path: str, way: str, size: Size) -> tuple[float, str]:
    spent: list[float] = []
    planes = (ImageLabels(f"plane_{number:03d}.png", labels) for number, labels in _planes(size, spent))
    export_coco(path, planes, segmentation="rle" if way == "run lengths" else "polygons")
    return sum(spent), ""


def _import(path: str, way: str, size: Size) -> tuple[float, str]:
    dataset = read_coco(path)
    total, spent = 0, 0.0
    for image_id in dataset.images:
        (read,) = read_labels(dataset, image_id)
        started = time.perf_counter()
        total = _add(total, read.labels)
        spent += time.perf_counter() - started
    return spent, str(total)


def _plain_export(path: str, way: str, size: Size) -> tuple[float, str]:
    from pycocotools import mask as cocomask

    spent: list[float] = []
    document: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "object"}]}
    for number, labels in _planes(size, spent):
        height, width = labels.shape
        document["images"].append({"id": number + 1, "file_name": f"{number}.png", "height": height, "width": width})
        for label in np.unique(labels)[1:].tolist():
            rle = cocomask.encode(np.asfortranarray(labels == label, dtype=np.uint8))
            entry = {
                "id": len(document["annotations"]) + 1,
                "image_id": number + 1,
                "category_id": 1,
                "area": float(cocomask.area(rle)),
                "bbox": cocomask.toBbox(rle).tolist(),
                "iscrowd": 0,
                "segmentation": {"size": rle["size"], "counts": rle["counts"].decode("ascii")},
                "label": label,
            }
            document["annotations"].append(entry)
    Path(path).write_text(json.dumps(document), encoding="utf-8")
    return sum(spent), ""


def _plain_import(path: str, way: str, size: Size) -> tuple[float, str]:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    total, spent = 0, 0.0
    for image_id, image in coco.imgs.items():
        labels = np.zeros((image["height"], image["width"]), np.int32)
        for entry in coco.imgToAnns[image_id]:
            labels[coco.annToMask(entry).astype(bool)] = entry["label"]
        started = time.perf_counter()
        total = _add(total, labels)
        spent += time.perf_counter() - started
    return spent, str(total)


_PLAIN = {"export": _plain_export, "import": _plain_import}


def _add(total: int, labels: npt.NDArray[np.int32]) -> int:
    """A checksum of label images, one after the other."""
    import zlib

    return zlib.crc32(labels.tobytes(), total)


def _digest(size: Size) -> str:
    total = 0
    for _, labels in _planes(size, []):
        total = _add(total, labels)
    return str(total)


if __name__ == "__main__":
    print(*bench_coco().remarks(), sep="\n")
