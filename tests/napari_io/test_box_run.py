"""Masks for boxes, in the order and with the news that the viewer needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import ImageError
from napari_dextr.napari_io.box_run import find_masks, take_pixels
from napari_dextr.napari_io.box_tasks import take_boxes

SMALL, LARGE, FAR = (2, 6), (1, 18), (90, 99)


def square(plane: int, low: float, high: float) -> list[tuple[float, ...]]:
    return [(plane, low, low), (plane, low, high), (plane, high, high), (plane, high, low)]


def run(*squares: list[tuple[float, ...]], stop: str = "") -> tuple[list[tuple[str, Any]], list[Any]]:
    viewer = ViewerModel()
    image = viewer.add_image(np.arange(3 * 400, dtype=np.uint16).reshape(3, 20, 20), contrast_limits=(5, 500))
    boxes = take_boxes(viewer.add_shapes(list(squares), shape_type="rectangle"), image, viewer.dims)
    asked: list[Any] = []

    def segment_many(pixels: Any, prompts: Any, *, limits: Any) -> list[str]:
        asked.append((int(np.asarray(pixels)[0, 0]), [prompt.box_bounds for prompt in prompts], limits))
        return ["answer"] * len(prompts)

    def load(progress: Any) -> Any:
        progress(1, 2)
        return SimpleNamespace(segment_many=segment_many, model_hash="abc")

    news: list[tuple[str, Any]] = []

    def tell(item: tuple[str, Any]) -> None:
        news.append(item)
        if item[0] == stop:
            raise KeyboardInterrupt

    labels = np.zeros((3, 20, 20), np.uint8)
    labels[2, 3, 3] = 41
    find_masks(boxes, take_pixels(image), labels, load, tell)
    return news, asked


def test_every_plane_is_asked_once_with_its_small_boxes_first() -> None:
    news, asked = run(square(1, *LARGE), square(0, *SMALL), square(1, *SMALL))
    assert asked == [
        (400, [(2.5, 2.5, 5.5, 5.5), (1.5, 1.5, 17.5, 17.5)], (5.0, 500.0)),
        (0, [(2.5, 2.5, 5.5, 5.5)], (5.0, 500.0)),
    ]
    said = [kind for kind, _ in news if kind != "scanning"]
    assert said == ["preparing", "boxes", "loading", "ready", "found", "found"]
    highest, model_hash, tasks = next(value for kind, value in news if kind == "ready")
    assert (highest, model_hash, len(tasks)) == (41, "abc", 3)


def test_without_a_box_on_the_image_the_model_is_not_loaded() -> None:
    with pytest.raises(ImageError, match="holds no box that can be used. Number 1"):
        run(square(0, *FAR))


def test_the_run_ends_where_nobody_listens() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(square(0, *SMALL), stop="loading")
