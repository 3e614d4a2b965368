"""The stress suite itself: a few cases of every part, that it finds what it should, and its report."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from napari_dextr.errors import DataError
from stress.areas import AREAS
from stress.faults import CAN_FORK, FAULTS, try_all
from stress.harness import Area, check_sentence, explore, limited, signature
from stress.mutations import as_bytes, damage, reshape
from stress.page import page
from stress.run import SHARES, main

QUICK = {"killed exports": 2, "killed autosaves": 2, "full disk": 6, "full disk, autosave": 1, "read-only folders": 3}
posix = pytest.mark.skipif(not CAN_FORK, reason="the system starts no children that can be limited")


@pytest.mark.parametrize("name", AREAS)
def test_hostile_inputs_are_answered_or_refused(name: str) -> None:
    result = explore(AREAS[name], 8, 7)
    assert result.findings == []
    assert sum(result.outcomes.values()) == result.cases >= 8


@posix
@pytest.mark.parametrize("name", QUICK)
def test_interrupted_work_loses_nothing(name: str) -> None:
    title, case, _ = FAULTS[name]
    result = try_all(name, title, case, QUICK[name], 7)
    assert result.findings == []
    assert sum(result.outcomes.values()) == QUICK[name]


def test_a_full_run_has_ten_thousand_cases() -> None:
    assert sum(SHARES[name] for name in AREAS) >= 10_000
    assert {"layers removed", "long session", *AREAS, *FAULTS} == set(SHARES)


# -- what must be found ------------------------------------------------------------------------------------------------


def area(check: Callable[[int, Path], str]) -> Area:
    return Area("made", "made up", 50, st.integers(0, 1000), check)


def broken(number: int, folder: Path) -> str:
    if number > 500:
        raise KeyError(number)
    return "fine"


def nameless(number: int, folder: Path) -> str:
    raise DataError("broken")


def untidy(number: int, folder: Path) -> str:
    (folder / ".half-written.json").write_text("{", encoding="utf-8")
    raise DataError("This file is broken.")


@pytest.mark.parametrize(
    ("check", "what"), [(broken, "KeyError: 501"), (nameless, "no sentence"), (untidy, ".half-written.json")]
)
def test_findings_are_made_small_and_counted_once(check: Callable[[int, Path], str], what: str) -> None:
    result = explore(area(check), 60, 0)
    (finding,) = result.findings
    assert what in finding.what
    assert finding.case == ("501" if check is broken else "0")
    assert finding.times > 1
    assert result.outcomes["finding"] > finding.times
    assert "Traceback" in finding.trace


def test_what_is_refused_in_a_sentence_is_no_finding() -> None:
    def check(number: int, folder: Path) -> str:
        raise DataError("This file is broken; copy it again.")

    result = explore(area(check), 20, 0)
    assert result.outcomes == {"refused: DataError": result.cases}
    assert result.findings == []


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not count a program's time in between")
def test_what_takes_too_long_is_a_finding() -> None:
    def spin() -> None:
        until = time.process_time() + 60
        while time.process_time() < until:
            try:
                sum(range(1000))
            except Exception:  # swallows every error but this one
                continue

    with pytest.raises(AssertionError, match="took more than 0 s"), limited(0.2):
        spin()


@pytest.mark.parametrize("text", ["no full stop", "Traceback (most recent call last): x.", "x" * 5000 + "."])
def test_messages_that_are_no_sentence_are_told_apart(text: str) -> None:
    with pytest.raises(AssertionError, match="no sentence"):
        check_sentence(DataError(text))
    check_sentence(DataError("This file is broken."))


def test_errors_of_one_place_are_one_finding() -> None:
    def caught(number: int) -> tuple[str, str]:
        try:
            AREAS["images"].check(number, Path())  # no picture
        except Exception as error:
            return signature(error)
        return "", ""

    assert caught(1) == caught(2)
    assert caught(1)[1].startswith("stress/images.py:")


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flip", "set", "cut", "drop", "repeat", "token", "zero", "swap"])
def test_damage_is_the_same_every_time_and_takes_any_bytes(kind: str) -> None:
    for data in (b"", b"a", bytes(range(200))):
        edits = [(kind, 0.3, 0.8, 17)]
        assert damage(data, edits) == damage(data, edits)
    assert damage(bytes(range(200)), [(kind, 0.3, 0.8, 17)]) != bytes(range(200))


def test_documents_are_changed_in_a_copy_and_can_be_written() -> None:
    document = {"a": [1, {"b": "c"}], "d": None}
    before = json.dumps(document)
    chance = random.Random(0)
    changed = 0
    for kind in ("put", "drop", "twice", "swap", "wrap", "deep", "number", "rename"):
        for _ in range(30):
            edit = (kind, chance.random(), chance.random(), chance.randrange(10_000))
            changed += as_bytes(reshape(document, [edit])) != as_bytes(document)
    assert json.dumps(document) == before
    assert changed > 100


# -- the report --------------------------------------------------------------------------------------------------------


def test_a_run_writes_results_and_page(tmp_path: Path) -> None:
    results, text = tmp_path / "stress.json", tmp_path / "stress.md"
    arguments = ["--only", "run journals", "--scale", "0.01", "--json", str(results), "--page", str(text)]
    assert main(arguments) == 0
    run = json.loads(results.read_text(encoding="utf-8"))
    (part,) = run["parts"]
    assert part["name"] == "run journals"
    assert part["cases"] >= 7
    assert part["findings"] == []
    assert "| **run journals**" in text.read_text(encoding="utf-8")


def test_the_page_tells_findings_and_what_was_not_tried() -> None:
    result = explore(area(broken), 60, 0)
    parts: list[dict[str, Any]] = [
        dataclasses.asdict(result),
        {**dataclasses.asdict(result), "name": "other", "cases": 0},
    ]
    parts[1] |= {"outcomes": {}, "findings": [], "notes": ["Not tried: there is no screen."]}
    text = page({"command": "make stress", "seed": 0, "machine": "one", "parts": parts})
    assert "1 finding**" in text
    assert "`KeyError: 501`" in text
    assert "not tried" in text
    assert "there is no screen" in text
