"""Files taken apart entry by entry."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.coco.document import LISTS, looks_like_coco, read_text, take_apart
from napari_dextr.errors import DataError

from .samples import document

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=4), values, max_size=3),
    st.fixed_dictionaries({key: st.lists(values, max_size=3) for key in LISTS}),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_the_parts_are_those_of_json_and_their_text_is_theirs(other, lists, indent, ascii_only):
    whole = {**other, **lists}
    text = json.dumps(whole, indent=indent, ensure_ascii=ascii_only)
    found: dict = {}
    for part in take_apart(text, "a.json"):
        if part.entry:
            found[part.key].append(part.value)
            assert json.loads(text[part.start : part.stop]) == part.value
        else:
            found[part.key] = part.value
    assert found == whole
    assert list(found) == list(whole)


@pytest.mark.parametrize("cut", range(0, len(json.dumps(document())) - 1, 7))
def test_every_cut_is_noticed(cut):
    with pytest.raises(DataError, match="not complete JSON"):
        list(take_apart(json.dumps(document())[:cut], "a.json"))


@pytest.mark.parametrize(
    "text",
    [
        '{"images": [], "annotations": [],}',
        '{"images": [1,], "annotations": []}',
        '{"images": [1 2], "annotations": []}',
        '{"images" [], "annotations": []}',
        '{"images": [] "annotations": []}',
        '{images: [], "annotations": []}',
        '{"images": [], "annotations": []} x',
    ],
)
def test_what_json_refuses_is_refused(text):
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    with pytest.raises(DataError, match="line 1"):
        list(take_apart(text, "a.json"))


def test_deep_nesting_is_refused():
    with pytest.raises(DataError, match="not a JSON text file"):
        list(take_apart('{"info": ' + "[" * 100_000, "a.json"))


def test_a_coco_file_is_known_by_its_head(tmp_path):
    path = tmp_path / "a.json"
    for text, answer in [
        (json.dumps(document()), True),
        (json.dumps({"info": {"images": []}, **document()}, indent=2), True),
        ('{"annotations": [' + '{"id": 1},' * 20_000, True),
        (json.dumps({"info": {"images": []}, "shapes": ["annotations"]}), False),
        (json.dumps({"images": "none"}), False),
        ("[]", False),
        ("\x00\x01", False),
        ("", False),
    ]:
        path.write_text(text, encoding="utf-8")
        assert looks_like_coco(path) is answer, text[:60]
    assert not looks_like_coco(tmp_path)
    assert not looks_like_coco(tmp_path / "gone.json")


def test_text_is_read_without_its_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text("{}", encoding="utf-8-sig")
    assert read_text(tmp_path / "a.json") == "{}"


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(DataError, match="cannot be read"):
        list(take_apart('{"images": [{"id": ' + "9" * 5000 + "}]}", "a.json"))
