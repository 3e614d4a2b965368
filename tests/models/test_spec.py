from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import ModelError
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(st.text(), json_values, max_size=4)
specs = st.builds(
    ModelSpec,
    name=st.text(min_size=1),
    architecture=st.text(min_size=1),
    options=mappings,
    pipeline=st.sampled_from(["house", "published"]),
    canvas=st.integers(16, 4096),
    margin=st.floats(0, 100),
    marks=st.lists(st.sampled_from(MARKS), unique=True, min_size=1).map(tuple),
    threshold=st.floats(0, 1, exclude_min=True, exclude_max=True),
    has_score=st.booleans(),
    reduced_precision=st.booleans(),
    provenance=mappings,
)


@given(specs)
def test_a_spec_survives_its_journey_in_a_checkpoint(spec: ModelSpec) -> None:
    text = spec.to_json()
    assert "\n" not in text  # one line, as an entry of a safetensors header
    assert ModelSpec.from_json(text) == spec


def test_the_same_spec_gives_the_same_text() -> None:
    first = ModelSpec("a", "compact", options={"width": 32, "depth": 3})
    second = ModelSpec("a", "compact", options={"depth": 3, "width": 32})
    assert first.to_json() == second.to_json()


def test_what_an_old_checkpoint_does_not_say_has_defaults() -> None:
    spec = ModelSpec.from_json('{"name": "old", "architecture": "compact"}')
    assert spec == ModelSpec("old", "compact")
    assert spec.marks == ("extreme",)
    assert spec.reduced_precision is False  # half precision only where it was shown to agree


def test_a_spec_of_a_newer_version_is_refused_by_the_keys_it_has() -> None:
    values = json.loads(ModelSpec("new", "compact").to_json()) | {"zoom": 2, "aperture": 1}
    with pytest.raises(ModelError, match=r"newer napari-dextr \(it has aperture, zoom\); update"):
        ModelSpec.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"spec"',
        "3",
        "{}",
        '{"name": "a"}',
        '{"name": "a", "architecture": "b", "canvas": "wide"}',
    ],
)
def test_text_that_is_no_spec_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ModelError, match="description cannot be read .* download or export it again"):
        ModelSpec.from_json(text)


@given(st.text())
def test_no_text_brings_another_error(text: str) -> None:
    try:
        ModelSpec.from_json(text)
    except ModelError as error:
        assert str(error)  # noqa: PT017 - any other error fails the test
    else:
        pytest.fail("random text is no spec")


@pytest.mark.parametrize(
    "values",
    [
        {"canvas": 8}, {"canvas": 5000}, {"threshold": 0.0}, {"threshold": 1.0}, {"threshold": float("nan")},
        {"margin": -0.1}, {"margin": float("nan")},
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="'broken' declares a canvas, threshold or margin"):
        ModelSpec("broken", "compact", **values)


def test_unknown_marks_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="'odd' declares unknown marks: smell, taste"):
        ModelSpec("odd", "compact", marks=("extreme", "taste", "smell"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", {"value": "compact"}), ("pipeline", ["house"]), ("name", None), ("canvas", 64.5),
        ("canvas", True), ("options", [1]), ("marks", "extreme"), ("marks", [["extreme"]]),
        ("has_score", 1), ("margin", "0.2"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(key: str, value: object) -> None:
    values = json.loads(ModelSpec("odd", "compact").to_json()) | {key: value}
    with pytest.raises(ModelError, match="description cannot be read"):
        ModelSpec.from_json(json.dumps(values))


@pytest.mark.parametrize("margin", [float("inf"), float("nan"), 1e9, -1])
def test_margins_that_make_no_sense_are_refused(margin: float) -> None:
    with pytest.raises(ModelError, match="makes no sense"):
        ModelSpec("odd", "compact", margin=margin)
