from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from napari_dextr.errors import ModelError
from napari_dextr.models.deeplab import AtrousHead, Bottleneck, PyramidHead, build_dextr

COUNTERS = "num_batches_tracked"


@pytest.fixture(scope="module", params=["psp", "atrous"])
def network(request):
    with torch.device("meta"):
        return build_dextr(request.param)


@pytest.mark.parametrize(("head", "count"), [("psp", 48_800_385), ("atrous", 42_577_028)])
def test_number_of_parameters(head, count):
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build_dextr(head).parameters()) == count


def test_its_shapes_leave_torchs_compiler_alone():
    """Loading a published file begins with them, and where Mesa draws the viewer the compiler's LLVM crashes it."""
    program = (
        "import sys, torch; from napari_dextr.models.deeplab import build_dextr; torch.set_default_device('meta'); "
        "build_dextr(); print(*sorted({'torch._dynamo', 'triton'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_names_are_those_of_the_published_files(network):
    names = set(network.state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer3.22.conv3.weight", "layer4.0.downsample.1.bias"} <= names
    assert "layer4.1.downsample.0.weight" not in names
    if "layer5.final.bias" in names:
        assert len(names) == 656
        assert len({name for name in names if not name.endswith(COUNTERS)}) == 547
        assert {"layer5.stages.3.1.weight", "layer5.stages.0.2.running_mean", "layer5.bottleneck.1.weight"} <= names
        assert "layer5.bottleneck.0.bias" not in names
    else:
        assert {f"layer5.conv2d_list.{index}.bias" for index in range(4)} <= names


def test_strides_and_dilations(network):
    for stage, stride, dilation, blocks in (
        (network.layer1, 1, 1, 3),
        (network.layer2, 2, 1, 4),
        (network.layer3, 1, 2, 23),
        (network.layer4, 1, 4, 3),
    ):
        assert len(stage) == blocks
        assert [block.conv1.stride[0] for block in stage] == [stride] + [1] * (blocks - 1)
        assert {block.conv2.stride[0] for block in stage} == {1}
        assert {block.conv2.dilation[0] for block in stage} == {dilation} == {block.conv2.padding[0] for block in stage}
        assert stage[0].downsample[0].stride == (stride, stride)
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-5}


@pytest.mark.parametrize("side", [64, 72])
def test_output_stride_is_eight(network, side):
    assert network(torch.zeros(2, 4, side, side, device="meta")).shape == (2, 1, side // 8, side // 8)


def test_a_block_adds_its_input():
    block = Bottleneck(8, 2, stride=1, dilation=1, project=False).eval()
    nn.init.zeros_(block.bn3.weight)
    features = torch.randn(1, 8, 5, 5)
    with torch.no_grad():
        assert torch.equal(block(features), features.clamp_min(0))


def test_pyramid_puts_the_pooled_features_first():
    head = PyramidHead(features=3, width=2).eval()
    seen = []
    head.bottleneck.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        head(features)
        coarsest = head.stages[0](features)
    assert seen[0].shape == (1, 4 * 2 + 3, 6, 6)
    assert torch.equal(seen[0][:, -3:], features)
    assert torch.allclose(seen[0][:, :2], coarsest.expand(1, 2, 6, 6))


def test_pyramid_enlarges_with_aligned_corners():
    head = PyramidHead(features=1, width=1).eval()
    for stage in head.stages:
        nn.init.ones_(stage[1].weight)
    seen = []
    head.bottleneck.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    features = torch.arange(36.0).reshape(1, 1, 6, 6)
    with torch.no_grad():
        head(features)
        binned = head.stages[1](features)
    corners = seen[0][0, 1][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.allclose(corners, binned.reshape(-1))


def test_atrous_head_sums_its_branches():
    head = AtrousHead(features=2)
    assert [branch.dilation[0] for branch in head.conv2d_list] == [6, 12, 18, 24]
    features = torch.randn(1, 2, 9, 9)
    with torch.no_grad():
        expected = sum(branch(features) for branch in head.conv2d_list)
        assert torch.allclose(head(features), expected, atol=1e-6)


def test_an_unknown_head_is_named():
    with pytest.raises(ModelError, match="'aspp' is unknown; known heads: psp, atrous"):
        build_dextr("aspp")  # type: ignore[arg-type]
