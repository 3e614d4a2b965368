"""A pack of thin objects: one dark or light curve drawn over each of many photographs, with COCO annotations.

    python tools/thin_pack.py PHOTOGRAPHS -o PACK --objects 100

Cracks, hairs and wires on ground that has edges of its own, 4 to 7 pixels wide and half as long as the photograph. The
curves are drawn otherwise than those that the embedded model learned from (`napari_dextr.training.curvilinear`): a
smoothed random walk of changing width, here; so the pack tells what it makes of thin objects that it has not seen.
``PACK`` can be given to ``napari-dextr evaluate`` and ``tools/kshot.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_dextr.coco import labels_to_coco, merge_coco, write_coco
from napari_dextr.image_file import read_image

_STEPS = 400  # places along a curve
_SEEN = 25.0  # grey levels by which a curve changes what it covers; one that does less is drawn anew
_ROOM = 10  # pixels left between a curve and the border of the photograph


def main() -> None:
    options = _options()
    rng = np.random.default_rng(options.seed)
    files = sorted(file for file in options.photographs.iterdir() if file.is_file())
    (options.out / "images").mkdir(parents=True, exist_ok=True)
    documents = []
    for index in rng.permutation(len(files))[: options.objects]:
        photograph = np.asarray(read_image(files[int(index)]))
        if photograph.ndim == 2:
            photograph = np.repeat(photograph[..., None], 3, axis=-1)
        photograph = photograph[..., :3]
        image, mask = with_curve(photograph, rng)
        while np.abs(image[mask].astype(float) - photograph[mask]).mean() < _SEEN:
            image, mask = with_curve(photograph, rng)
        name = f"{files[int(index)].stem}.png"
        Image.fromarray(image).save(options.out / "images" / name)
        documents.append(labels_to_coco(mask.astype(np.int32), name))
    write_coco(options.out / "annotations.json", merge_coco(documents))
    print(f"{len(documents)} thin objects in {options.out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photographs", type=Path, help="folder of image files")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def with_curve(photograph: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """An ``(H, W, 3)`` photograph with a curve over it, and the curve's mask ``(H, W)``."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter, gaussian_filter1d

    shape = photograph.shape[:2]
    along = np.linspace(0, 1, _STEPS)
    length, angle = rng.uniform(0.45, 0.8) * min(shape), rng.uniform(0, 2 * np.pi)
    walk = gaussian_filter1d(np.cumsum(rng.normal(0, 1, (_STEPS, 2)), axis=0), 12, axis=0)
    walk -= walk[0] + (walk[-1] - walk[0]) * along[:, None]
    walk *= rng.uniform(0.05, 0.25) * length / max(1e-6, float(np.ptp(walk, axis=0).max()))
    line = np.outer(along * length, [np.sin(angle), np.cos(angle)]) + walk
    room = np.array(shape) - 1 - 2 * _ROOM - np.ptp(line, axis=0)
    line += _ROOM + rng.uniform(0, np.maximum(room, 1e-6)) - line.min(axis=0)
    half_width = rng.uniform(2, 3.5) * np.exp(1.2 * gaussian_filter1d(rng.normal(0, 1, _STEPS), 20))
    fine = np.linspace(0, 1, 15 * _STEPS)
    rows, cols = (np.interp(fine, along, line[:, axis]).round().astype(int) for axis in (0, 1))
    rows, cols = rows.clip(0, shape[0] - 1), cols.clip(0, shape[1] - 1)
    widths = np.zeros(shape)
    widths[rows, cols] = np.interp(fine, along, half_width)
    away, nearest = distance_transform_edt(widths == 0, return_indices=True)
    mask = away <= widths[tuple(nearest)]
    cover = gaussian_filter(mask.astype(np.float32), 0.8)[..., None] * rng.uniform(0.35, 0.7)
    colour = 0 if rng.random() < 0.7 else 255
    picture = photograph * (1 - cover) + colour * cover + rng.normal(0, 2, photograph.shape)
    return picture.clip(0, 255).round().astype(np.uint8), mask


if __name__ == "__main__":
    main()
