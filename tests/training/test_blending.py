"""Between two models: linear in the weights."""

from __future__ import annotations

import torch

from napari_dextr.models.compact import CompactNet
from napari_dextr.training.blending import blended, deepened, merged


def test_weights_lie_on_the_line_and_counters_are_the_new_ones():
    base = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    tuned = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor(7)}
    found = blended(base, tuned, 0.25)
    assert found["w"].tolist() == [0.25, 1.5]
    assert found["n"] == 7
    assert base["w"].tolist() == [0.0, 2.0]
    assert torch.equal(blended(base, tuned, 1.0)["w"], tuned["w"])


def test_several_models_move_the_weights_each_by_its_share():
    base = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    one = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(7)}
    other = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor(9)}
    found = merged(base, [(0.5, one), (0.25, other)])
    assert found["w"].tolist() == [0.75, 1.5]
    assert found["n"] == 3
    assert base["w"].tolist() == [0.0, 2.0]
    assert merged(base, [])["w"].tolist() == [0.0, 2.0]


def test_a_network_with_further_blocks_begins_as_the_shallower_one_and_ends_as_the_deeper():
    torch.manual_seed(0)
    nets = [CompactNet(widths=(8, 12), blocks=blocks, decoder=8, pools=(2,)).eval() for blocks in ((1, 1), (2, 3))]
    for module in nets[1].modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight)
            torch.nn.init.uniform_(module.bias)
    canvas = torch.rand(2, nets[0].options["inputs"], 32, 32)
    base, deeper = ({name: value.clone() for name, value in net.state_dict().items()} for net in nets)
    with torch.no_grad():
        answers = [net(canvas)[0] for net in nets]
        start = deepened(base, deeper)
        for share, answer in zip((0.0, 1.0), answers, strict=True):
            nets[1].load_state_dict(merged(start, [(share, deeper)]))
            torch.testing.assert_close(nets[1](canvas)[0], answer)
    assert deepened(base, base).keys() == base.keys()
