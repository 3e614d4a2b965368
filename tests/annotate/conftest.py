"""A small model and a data set of boxes and extreme points, some of them bad."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import torch

from napari_dextr.models import load_model
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS

OPTIONS = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1]}


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A small untrained model that takes every mark, as a file."""
    torch.manual_seed(0)
    network = CompactNet((8, 8, 8, 8), (1, 1, 1, 1), 8, (1,))
    spec = ModelSpec("tiny", "compact", options=OPTIONS, canvas=32, marks=MARKS, threshold=0.3, has_score=True)
    return write_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors", network, spec)


@pytest.fixture(scope="session")
def model(weights):
    return load_model(weights, device="cpu", precision="full")


@pytest.fixture
def pack(tmp_path) -> Path:
    """A folder with ``a.json`` and four images, one of which is missing; eleven objects, one of them a crowd."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    (tmp_path / "images").mkdir()
    for number in range(1, 5):
        if number != 3:
            imageio.v3.imwrite(tmp_path / "images" / f"{number}.png", rng.integers(0, 256, (40, 50, 3), np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": 40, "width": 50})
        for index in range(3 if number != 4 else 2):
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "tool": "x"}
            entry["bbox"] = [3 + 5 * index, 4 + 3 * index, 22, 17]
            annotations.append(entry)
    annotations[1]["extreme_points"] = [[10, 5], [6, 12], [11, 20], [30, 14]]
    annotations[2]["bbox"] = [5, 5, 0, 3]
    annotations[9]["iscrowd"] = 1
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}], "more": 1.50}
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path
