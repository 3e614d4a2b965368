"""Does lower precision change the masks of a trained ResNet-101?

The published checkpoints cannot be fetched everywhere, and on random weights every rounding shows. So this trains the
published architecture a short while on a crop store (`napari-dextr train` leaves one in RUN/crops) and compares masks
in full and in reduced precision on the validation crops, at the published canvas of 512 pixels.

    python tools/resnet101_precision.py RUN/crops --steps 300 --threads 2
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from napari_dextr.image import as_plane
from napari_dextr.metrics import iou
from napari_dextr.models.agreement import precision_agreement
from napari_dextr.models.catalogue import published_spec
from napari_dextr.models.deeplab import build_dextr
from napari_dextr.models.published import PublishedPipeline
from napari_dextr.segmenter import Segmenter
from napari_dextr.simulation import Simulator
from napari_dextr.training.crops import OBJECT, CropStore
from napari_dextr.training.losses import class_balanced


def sample(store: CropStore, index: int, canvas: int, rng: np.random.Generator):
    """The published input of one crop, and its mask on the same canvas."""
    spec = replace(published_spec("trial"), canvas=canvas)
    mask = (store.masks[index] & OBJECT) > 0
    prompt = Simulator(rng).extreme(mask, exact=False)
    inputs, _ = PublishedPipeline().read(as_plane(store.images[index]), prompt, spec)
    drawn, _ = PublishedPipeline().read(as_plane(mask.astype(np.uint8) * 255), prompt, spec)
    return inputs, (drawn[:, :1] > 127).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path, help="folder with the stores 'sources' and 'validation'")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--canvas", type=int, default=192, help="canvas of the training; judged at 512")
    parser.add_argument("--objects", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    training, validation = (CropStore.open(options.crops / name) for name in ("sources", "validation"))
    network = build_dextr(head="psp").to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-4, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-4, total_steps=options.steps)
    started = time.perf_counter()
    for step in range(options.steps):
        pairs = [sample(training, int(rng.integers(len(training))), options.canvas, rng) for _ in range(options.batch)]
        inputs, target = (torch.cat(part) for part in zip(*pairs, strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(inputs.contiguous(memory_format=torch.channels_last))
        full = F.interpolate(logits.float(), size=target.shape[2:], mode="bilinear", align_corners=True)
        loss = class_balanced(full, target, torch.ones_like(target)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 25 == 0:
            seconds = time.perf_counter() - started
            print(f"step {step + 1} of {options.steps}: loss {loss.item():.4f}, {seconds:.0f} s", flush=True)
    network.eval()
    spec = published_spec("trial")
    full, reduced = (Segmenter(network, spec, device="cpu", precision=p) for p in ("full", "reduced"))
    chosen = rng.permutation(len(validation))[: options.objects]
    truths = [(validation.masks[index] & OBJECT) > 0 for index in chosen]
    samples = [
        (np.asarray(validation.images[index]), Simulator().extreme(truth))
        for index, truth in zip(chosen, truths, strict=True)
    ]
    found = [iou(full.segment(*pair).full_mask(), truth) for pair, truth in zip(samples, truths, strict=True)]
    agreement = precision_agreement(full, reduced, samples)
    print(f"IoU with the truth {np.mean(found):.3f} over {len(found)} objects")
    print(f"{reduced.precision} against float32: mask IoU mean {agreement.mean:.4f}, least {agreement.minimum:.4f}")


if __name__ == "__main__":
    main()
