"""``napari-dextr annotate``: files, screen, JSON and refusals."""

from __future__ import annotations

import json

import imageio.v3
import numpy as np
import pytest

from napari_dextr.coco import read_coco


@pytest.fixture
def pack(tmp_path):
    imageio.v3.imwrite(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))
    boxes = [[4, 5, 20, 15], [10, 8, 25, 20], [5, 5, 0, 0]]
    annotations = [{"id": n, "image_id": 1, "category_id": 1, "bbox": box} for n, box in enumerate(boxes, start=1)]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 50}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cell"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_masks_a_review_list_and_a_summary(call, pack, weights):
    result = call("annotate", pack / "a.json", "--images", pack, "-o", pack / "o.json", "-m", weights, "--batch", "2")
    assert result.exit_code == 0, result.output
    assert "2 of 3 objects have a mask" in result.stdout
    assert "expected IoU" in result.stdout
    assert "Object 3: The box has a width of 0" in result.stdout
    assert [bool(obj.segmentation) for obj in read_coco(pack / "o.json").objects] == [True, True, False]
    assert (pack / "o.review.csv").read_text(encoding="utf-8").startswith("annotation_id,")


def test_json_stands_alone_and_options_reach_the_work(call, pack, weights):
    words = ("annotate", pack / "a.json", "--images", pack, "-o", pack / "o.json", "-m", weights)
    result = call(*words, "--json", "--segmentation", "rle", "--review", pack / "r.json", "--prompt", "box")
    values = json.loads(result.stdout)
    assert (values["objects"], values["masks"]) == (3, 2)
    assert isinstance(read_coco(pack / "o.json").objects[0].segmentation, dict)
    assert len(json.loads((pack / "r.json").read_text(encoding="utf-8"))) == 3


def test_a_cluster_is_asked_with_the_same_job(call, pack, weights, monkeypatch):
    distributed = pytest.importorskip("distributed")
    local = distributed.LocalCluster

    def inside(**options) -> object:
        return local(**{**options, "processes": False})

    monkeypatch.setattr(distributed, "LocalCluster", inside)
    words = ("annotate", pack / "a.json", "--images", pack, "-m", weights)
    assert call(*words, "-o", pack / "here.json").exit_code == 0
    result = call(*words, "-o", pack / "there.json", "--cluster", "local", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert (pack / "there.json").read_bytes() == (pack / "here.json").read_bytes()


def test_bad_input_is_one_sentence(refused, pack, weights):
    base = ("--images", pack, "-m", weights)
    assert "does not exist" in refused("annotate", pack / "gone.json", *base, "-o", pack / "o.json")
    assert "the file that is read" in refused("annotate", pack / "a.json", *base, "-o", pack / "a.json")
    assert "ends in .csv or .json" in refused(
        "annotate", pack / "a.json", *base, "-o", pack / "o.json", "--review", pack / "r.txt"
    )
    for folder in (".", pack):
        assert "name of a file" in refused("annotate", pack / "a.json", *base, "-o", folder)
    empty = '{"images": [], "annotations": [], "categories": []}'
    (pack / "empty.json").write_text(empty, encoding="utf-8")
    words = ("annotate", pack / "empty.json", *base, "-o", pack / "o.json")
    assert "draw boxes or points first" in refused(*words)
    assert "leave --keep-masks out" in refused(*words, "--keep-masks")
    (pack / "cut.json").write_text((pack / "a.json").read_text(encoding="utf-8")[:100], encoding="utf-8")
    assert "not complete JSON" in refused("annotate", pack / "cut.json", *base, "-o", pack / "o.json")
