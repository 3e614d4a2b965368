from __future__ import annotations

import pytest

from napari_dextr.models.catalogue import BUILT_IN, PUBLISHED


def test_nobody_else_can_have_these_names():
    assert BUILT_IN == ("embedded", "dextr-pascal-sbd", "dextr-pascal", "dextr-coco")


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_published_models_say_what_they_are(entry):
    assert entry.name == entry.spec.name
    assert entry.licence == "MIT"
    assert entry.url is not None
    assert entry.url.startswith("https://")
    assert entry.url.endswith(entry.file_name)
    assert entry.file_name.endswith(".pth")
    assert entry.trained_on
    assert "CVPR 2018" in entry.citation
    assert 0.8 < (entry.iou or 0) < 0.95
    assert entry.spec.marks == ("extreme",)
