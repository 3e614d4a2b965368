"""How much a fine-tuning gains from few objects: k objects teach, objects on other images judge.

For each number of objects and seed, a fine-tuning runs as in the viewer, verdict included; then the old and the new
model segment objects on images that it never saw, whole, from simulated extreme points. Every run adds a line to the
results file, and those that are there already are not repeated, so the command can be interrupted:

    python tools/kshot.py PACK --variant invert+blur6 --objects 5 10 20 50 --seeds 3 --results kshot.jsonl

A pack is a folder with ``annotations.json`` (COCO) and ``images``. Variants make another domain of it: ``invert``,
``blurN`` (Gaussian, deviation in pixels), ``noiseN`` (normal, deviation in grey levels of 255), ``fibresN`` (behind a
bundle of fibres, N pixels apart), joined by ``+``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_dextr import load_model
from napari_dextr.coco import CocoDataset, CocoObject, open_annotated, read_coco
from napari_dextr.metrics import iou
from napari_dextr.napari_io.samples import fibres
from napari_dextr.simulation import Simulator
from napari_dextr.training.finetune import FineTunePlan, FineTuning
from napari_dextr.training.sources import ArraySource

JITTERS = (0.0, 0.02)
_UNKNOWN = 65535


def main() -> None:
    options = _options()
    data = read_coco(options.pack / "annotations.json")
    judges, pool = _parted(data, options)
    print(f"{options.pack.name}, {options.variant}: {len(judges)} objects judge", file=sys.stderr)
    views = [(_image(data, obj, options), data.mask(obj), data.ignore_mask(obj), obj.id) for obj in judges]
    base = None
    for count in options.objects:
        for seed in range(options.seeds):
            key = {
                "pack": options.pack.name, "variant": options.variant, "objects": count, "seed": seed,
                "preset": options.preset, "rounds": options.folds, "settings": options.set, "initial": options.init,
            }  # fmt: skip
            if any(all(line.get(name) == value for name, value in key.items()) for line in lines_of(options.results)):
                continue
            base = base if base is not None else ious(options.init, views, options.device)
            line = {**key, **_trial(data, pool, views, base, count, seed, options)}
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), file=sys.stderr, flush=True)
    print(_table(lines_of(options.results)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--variant", default="as is")
    parser.add_argument("--objects", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judges", type=int, default=100, help="objects that judge, on images of their own")
    parser.add_argument("--least-area", type=int, default=80)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--folds", type=int, help="rounds of the verdict; 0 trains without one")
    parser.add_argument("--set", default="{}", help="further settings, JSON")
    parser.add_argument("--init", default="embedded")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("kshot.jsonl"))
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    return options


def _parted(data: CocoDataset, options: argparse.Namespace) -> tuple[list[CocoObject], list[list[CocoObject]]]:
    """The judging objects, and the objects of each other image; the same for every seed."""
    rng = np.random.default_rng(0)
    by_image = []
    for _, objects in data.by_image():
        fitting = [obj for obj in objects if not obj.iscrowd and obj.segmentation]
        large = [obj for obj in fitting if np.count_nonzero(data.mask(obj)) >= options.least_area]
        if large:
            by_image.append([large[i] for i in rng.permutation(len(large))])
    by_image = [by_image[i] for i in rng.permutation(len(by_image))]
    half = by_image[: len(by_image) // 2]
    each = -(-options.judges // len(half))
    return [obj for objects in half for obj in objects[:each]][: options.judges], by_image[len(by_image) // 2 :]


def _chosen(pool: list[list[CocoObject]], count: int, seed: int) -> list[list[CocoObject]]:
    """So many objects as somebody would annotate them: about three an image, on two images at least."""
    rng = np.random.default_rng((seed, 1))
    order = [pool[i] for i in rng.permutation(len(pool))]
    images = order[: max(2, round(count / 3))]
    taken = [[objects[i] for i in rng.permutation(len(objects))] for objects in images]
    dealt: list[list[CocoObject]] = [[] for _ in taken]
    further = iter(order[len(images) :])
    while sum(map(len, dealt)) < count:
        before = sum(map(len, dealt))
        for objects, mine in zip(taken, dealt, strict=True):
            if objects and sum(map(len, dealt)) < count:
                mine.append(objects.pop())
        if sum(map(len, dealt)) == before:  # the images have no more
            another = next(further, None)
            if another is None:
                raise SystemExit(f"The images that teach hold {before} objects only, not {count}; ask for fewer.")
            taken.append(list(another))
            dealt.append([])
    return dealt


def _image(data: CocoDataset, obj: CocoObject, options: argparse.Namespace) -> Any:
    from scipy.ndimage import gaussian_filter

    pixels: Any = np.asarray(open_annotated(options.pack / "images", data.images[obj.image_id]), np.float32)
    rng = np.random.default_rng(obj.image_id)
    for change in options.variant.split("+"):
        if change == "invert":
            pixels = 255 - pixels
        elif change.startswith("blur"):
            pixels = gaussian_filter(pixels, [float(change[4:])] * 2 + [0.0] * (pixels.ndim - 2))
        elif change.startswith("noise"):
            pixels = pixels + rng.normal(0, float(change[5:]), pixels.shape)
        elif change.startswith("fibres"):
            pattern = fibres(pixels.shape[:2], float(change[6:]))
            pixels = pixels * (1 + 0.4 * pattern.reshape(*pattern.shape, *[1] * (pixels.ndim - 2)))
        elif change != "as is":
            raise SystemExit(
                f"There is no variant '{change}'; take invert, blurN, noiseN, fibresN, or leave --variant out."
            )
    return pixels.clip(0, 255).round().astype(np.uint8)


def _trial(
    data: CocoDataset, pool: list[list[CocoObject]], views: list[Any], base: Any, count: int, seed: int,
    options: argparse.Namespace,
) -> dict[str, Any]:  # fmt: skip
    pairs = []
    for objects in _chosen(pool, count, seed):
        image = _image(data, objects[0], options)
        labels = np.zeros(image.shape[:2], np.int32)
        for number, obj in enumerate(objects, start=1):
            ignored = data.ignore_mask(obj)
            if ignored is not None:
                labels[ignored & (labels == 0)] = _UNKNOWN
            labels[data.mask(obj)] = number
        pairs.append((image, labels))
    source = ArraySource(pairs, ignore=_UNKNOWN, least_area=1)
    settings = {"seed": seed, "pictures": 0, **json.loads(options.set)}
    with tempfile.TemporaryDirectory() as folder:
        plan = FineTunePlan(
            source, Path(folder) / "run", options.init, settings=settings, device=options.device,
            preset=options.preset, folds=options.folds or None, hold_out=0 if options.folds == 0 else None,
        )  # fmt: skip
        tuning = FineTuning(plan)
        started, used = time.perf_counter(), time.process_time()
        for _ in tuning.run():
            pass
        wall, used = time.perf_counter() - started, time.process_time() - used
        outcome = tuning.outcome
        assert outcome is not None, "the run has ended"
        after = base if outcome.tuned is None else ious(outcome.tuned, views, options.device)
    verdict = outcome.verdict
    gain = after - base
    return {
        "before": base.mean(axis=0).round(4).tolist(),
        "after": after.mean(axis=0).round(4).tolist(),
        "gain": gain.mean(axis=0).round(4).tolist(),
        "trained": outcome.tuned is not None,
        "verdict": None if verdict is None else verdict.to_dict(),
        "kept": verdict is None or verdict.helps,
        "seconds": round(wall),
        "processor_seconds": round(used),
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> int | None:
    """Most memory that the process had so far, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


def ious(model: Any, views: list[Any], device: str) -> Any:
    """IoU of every judging object with exact and with careless extreme points: ``(N, 2)``."""
    segmenter = load_model(model, device=device)
    rows = []
    for image, truth, ignore, number in views:
        row = []
        for jitter in JITTERS:
            prompt = Simulator(np.random.default_rng((number, 1))).extreme(truth, jitter=jitter, exact=not jitter)
            row.append(iou(segmenter.segment(image, prompt).full_mask(), truth, ignore))
        rows.append(row)
    return np.array(rows)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Lines of a results file; none where there is no file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _table(lines: list[dict[str, Any]]) -> str:
    """A Markdown table of means over the seeds; IoU with exact points, the gain with careless ones behind it."""
    head = (
        "| domain | objects | seeds | base | tuned (gain, least of the seeds) | gain, points 2 % off | error removed "
        "| verdict says yes | kept: gain, least |\n|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        key = (line["pack"], line["variant"], line["preset"], line["rounds"], line["settings"], line["objects"])
        groups.setdefault(key, []).append(line)
    for key, found in sorted(groups.items(), key=lambda item: str(item[0][:-1]) + f"{item[0][-1]:09d}"):
        before, after = (float(np.mean([line[name][0] for line in found])) for name in ("before", "after"))
        gains = [line["gain"][0] for line in found]
        careless = float(np.mean([line["gain"][1] for line in found]))
        judged = [line for line in found if line["verdict"] is not None]
        kept = [line["gain"][0] if line["kept"] else 0.0 for line in judged]
        said = f"{sum(line['kept'] for line in judged)} of {len(judged)}" if judged else ""
        rest = f"{np.mean(kept):+.3f}, {min(kept):+.3f}" if judged else ""
        rows.append(
            f"| {key[0]}, {key[1]} | {key[-1]} | {len(found)} | {before:.3f} "
            f"| {after:.3f} ({np.mean(gains):+.3f}, {min(gains):+.3f}) "
            f"| {careless:+.3f} | {(after - before) / (1 - before):.0%} | {said} | {rest} |"
        )
    return "\n".join([head, *rows])


if __name__ == "__main__":
    main()
