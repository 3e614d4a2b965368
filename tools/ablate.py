"""What the choices of a recipe are worth, in small budgets: one short training for each, everything else alike.

Every variant trains a small network from scratch on the recipe's crops and is then judged as people would use it:
four extreme points on whole images of the validation packs, exact and missed by 2 % of the object's size. Every run
adds a line to the results file and those that are there are not repeated, so the command can be interrupted:

    python tools/ablate.py --data FOLDER -o RUNS --results ablation.jsonl

``FOLDER`` holds the packs under the names in the recipe. Variants of the canvas see as many pixels as the reference,
not as many samples, because time is what is short.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

_SYNTHETIC = ("superpixel", "procedural")


@dataclass(frozen=True)
class Variant:
    """A choice: what it changes of the reference's training, network and guidance, and the axis it lies on."""

    axis: str
    name: str
    train: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    guidance: float = 1.0  # factor on both widths of the marks
    synthetic: float | None = None  # share of the samples that are synthetic; None as in the recipe


_NETWORK = {"widths": (16, 32, 64, 96), "blocks": (1, 2, 2, 2), "decoder": 32, "pools": (1, 2, 4)}
_TRAIN = {
    "optimizer": "adamw", "learning_rate": 2e-3, "warm_up": 0.04, "decay": 0.96,
    "steps": 250, "batch": 24, "canvases": ((128, 1.0),), "average": 0.98, "precision": "float32",
    "validate_every": 10_000, "checkpoint_seconds": 0, "pictures": 0,
}  # fmt: skip
VARIANTS = (
    Variant("reference", "as is"),
    Variant("reference", "another seed", {"seed": 1}),
    Variant("canvas", "96 pixels, 43 samples a step", {"canvases": ((96, 1.0),), "batch": 43}),
    Variant("canvas", "192 pixels, 11 samples a step", {"canvases": ((192, 1.0),), "batch": 11}),
    Variant("guidance", "half as wide", guidance=0.5),
    Variant("guidance", "twice as wide", guidance=2.0),
    Variant("optimiser", "AdamW, rate 0.006", {"learning_rate": 6e-3}),
    Variant("optimiser", "Muon, rate 0.002", {"optimizer": "muon"}),
    Variant("optimiser", "Muon, rate 0.006", {"optimizer": "muon", "learning_rate": 6e-3}),
    Variant("optimiser", "Muon, rate 0.015", {"optimizer": "muon", "learning_rate": 0.015}),
    Variant("loss", "class-balanced cross entropy", {"mask_loss": "balanced"}),
    Variant("loss", "normalised focal alone", {"mask_loss": {"focal": 1.0}}),
    Variant("loss", "soft IoU alone", {"mask_loss": {"iou": 1.0}}),
    Variant("synthetic", "none", synthetic=0.0),
    Variant("synthetic", "half of the samples", synthetic=0.5),
    Variant("width", "half as many channels", network={"widths": (8, 16, 32, 48), "decoder": 16}),
    Variant("width", "twice as many channels", network={"widths": (32, 64, 128, 192), "decoder": 48}),
    Variant("composites", "none", {"composites": 0.0}),
    Variant("composites", "30 %", {"composites": 0.3}),
    Variant("prompts", "extreme points only", {"openings": {"extreme": 1.0}, "corrections": (1.0,)}),
    Variant("sizes", "every octave equally often", {"size_balance": 1.0}),
)


def main() -> None:
    options = _options()
    import torch

    torch.set_num_threads(options.threads)
    from kshot import lines_of
    from napari_dextr.training.recipe import Recipe, stores

    recipe = Recipe.read(options.recipe)
    sources, _ = stores(replace(recipe, crops={k: v for k, v in recipe.crops.items() if k != "validation"}),
                        options.data, options.out / "crops", lambda line: print(line, file=sys.stderr))  # fmt: skip
    views = None
    for variant in VARIANTS:
        done = {(line["axis"], line["name"]) for line in lines_of(options.results)}
        if variant.axis not in options.axes or (variant.axis, variant.name) in done:
            continue
        views = views or {str(pack["name"]): list(_views(pack, options)) for pack in recipe.crops["validation"]}
        line = {"axis": variant.axis, "name": variant.name, **_trial(variant, recipe, sources, views, options)}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), file=sys.stderr, flush=True)
    print(table(lines_of(options.results)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recipe", default="embedded")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the crops and the runs")
    axes = list(dict.fromkeys(variant.axis for variant in VARIANTS))
    parser.add_argument("--axes", nargs="+", choices=axes, default=axes, metavar="AXIS", help=", ".join(axes))
    parser.add_argument("--objects", type=int, default=150, help="objects of each validation pack that judge")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("ablation.jsonl"))
    return parser.parse_args()


def settings(variant: Variant, recipe: Any) -> Any:
    """The `TrainConfig` of a variant."""
    from napari_dextr.training.config import TrainConfig

    shares = dict(recipe.train.shares)
    if variant.synthetic is not None:
        real = sum(share for name, share in shares.items() if name not in _SYNTHETIC)
        made = sum(share for name, share in shares.items() if name in _SYNTHETIC)
        for name in shares:
            share = variant.synthetic / made if name in _SYNTHETIC else (1 - variant.synthetic) / real
            shares[name] *= share
        shares = {name: share for name, share in shares.items() if share}
    return TrainConfig.from_mapping({**asdict(recipe.train), **_TRAIN, "shares": shares, **variant.train})


def _trial(variant: Variant, recipe: Any, crops: Any, views: Any, options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from kshot import ious
    from napari_dextr import guidance
    from napari_dextr.models.compact import CompactNet
    from napari_dextr.training.loop import Trainer
    from napari_dextr.training.recipe import export
    from napari_dextr.training.sampling import Sampler

    config = settings(variant, recipe)
    folder = options.out / f"{variant.axis}-{variant.name}".replace(" ", "-").replace("%", "percent").replace(",", "")
    narrow, broad = guidance.NARROW, guidance.BROAD
    guidance.NARROW, guidance.BROAD = narrow * variant.guidance, broad * variant.guidance
    try:
        torch.manual_seed(config.seed)
        network = CompactNet(**{**_NETWORK, **variant.network})
        trainer = Trainer(network, Sampler.of(crops, config), config, folder)
        started, used = time.perf_counter(), time.process_time()
        samples = sum(config.batch_at(update.step - 1) for update in trainer.train())
        seconds, processor = time.perf_counter() - started, time.process_time() - used
        trainer.averaged.load_state_dict(trainer.best_state())
        small = replace(recipe, model={**recipe.model, "canvas": config.canvases[-1][0], "sharpness": 1.0})
        model = export(trainer.averaged, folder / "model.safetensors", small, trainer.step)
        iou = {name: ious(model, pack, "cpu").mean(axis=0).round(4).tolist() for name, pack in views.items()}
    finally:
        guidance.NARROW, guidance.BROAD = narrow, broad
    return {
        "iou": iou,
        "samples": samples,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": round(seconds),
        "processor_seconds": round(processor),
    }


def _views(pack: Mapping[str, Any], options: argparse.Namespace) -> Any:
    """Objects of a validation pack, drawn at random but the same every time: image, mask, what to ignore, number."""
    from napari_dextr.coco import open_annotated, read_coco

    data = read_coco(options.data / str(pack["annotations"]))
    least = int(pack.get("least_area", 1000))
    fitting = [obj for obj in data.objects if not obj.iscrowd and obj.segmentation]
    found = 0
    for index in np.random.default_rng(0).permutation(len(fitting)):
        obj = fitting[index]
        if found == options.objects:
            return
        mask = data.mask(obj)
        if np.count_nonzero(mask) >= least:
            found += 1
            image = np.asarray(open_annotated(options.data / str(pack["images"]), data.images[obj.image_id]))
            yield image, mask, data.ignore_mask(obj), obj.id


def table(lines: list[dict[str, Any]]) -> str:
    """A Markdown table: IoU with exact points, the change against the reference, and what missing points cost."""
    if not lines:
        return "no results yet"
    order = {(variant.axis, variant.name): number for number, variant in enumerate(VARIANTS)}
    lines = sorted(lines, key=lambda line: order.get((line["axis"], line["name"]), len(order)))
    packs = list(lines[0]["iou"])
    head = "| choice | " + " | ".join(packs) + " | mean | against the reference | points 2 % off | processor time |"
    rows = [head, "|" + "---|" * (len(packs) + 5)]
    means = [np.mean([line["iou"][pack] for pack in packs], axis=0) for line in lines]
    for line, (exact, missed) in zip(lines, means, strict=True):
        cells = [f"{line['iou'][pack][0]:.3f}" for pack in packs]
        change = "" if line is lines[0] else f"{exact - means[0][0]:+.3f}"
        cells += [f"**{exact:.3f}**", change, f"{missed - exact:+.3f}", f"{line['processor_seconds'] / 60:.1f} min"]
        rows.append(f"| {line['axis']}: {line['name']} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
