"""The answer to a prompt."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_dextr.postprocess import PostProcess
from napari_dextr.prompt import Prompt
from napari_dextr.segmentation import Segmentation


@pytest.fixture
def answer() -> Segmentation:
    values = np.full((4, 5), 0.6, np.float32)
    values[1, 1], values[2, 2] = 0.2, 0.4
    return Segmentation(values, (slice(3, 7), slice(2, 7)), (10, 9), Prompt.box(3, 2, 6, 6), 0.9, "fake", 0.5)


def test_the_mask_follows_from_the_probability(answer: Segmentation) -> None:
    assert answer.mask.sum() == 18
    full = answer.full_mask()
    assert full.shape == (10, 9)
    assert full.sum() == 18
    np.testing.assert_array_equal(full[answer.region], answer.mask)


def test_threshold_and_clean_up_make_another_mask(answer: Segmentation) -> None:
    assert answer.with_threshold(0.3).mask.sum() == 19
    assert answer.with_post(PostProcess(fill_holes=1)).mask.sum() == 20
    assert answer.mask.sum() == 18


def test_an_answer_needs_no_network() -> None:
    program = "import sys, napari_dextr.segmentation; print(*sorted({'torch', 'scipy', 'napari'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
