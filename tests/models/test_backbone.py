"""Networks on torchvision's encoders: the same canvas, heads and checkpoints as the compact network."""

from __future__ import annotations

import builtins
import sys

import pytest
import torch
from torch import nn

from napari_dextr.errors import ModelError
from napari_dextr.models import backbone as module
from napari_dextr.models.architectures import build_network
from napari_dextr.models.backbone import BACKBONES, BackboneNet
from napari_dextr.models.checkpoint import load_network, write_checkpoint
from napari_dextr.models.runtime import fold_normalisation
from napari_dextr.models.spec import ModelSpec

SMALL = {"decoder": 8, "pools": (1, 2)}


@pytest.fixture(scope="module", params=BACKBONES)
def network(request):
    torch.manual_seed(0)
    return BackboneNet(request.param, **SMALL)


def test_shapes_are_those_of_the_compact_network(network):
    widths, _ = BACKBONES[network.options["backbone"]]
    canvas = torch.randn(2, 11, 64, 64)
    with torch.inference_mode():
        features = network.eval().features(canvas)
        logits, score = network(canvas)
    assert tuple(feature.shape[1] for feature in features) == widths
    assert [feature.shape[-1] for feature in features] == [32, 16, 8, 4, 2]
    assert logits.shape == (2, 1, 32, 32)
    assert score.shape == (2,)
    assert network.stride == 32


def test_every_parameter_gets_a_gradient(network):
    network.train().zero_grad()
    output = network.forward_training(torch.randn(2, 11, 64, 64))
    (output.logits.mean() + output.score.mean() + sum(side.mean() for side in output.side_logits)).backward()
    assert not [name for name, parameter in network.named_parameters() if parameter.grad is None]


def test_a_checkpoint_brings_the_network_back(network, tmp_path):
    spec = ModelSpec("mine", network.architecture, network.options, canvas=64, has_score=True)
    path = write_checkpoint(tmp_path / "m.safetensors", network, spec, torch.float32)
    read, loaded = load_network(path)
    assert read.options == network.options
    canvas = torch.randn(1, 11, 64, 64)
    with torch.inference_mode():
        for one, other in zip(network.eval()(canvas), loaded(canvas), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_normalisation_folds_into_the_encoder_too(network):
    import copy

    canvas = torch.randn(1, 11, 64, 64)
    plain = copy.deepcopy(network).eval()
    folded = fold_normalisation(copy.deepcopy(plain))
    with torch.inference_mode():
        torch.testing.assert_close(folded(canvas)[0], plain(canvas)[0], rtol=1e-3, atol=1e-3)
    count = [sum(isinstance(part, nn.BatchNorm2d) for part in net.modules()) for net in (plain, folded)]
    assert count[0] > 20
    assert count[1] == 0


def test_pretrained_weights_see_the_colours_and_not_yet_the_marks(monkeypatch):
    from torchvision import models

    torch.manual_seed(1)
    imagenet = models.resnet18(weights=None).state_dict()
    weights = models.get_model_weights("resnet18").DEFAULT
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *_args, **_keys: imagenet)
    network = BackboneNet("resnet18", **SMALL, pretrained=True)
    first = network.stages[0][0].weight
    torch.testing.assert_close(first[:, :3], imagenet["conv1.weight"])
    assert not first[:, 3:].any()
    torch.testing.assert_close(network.stages[4][0].conv1.weight, imagenet["layer4.0.conv1.weight"])
    assert "pretrained" not in network.options


def test_weights_that_cannot_be_downloaded_are_said_with_the_way_out(monkeypatch):
    from torchvision import models

    def offline(*_args, **_keys):
        raise OSError("Name or service not known")

    weights = models.get_model_weights("mobilenet_v3_large").DEFAULT
    monkeypatch.setattr(type(weights), "get_state_dict", offline)
    with pytest.raises(ModelError, match=r"service not known.*\.pth into '.*checkpoints', or train from scratch"):
        BackboneNet("mobilenet_v3_large", **SMALL, pretrained=True)


def test_an_unknown_backbone_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"'vgg11' is unknown; known are resnet18, resnet50"):
        build_network(ModelSpec("mine", "backbone", {"backbone": "vgg11"}))


def test_without_torchvision_the_others_work_and_this_one_says_why(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "torchvision":
            raise ImportError("No module named 'torchvision'")
        return real(name, *rest)

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError, match="needs torchvision"):
        module.BackboneNet("resnet18", **SMALL)
    build_network(ModelSpec("mine", "compact", {"widths": [8, 8], "blocks": [1, 1], "decoder": 8}))
