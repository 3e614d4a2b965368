"""Damage: to bytes, and to JSON documents with a mind for their structure."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 7, 1.5, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf,
    2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400,
    "", " ", "0", "7", "nan", "cell", "été ✓ 細胞", "\ud800", "\0", "../../x.png", "/etc/passwd", "C:\\x.png",
    "a" * 3000, [], [[]], [None], [0], [1, 2], [0, 0, 0, 0], [0.5, 0.5, 3, 0.5, 3, 3],
    [-1e9, -1e9, 1e9, -1e9, 1e9, 1e9], [math.nan] * 6, {}, {"size": [8, 10], "counts": "0"},
    {"size": [8, 10], "counts": []}, {"size": [8, 10], "counts": [10**30]},
    {"size": [10**9, 10**9], "counts": [10**18]}, {"size": None, "counts": None}, {"a": {"b": [{"c": None}]}},
)  # fmt: skip
"""Values that do not belong, or just about."""

_TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"NaN", b"Infinity", b"1e999", b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf",
    b"\0", b"9" * 5000, b"[" * 3000, b'{"a":' * 3000,
)  # fmt: skip

Edit = tuple[str, float, float, int]
"""What to do, where (two shares in 0..1), and a number that the kind makes use of."""

_PLACE = st.integers(0, 9999).map(lambda number: number / 10_000)


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Seldom something odd: what is odd in several ways at once is mostly refused for the first of them."""
    return st.integers(0, 9).flatmap(lambda number: odd if number == 9 else usual)


def byte_edits(most: int = 4) -> st.SearchStrategy[list[Edit]]:
    """Descriptions of damage to bytes."""
    kinds = st.sampled_from(["flip", "set", "cut", "drop", "repeat", "token", "zero", "swap"])
    return st.lists(st.tuples(kinds, _PLACE, _PLACE, st.integers(0, 255)), min_size=1, max_size=most)


def damage(data: bytes, edits: list[Edit]) -> bytes:
    """Bytes with some damage."""
    out = bytearray(data)
    for kind, first, second, number in edits:
        at, to = sorted((int(first * len(out)), int(second * len(out))))
        short = min(to, at + 1 + number)
        if kind == "flip" and out:
            out[at] ^= 1 << number % 8
        elif kind == "set" and out:
            out[at] = number
        elif kind == "cut":
            del out[at:]
        elif kind == "drop":
            del out[at:short]
        elif kind == "repeat":
            out[at:at] = out[at:short]
        elif kind == "token":
            out[at:at] = _TOKENS[number % len(_TOKENS)]
        elif kind == "zero":
            out[at:short] = bytes(short - at)
        elif kind == "swap":
            out[at:to] = out[at + (to - at) // 2 : to] + out[at : at + (to - at) // 2]
    return bytes(out)


def json_edits(most: int = 3) -> st.SearchStrategy[list[Edit]]:
    """Descriptions of damage to a JSON document."""
    kinds = st.sampled_from(["put", "put", "put", "drop", "twice", "swap", "wrap", "deep", "number", "rename"])
    return st.lists(st.tuples(kinds, _PLACE, _PLACE, st.integers(0, 10_000)), min_size=1, max_size=most)


def reshape(document: Any, edits: list[Edit]) -> Any:
    """A copy of a JSON document with some damage."""
    document = copy.deepcopy(document)
    for edit in edits:
        _reshape_once(document, edit)
    return document


def _reshape_once(document: Any, edit: Edit) -> None:
    kind, first, second, number = edit
    places = _places(document)
    if not places:
        return
    holder, key = places[int(first * len(places))]
    value = holder[key]
    if kind == "put":
        holder[key] = copy.deepcopy(HOSTILE[number % len(HOSTILE)])
    elif kind == "drop":
        del holder[key]
    elif kind == "twice" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(value))
    elif kind == "swap":
        other, other_key = places[int(second * len(places))]
        holder[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(value)
    elif kind == "wrap":
        holder[key] = [value] if number % 2 else {"value": value}
    elif kind == "deep":
        for _ in range(number % 200):  # deeper ones are made of bytes: this program has to write them
            value = [value]
        holder[key] = value
    elif kind == "number" and isinstance(value, (int, float)) and not isinstance(value, bool):
        change: list[Callable[[Any], Any]] = [
            lambda x: -x, lambda x: x + 1, lambda x: x - 1, lambda x: x * 1000, lambda x: x + 0.5, float, str,
        ]  # fmt: skip
        holder[key] = change[number % len(change)](value)
    elif kind == "rename" and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every value of a document, as what holds it and its key; the innermost first."""
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(places) < 5000:
        holder = waiting.pop(0)
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            places.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                waiting.append(holder[key])
    return places[::-1]


def as_bytes(document: Any) -> bytes:
    """Text of a document, whatever it holds; what is no Unicode goes in as escapes."""
    return json.dumps(document).encode("ascii")
