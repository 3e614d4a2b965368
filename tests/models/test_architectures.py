from __future__ import annotations

import pytest
import torch

from napari_dextr.errors import ModelError
from napari_dextr.models import architectures
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.registry import find
from napari_dextr.models.spec import ModelSpec

OPTIONS = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1, 2]}
SPEC = ModelSpec(name="embedded", architecture="compact", options=OPTIONS, marks=("extreme", "inside"))


def test_every_name_leads_somewhere():
    for table in (architectures.ARCHITECTURES, architectures.PIPELINES):
        for key in table:
            assert callable(architectures._look_up(table, key, "thing"))
    for name in architectures.PIPELINES:
        pipeline = architectures.load_pipeline(name)
        assert callable(pipeline.read)
        assert callable(pipeline.paste)


def test_networks_are_built_from_their_spec():
    assert isinstance(architectures.build_network(SPEC), CompactNet)
    with torch.device("meta"):
        network = architectures.build_network(find("dextr-coco").spec)
    assert sum(parameter.numel() for parameter in network.parameters()) == 48_800_385


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        (ModelSpec("new", "mamba"), "unknown network architecture, 'mamba'"),
        (ModelSpec("new", "compact", {"nonsense": 1}), "cannot build"),
    ],
)
def test_networks_of_the_future(spec, match):
    with pytest.raises(ModelError, match=match):
        architectures.build_network(spec)


def test_pipelines_of_the_future():
    with pytest.raises(ModelError, match="unknown pipeline, 'video'"):
        architectures.load_pipeline("video")
