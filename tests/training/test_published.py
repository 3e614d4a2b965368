"""Training of the published models: their input as their pipeline makes it, their network, nothing they cannot do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from napari_dextr import Prompt
from napari_dextr.errors import DataError, ModelError
from napari_dextr.image import as_plane
from napari_dextr.models import deeplab
from napari_dextr.models.catalogue import published_spec
from napari_dextr.models.deeplab import DextrNet
from napari_dextr.models.published import PublishedPipeline
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.crops import cut, write_store
from napari_dextr.training.finetune_plan import PUBLISHED
from napari_dextr.training.loop import Trainer
from napari_dextr.training.parts import freeze
from napari_dextr.training.published import PublishedNet, PublishedSampler, published_look
from napari_dextr.training.starts import Start
from napari_dextr.training.validation import Showing, crop_points, validation_ious

SIDE = 128


@pytest.fixture
def spec():
    return replace(published_spec("small"), canvas=SIDE)


class SmallNet(DextrNet):
    """The published network with a block a stage and few channels; the whole one takes minutes a step."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.conv1 = nn.Conv2d(4, 4, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = deeplab._stage(4, 4, 1)
        self.layer2 = deeplab._stage(16, 8, 1, stride=2)
        self.layer3 = deeplab._stage(32, 16, 1, dilation=2)
        self.layer4 = deeplab._stage(64, 32, 1, dilation=4)
        self.layer5 = deeplab.PyramidHead(128, 8)


@pytest.fixture
def network(spec):
    torch.manual_seed(0)
    network = SmallNet()
    return PublishedNet(network, spec)


@pytest.fixture(scope="module")
def objects():
    """A photograph with an object large enough for 50 pixels around it, and its mask."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((420, 460))
    mask = (np.abs(rows - 210) / 95 + np.abs(cols - 230) / 70) < 1
    image = np.stack([60 + 100 * mask, 90 + 60 * mask, 40 + rows / 6], axis=-1) + rng.normal(0, 4, (420, 460, 3))
    return image.clip(0, 255).astype(np.uint8), mask


@pytest.fixture(scope="module")
def store(objects, tmp_path_factory):
    image, mask = objects
    crops = [cut(as_plane(image), mask, None, 256) for _ in range(4)]
    return write_store(tmp_path_factory.mktemp("published"), [("own", crops)], 256)


def test_a_crop_becomes_the_input_that_the_pipeline_makes(objects, store, spec):
    image, mask = objects
    look = published_look(store, [0], SIDE).inputs()
    # the same points on the image: its crop is 256 pixels for twice the longer side
    points = crop_points(store, 0)
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scale = 256 / (2 * (rows[-1] - rows[0] + 1))
    centre = np.array([(rows[0] + rows[-1]) / 2, (cols[0] + cols[-1]) / 2])
    native = (points - 127.5) / scale + centre
    inputs, _ = PublishedPipeline().read(as_plane(image), Prompt.extreme(native), spec)
    assert look.shape == inputs.shape == (1, 4, SIDE, SIDE)
    colours = (look[0, :3] - inputs[0, :3]).abs()
    assert float(colours.mean()) < 4  # they resample with a cubic and take whole pixels
    heat = [image[3].numpy() for image in (look[0], inputs[0])]
    assert [float(each.max()) for each in heat] == [255, 255]
    for one, other in (heat, heat[::-1]):  # each peak of one lies on a peak of the other
        assert other[one > 200].min() > 100


def test_the_network_answers_at_the_canvas_as_its_pipeline_enlarges_it(network):
    network.eval()
    with torch.inference_mode():
        logits, score = network(torch.rand(2, 4, SIDE, SIDE) * 255)
    assert logits.shape == (2, 1, SIDE, SIDE)
    assert score.shape == (2,)
    assert network.forward_training(torch.rand(1, 4, SIDE, SIDE)).side_logits == ()
    with pytest.raises(DataError, match="own canvas of 128"):
        network.check_canvas(64)
    names = set(PublishedNet.stripped(network.state_dict()))
    assert names == set(network.network.state_dict())


def test_the_same_loop_trains_it(network, store, spec, tmp_path):
    start = Start(spec, network)
    settings = {"steps": 12, "batch": 2, "canvases": ((SIDE, 1.0),), "learning_rate": 3e-3, "average": 0.5}
    config = TrainConfig.from_mapping(
        {**settings, **PUBLISHED, "frozen_statistics": True, "validate_every": 12, "pictures": 2, "photometric": 0.2}
    )
    start.check(config)
    sampler = start.sampler(store, config)
    assert isinstance(sampler, PublishedSampler)
    assert sampler.margin == 50
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trainer = Trainer(start.fresh(), sampler, config, tmp_path, store, look=start.look)
    first = trainer.validate_before()["own"]
    losses = [update.loss for update in trainer.train()]
    assert losses[-1] < losses[0]
    assert trainer.best.iou >= first
    after = trainer.learner.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("network.layer5") for name in changed)
    assert not any("running_" in name for name in changed)
    weights, described = start.exported(after, SIDE)
    assert described == spec
    network.network.load_state_dict(weights)


def test_batches_are_the_same_for_the_same_seed(store):
    sampler = PublishedSampler.of(store, TrainConfig(turning=("own",)))
    first, second, third = (sampler.draw(3, SIDE, (0, step, 0)) for step in (1, 1, 2))
    assert torch.equal(first.inputs(), second.inputs())
    assert not torch.equal(first.inputs(), third.inputs())
    assert float(first.inputs().min()) >= 0
    assert float(first.inputs().max()) <= 255
    assert float(first.target.mean()) > 0.05


def test_small_objects_are_left_out_or_refused(network, spec, objects):
    image, mask = objects
    small = np.zeros_like(mask)
    small[200:240, 200:250] = True
    large, little = (cut(as_plane(image), each, None, 128) for each in (mask, small))
    lines = []
    start = Start(spec, network)
    assert list(start.fitting([little, large, little], lines.append)) == [large]
    assert lines == ["2 objects are smaller than 100 pixels, too small for this model: left out."]
    with pytest.raises(ModelError, match="smaller than 100 pixels"):
        list(start.fitting([little], lines.append))


@pytest.mark.parametrize("frozen", ["early", "encoder", "all but heads"])
def test_its_parts_are_known(network, frozen):
    freeze(network, frozen)
    learning = {name.split(".")[1] for name, weight in network.named_parameters() if weight.requires_grad}
    kept = {"early": {"layer2", "layer3", "layer4", "layer5"}}
    assert learning == kept.get(frozen, {"layer5"})


@pytest.mark.parametrize(
    "settings",
    [
        {"corrections": (0.5, 0.5)},
        {"openings": {"box": 1.0}},
        {"composites": 0.5},
        {"shares": {"own": 2.0}},
        {"size_balance": 0.5},
        {"usual_margin": 1.0},
        {"quarter_turns": 0.2},
    ],
)
def test_what_it_cannot_learn_is_refused(network, spec, settings):
    with pytest.raises(ModelError, match=f"cannot follow the setting {next(iter(settings))};"):
        Start(spec, network).check(TrainConfig.from_mapping({**PUBLISHED, **settings}))


def test_validation_shows_it_what_it_knows(network, store):
    look = partial(published_look, margin=50.0)
    found = validation_ious(network.eval(), store, Showing(SIDE, look=look))
    assert len(found["own"]) == 4
