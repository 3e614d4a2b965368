"""A model whose answers are known, and annotated images that it can be wrong about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imageio.v3
import numpy as np
import pytest

from napari_dextr.coco import labels_to_coco, merge_coco, read_coco, write_coco
from napari_dextr.errors import UnsupportedMarkError
from napari_dextr.evaluation import Evaluation, Settings, evaluate
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS, Prompt
from napari_dextr.segmenter import Segmentation

SHAPE = (80, 100)
FAST = Settings(baselines=("ellipse", "box"))


class Fake:
    """Cuts by brightness. Its first answer lacks the left part; every correction brings back a half of what lacks.

    ``mistake`` is the share of the region's width that lacks at first.
    """

    def __init__(self, marks=MARKS, mistake: float = 0.0, score: float | None = 0.75) -> None:
        self.spec = ModelSpec("fake", "none", marks=tuple(marks))
        self.mistake = mistake
        self.score = score
        self.prompts: list[Prompt] = []
        self.images: list[np.ndarray] = []

    def segment(self, image, prompt):
        for mark in sorted(prompt.marks - set(self.spec.marks)):
            raise UnsupportedMarkError(mark, "fake")
        self.prompts.append(prompt)
        self.images.append(image)
        grey = image if image.ndim == 2 else image[..., 0]
        r0, c0, r1, c1 = prompt.bounds or (0, 0, *grey.shape)
        rows = slice(max(int(r0) - 5, 0), min(int(r1) + 6, grey.shape[0]))
        cols = slice(max(int(c0) - 5, 0), min(int(c1) + 6, grey.shape[1]))
        probability = (grey[rows, cols] > 100).astype(np.float32)
        done = len(prompt.boundary_points) + len(prompt.inside_points) + len(prompt.outside_points)
        lacking = round(self.mistake * probability.shape[1]) // 2**done
        probability[:, :lacking] = 0
        return Segmentation(probability, (rows, cols), grey.shape, prompt, self.score, "fake", 0.5)


@pytest.fixture
def fake() -> type[Fake]:
    return Fake


@pytest.fixture(scope="session")
def pack(tmp_path_factory) -> Path:
    """Three images, one of them grey, with a disc, a square and a small square each; ids 1 to 9, image by image."""
    folder = tmp_path_factory.mktemp("pack")
    documents = []
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for number in range(3):
        labels = np.zeros(SHAPE, np.uint8)
        labels[np.hypot(rows - 20, (cols - 22) / 1.2) < 12] = 1
        labels[(abs(rows - 55) < 14) & (abs(cols - 60) < 20)] = 2
        labels[(abs(rows - 30) < 3) & (abs(cols - 80) < 4)] = 3
        grey = np.where(labels > 0, 180, 30).astype(np.uint8)
        imageio.v3.imwrite(
            folder / f"{number}.png", grey if number == 0 else np.stack([grey, grey // 2, grey], axis=-1)
        )
        documents.append(labels_to_coco(labels, f"{number}.png", categories={1: "cell"}))
    write_coco(folder / "a.json", merge_coco(documents))
    return folder


@pytest.fixture
def run(pack) -> Callable[..., Evaluation]:
    """Evaluate a model (a perfect one by default) on the pack; further keywords change the settings."""

    def _run(model=None, progress=None, workers=1, **changes) -> Evaluation:
        return evaluate(model or Fake(), read_coco(pack / "a.json"), pack, replace(FAST, **changes), progress, workers)

    return _run
