"""Marks as nobody should make them: degenerate, far away, not finite, thousands of them."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_dextr import Prompt
from napari_dextr.models.catalogue import published_spec
from napari_dextr.models.published import PublishedPipeline
from napari_dextr.postprocess import PostProcess

from .harness import Area
from .images import check_answer, model
from .mutations import mostly

SHAPE = (60, 90)

_near = st.floats(-3, 95, width=32)
_odd_numbers = [
    0.0, -0.5, 59.5, 89.5, -20, 110, 500, 1e6, 1e18, 1e154, 1e308, -1e308, 5e-324, math.nan, math.inf, 2**70, "1", None,
]  # fmt: skip
_row, _col = st.floats(-1, 60, width=32), st.floats(-1, 90, width=32)
_number = mostly(_near, st.sampled_from(_odd_numbers))
_point = mostly(st.tuples(_row, _col), st.tuples(_number, _number))
_points = mostly(st.lists(st.tuples(_row, _col), min_size=1, max_size=7), st.lists(_point, max_size=7))


@st.composite
def _degenerate(draw: st.DrawFn) -> list[tuple[float, float]]:
    """On one spot, on one line, or one point twice."""
    row, col, count = draw(_near), draw(_near), draw(st.integers(1, 6))
    kind = draw(st.sampled_from(["spot", "row", "line", "twice"]))
    if kind == "spot":
        return [(row, col)] * count
    if kind == "row":
        return [(row, 7.0 * i) for i in range(count)]
    if kind == "line":
        return [(3.0 * i, 5.0 * i + 0.01 * row) for i in range(count)]
    return [(5, 40), (30, 4), (55, 50), (5, 40), (31, 80)]


@st.composite
def _crowd(draw: st.DrawFn) -> list[list[float]]:
    """Thousands of points on the image."""
    count, number = draw(st.sampled_from([100, 1000, 3000, 12_000])), draw(st.integers(0, 9))
    points: list[list[float]] = (np.random.default_rng(number).random((count, 2)) * SHAPE).tolist()
    return points


_four = st.just([(5, 40), (30, 4), (55, 50), (31, 80)])
_marks = mostly(st.one_of(_points, _four), _degenerate())
_many = mostly(_marks, _crowd())
_extent = st.integers(1, 40)
_region = mostly(
    st.tuples(st.integers(0, 20), st.integers(0, 50), _extent, _extent),
    st.tuples(st.integers(-9, 95), st.integers(-9, 95), st.integers(0, 40), st.integers(0, 40)),
)
_contents = mostly(st.sampled_from(["ones", "zeros", "noise", "huge"]), st.sampled_from(["nan", "misfit", "none"]))

_start = st.one_of(
    st.tuples(st.just("extreme"), _many),
    st.tuples(st.just("extreme"), _four),
    st.tuples(st.just("box"), mostly(st.tuples(_row, _col, _row, _col), st.tuples(_number, _number, _number, _number))),
    st.tuples(
        st.just("inside_outside"), mostly(st.just([(30, 40), (5, 10), (50, 80)]), st.tuples(_point, _point, _point))
    ),
    st.tuples(st.just("clicks"), st.tuples(_many, _marks)),
    st.tuples(st.just("strokes"), st.tuples(st.lists(_many, max_size=3), st.lists(_marks, max_size=2))),
    st.tuples(st.just("nothing"), st.none()),
)
_step = st.one_of(
    st.tuples(
        st.sampled_from(["with_boundary", "with_inside", "with_outside", "with_inside_stroke", "with_outside_stroke"]),
        _many,
    ),
    st.tuples(
        st.just("with_mask"),
        st.tuples(_region, _contents),
    ),
    st.tuples(st.just("without_mask"), st.none()),
)
_post = st.tuples(
    *[mostly(st.sampled_from([0, 1, 5.5, 1e9, math.inf]), st.sampled_from([-1, math.nan]))] * 2,
    st.booleans(),
    mostly(st.sampled_from([None, 0, 3, math.inf]), st.sampled_from([math.nan, -2])),
)
cases: st.SearchStrategy[Any] = st.tuples(
    st.sampled_from(["house", "house", "published"]), _start, st.lists(_step, max_size=3), st.none() | _post
)


def make(start: tuple[str, Any], steps: list[tuple[str, Any]]) -> Prompt:
    """The prompt of a case."""
    kind, value = start
    if kind == "nothing":
        prompt = Prompt()
    elif kind in ("box", "inside_outside", "clicks", "strokes"):
        prompt = getattr(Prompt, kind)(*value)
    else:
        prompt = Prompt.extreme(value)
    for kind, value in steps:
        if kind == "with_mask":
            (row, col, height, width), content = value
            prompt = prompt.with_mask(
                _earlier(content, height, width), (slice(row, row + height), slice(col, col + width))
            )
        elif kind == "without_mask":
            prompt = prompt.without_mask()
        else:
            prompt = getattr(prompt, kind)(value)
    return prompt


def _earlier(content: str, height: int, width: int) -> Any:
    shape = (height + 1, width) if content == "misfit" else (height, width)
    if content == "none":
        return None
    if content == "noise":
        return np.random.default_rng(0).random(shape)
    return np.full(shape, {"ones": 1, "zeros": 0, "nan": math.nan, "huge": 1e300, "misfit": 1}[content])


@cache
def _plane() -> Any:
    return np.random.default_rng(1).integers(0, 255, (*SHAPE, 3), np.uint8)


def check(case: Any, folder: Path) -> str:
    pipeline, start, steps, post = case
    prompt = make(start, steps)
    if pipeline == "published" and prompt.marks <= {"extreme"}:
        return _published(prompt)
    result = model().segment(_plane(), prompt)
    if post is not None:
        holes, islands, marked, slack = post
        result = result.with_post(PostProcess(holes, islands, marked, slack))
    check_answer(result, SHAPE)
    return "mask"


def _published(prompt: Prompt) -> str:
    """The authors' arithmetic before and after the network, which is left out: it is large, and only a network."""
    import torch

    from napari_dextr.image import as_plane
    from napari_dextr.segmentation import Segmentation

    prompt.check(SHAPE)
    spec, pipeline = published_spec("stress"), PublishedPipeline()
    inputs, (placement,) = pipeline.read(as_plane(_plane()), prompt, spec)
    if not bool(torch.isfinite(inputs).all()):
        raise ValueError("the canvas holds what is no number")
    probability, region = pipeline.paste(torch.zeros(1, 1, 64, 64), placement, prompt, spec)
    check_answer(Segmentation(probability, region, SHAPE, prompt, None, "stress", 0.8), SHAPE)
    return "canvas"


AREA = Area("prompts", "marks that are degenerate, far away, not finite, or thousands", 500, cases, check)
