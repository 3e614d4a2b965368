"""See what a training sees: `python tools/sample_gallery.py STORE -o samples.png`.

STORE is a crop store (in a run folder: `crops/sources` or `crops/training`); `--procedural` and `--superpixels FOLDER`
show synthetic objects without one. Each sample is shown as the network gets it, and beside it with its true outline
(orange), pixels that do not count (grey), and its marks: boundary points (blue), inside (green), outside (pink), box
(white). Corrections are not shown: they depend on a network.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from napari_dextr.image_file import read_image
from napari_dextr.mask_file import write_image
from napari_dextr.training.batch import Batch
from napari_dextr.training.crops import CropStore, write_store
from napari_dextr.training.openings import OPENINGS
from napari_dextr.training.sampling import Sampler
from napari_dextr.training.synthetic import procedural_crops, superpixel_crops

Picture = npt.NDArray[np.uint8]

OUTLINE, BOUNDARY, INSIDE, OUTSIDE, BOX = (230, 159, 0), (86, 180, 233), (0, 200, 130), (204, 102, 187), (255, 255, 255)
GAP = 4  # pixels between samples


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("store", nargs="?", type=Path, help="folder of a crop store")
    options.add_argument("-o", "--out", type=Path, default=Path("samples.png"))
    options.add_argument("--procedural", type=int, default=0, metavar="N", help="draw N procedural objects instead")
    options.add_argument("--superpixels", type=Path, metavar="FOLDER", help="regions of photographs instead")
    options.add_argument("--groups", nargs="*", help="groups of the store; all by default")
    options.add_argument("--openings", nargs="*", choices=list(OPENINGS), help="kinds of prompt; all by default")
    options.add_argument("--composites", type=float, default=0.25)
    options.add_argument("--turning", nargs="*", default=["nuclei", "procedural", "superpixel"])
    options.add_argument("--count", type=int, default=24)
    options.add_argument("--canvas", type=int, default=160)
    options.add_argument("--columns", type=int, default=4)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = _store(given, Path(folder))
        sampler = Sampler(
            store,
            dict.fromkeys(given.groups or store.names, 1.0),
            tuple(given.turning),
            {name: OPENINGS[name] for name in given.openings} if given.openings else OPENINGS,
            composites=given.composites,
        )
        write_image(given.out, gallery(sampler.draw(given.count, given.canvas, (given.seed,)), given.columns))
    print(given.out)


def _store(given: argparse.Namespace, folder: Path) -> CropStore:
    if given.store is not None:
        return CropStore.open(given.store)
    rng = np.random.default_rng(given.seed)
    if given.superpixels is not None:
        files = sorted(given.superpixels.iterdir())
        chosen = [files[int(i)] for i in rng.permutation(len(files))[: given.count]]
        crops = [crop for file in chosen for crop in superpixel_crops(np.asarray(read_image(file)), 224, rng)]
        return write_store(folder, [("superpixel", crops)], 224)
    return write_store(folder, [("procedural", procedural_crops(224, rng, given.procedural or 3 * given.count))], 224)


def gallery(batch: Batch, columns: int) -> Picture:
    """The samples of a batch in a grid, each without and with its marks."""
    tiles = [_tile(batch, index) for index in range(len(batch.marks))]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def _tile(batch: Batch, index: int) -> Picture:
    image = batch.images[index].permute(1, 2, 0).numpy()
    low, high = np.percentile(image, [0.5, 99.5])
    plain = (np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    mask, known = batch.target[index, 0].numpy() > 0.5, batch.weight[index, 0].numpy() > 0
    inner = mask.copy()
    inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    marked = plain.copy()
    marked[~known] = marked[~known] // 3 + 85
    marked[mask & ~inner] = OUTLINE
    picture = Image.fromarray(marked)
    pen = ImageDraw.Draw(picture)
    marks = batch.marks[index]
    if marks.box is not None:
        r0, c0, r1, c1 = marks.box
        pen.rectangle((c0, r0, c1, r1), outline=BOX)
    for points, colour in ((marks.outline, BOUNDARY), (marks.inside, INSIDE), (marks.outside, OUTSIDE)):
        for row, col in points:
            pen.ellipse((col - 3, row - 3, col + 3, row + 3), fill=colour, outline=(0, 0, 0))
    return np.pad(np.concatenate([plain, np.asarray(picture)], axis=1), ((0, GAP), (0, GAP), (0, 0)))


if __name__ == "__main__":
    main()
