"""Pictures of a training: the outlines lie where the masks end, and every curve is there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_dextr.errors import OutputError
from napari_dextr.training.figures import draw_curves, draw_examples
from napari_dextr.training.validation import Example


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def near(image, colour):
    return (abs(image - np.array(colour)) < 40).all(axis=-1)


GREEN, ORANGE = (0, 158, 115), (230, 159, 0)


def test_both_outlines_are_drawn_on_the_crop(tmp_path):
    truth, mask = np.zeros((2, 64, 64), bool)
    truth[10:50, 10:50] = True
    mask[20:60, 20:60] = True
    ground = np.full((64, 64, 3), (90, 60, 200), np.uint8)
    example = Example("cells", ground, truth, mask, 0.4)
    draw_examples([example], "step 5", tmp_path / "one.png")
    shown = pixels(tmp_path / "one.png")
    crop = np.argwhere((shown == ground[0, 0]).all(axis=-1))
    (top, left), (bottom, right) = crop.min(axis=0), crop.max(axis=0)
    scale = (bottom - top + 1) / 64
    for colour, start, stop in ((GREEN, 10, 50), (ORANGE, 20, 60)):
        line = np.argwhere(near(shown[top : bottom + 1, left : right + 1], colour)) / scale
        assert line.min(axis=0) == pytest.approx([start, start], abs=1.0)
        assert line.max(axis=0) == pytest.approx([stop, stop], abs=1.0)


def test_empty_and_full_masks_have_no_outline(tmp_path):
    image = np.zeros((32, 32, 3), np.uint8)
    empty, full = np.zeros((32, 32), bool), np.ones((32, 32), bool)
    draw_examples([Example("a", image, full, empty, 0.0)] * 4, "step 1", tmp_path / "four.png")
    one = tmp_path / "four.png"
    assert one.stat().st_size > 1000


def test_every_validated_group_has_a_curve(tmp_path):
    steps = [{"step": s, "loss": 1 / s, "train_iou": 0.5, "learning_rate": 1e-3} for s in range(1, 200)]
    plain = tmp_path / "plain.png"
    draw_curves(steps, plain)
    assert not near(pixels(plain), ORANGE).any()
    steps[99]["validation"] = {"cells": 0.6}
    steps[198]["validation"] = {"cells": 0.8}
    draw_curves(steps, tmp_path / "both.png")
    assert near(pixels(tmp_path / "both.png"), ORANGE).sum() > 50


def test_nothing_to_draw_is_no_error(tmp_path):
    draw_curves([], tmp_path / "empty.png")
    assert (tmp_path / "empty.png").is_file()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="curves.png"):
        draw_curves([], tmp_path / "none" / "curves.png")
