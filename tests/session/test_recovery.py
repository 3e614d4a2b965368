"""Reading what a crashed session left behind."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import DataError
from napari_dextr.objects import AnnotatedObject
from napari_dextr.session import AcceptPolicy, Session
from napari_dextr.session.autosave import SUFFIX, Journal
from napari_dextr.session.patches import SparseLabels
from napari_dextr.session.recovery import MOST_ENDED, Found, dismiss, recover, recoverable, tidy

from .boxed_object import accept


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of a session with a little of everything, cut off by a crash."""
    session = Session()
    session.policy = AcceptPolicy("overwrite")
    session.add_class("cell", "#102030")
    saved = Journal(tmp_path_factory.mktemp("journal"), session, lambda key: {"called": str(key)})
    session.bind("first", SparseLabels(np.uint8))
    session.go_to("a")
    for left in (0, 5, 30):
        accept(session, left)
    session.undo()
    session.delete(1)
    session.reopen(2)
    session.bind("second", SparseLabels(np.uint16))
    session.go_to("b")
    accept(session, 100)
    session.set_class(1, 1)
    session.add_point("inside", (3, 3))
    return saved.path.read_bytes()


def read(tmp_path: Path, data: bytes) -> Any:
    path = tmp_path / f"x{SUFFIX}"
    path.write_bytes(data)
    return recover(path)


def test_everything_comes_back(journal: bytes, tmp_path: Path) -> None:
    recovered = read(tmp_path, journal)
    assert (recovered.damaged, recovered.ended, recovered.objects) == (0, False, 2)
    first, second = recovered.targets
    assert (first.name, second.name) == ({"called": "first"}, {"called": "second"})
    assert [item.label for item in first.objects(json.dumps)] == [2]
    (item,) = second.objects(json.dumps)
    assert (item.place, item.facts.class_id, item.facts.prompts) == ('{"called": "b"}', 1, "box")
    assert [[item.name for item in target.classes] for target in recovered.targets] == [["cell"], ["cell"]]
    image = SparseLabels(np.uint8)
    first.write(image, lambda name: name["called"])
    pixels = image.read("a", (slice(0, 10), slice(0, 50)))
    np.testing.assert_array_equal(np.unique(pixels[:, 5:15]), [2])
    assert np.count_nonzero(pixels) == 100
    assert [draft.place["called"] for draft in recovered.drafts] == ["a", "b"]
    assert [draft.correcting for draft in recovered.drafts] == [2, None]
    assert second.places == [{"called": "b"}]


def test_a_crash_at_any_byte_loses_the_line_that_was_written(journal: bytes, tmp_path: Path) -> None:
    whole = journal.count(b"\n")
    counts = []
    for end in range(journal.index(b"\n") + 1, len(journal) + 1, 41):
        part = journal[:end]
        recovered = read(tmp_path, part)
        complete = part.endswith(b"\n") or part.rpartition(b"\n")[2] == b""
        assert recovered.damaged <= (not complete)
        same = read(tmp_path, part[: part.rindex(b"\n") + 1])
        if recovered.damaged:
            assert recovered.objects == same.objects
            assert recovered.drafts == same.drafts
        counts.append(recovered.objects)
    assert max(counts) == 3
    assert whole > 10


@given(st.data())
def test_damage_costs_no_more_than_its_line(journal: bytes, data: st.DataObject) -> None:
    import tempfile

    first = journal.index(b"\n") + 1
    at = data.draw(st.integers(first, len(journal) - 1))
    broken = journal[:at] + data.draw(st.binary(min_size=1, max_size=3)) + journal[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        recovered = read(Path(folder), broken)
    assert recovered.objects <= 5
    for target in recovered.targets:
        target.objects(json.dumps)


@pytest.mark.parametrize(
    "line",
    [
        {"pixels": [{"target": 9, "place": 0, "corner": [0, 0], "labels": []}]},
        {"pixels": 3},
        {"objects": [{"target": 0}]},
        {"objects": [{"target": 0, "label": 1, "place": 0, "region": [1, 2], "facts": {}}]},
        {"objects": [{"target": 0, "label": True, "place": 0}]},
        {"classes": [{"target": None, "classes": [{"id": 0, "name": "x"}]}]},
        {"name": "zero", "target": "layer"},
        {"drafts": [{}]},
        [],
    ],
    ids=str,
)
def test_lines_that_make_no_sense_are_counted(line: Any, tmp_path: Path) -> None:
    head = {"napari_dextr": "session", "version": 1, "started": "2026-01-01T00:00:00+00:00"}
    text = "\n".join(json.dumps(item) for item in [head, {"name": 0, "target": "layer"}, line])
    recovered = read(tmp_path, text.encode())
    assert recovered.damaged == 1
    assert recovered.started.year == 2026


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"[1, 2]", b'{"images": []}'], ids=["empty", "bytes", "list", "coco"]
)
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no saved session"):
        read(tmp_path, data)


def test_newer_journals_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="update the plugin"):
        read(tmp_path, b'{"napari_dextr": "session", "version": 99}\n')


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        recover(tmp_path / "none")
    assert recoverable(tmp_path / "no folder") == []


def test_only_journals_that_hold_something_are_offered(journal: bytes, tmp_path: Path) -> None:
    (tmp_path / f"good{SUFFIX}").write_bytes(journal)
    (tmp_path / f"bad{SUFFIX}").write_bytes(b"nonsense")
    (tmp_path / f"empty{SUFFIX}").write_bytes(journal[: journal.index(b"\n") + 1])
    (tmp_path / f"ended{SUFFIX}").write_bytes(journal + b'{"end":true}\n')
    (found,) = recoverable(tmp_path)
    assert (found.path.stem, found.objects) == ("good", 2)
    assert found.started <= found.changed
    dismiss(found.path)
    assert recoverable(tmp_path) == []
    dismiss(found.path)


def test_a_good_end_is_offered_where_something_was_left(journal: bytes, tmp_path: Path) -> None:
    for name, end in [
        ("nothing", b'{"end":true}'),
        ("some", b'{"end":true,"left":1}'),
        ("changes", b'{"end":true,"left":0}'),
        ("more than there is", b'{"end":true,"left":9}'),
        ("saved later", b'{"end":true,"left":2}\n{"saved":[[0,[2]]]}\n{"end":true,"left":1}'),
        ("all saved later", b'{"end":true,"left":2}\n{"end":true}'),
    ]:
        (tmp_path / f"{name}{SUFFIX}").write_bytes(journal + b"\n" + end + b"\n")
    found = {item.path.stem: (item.objects, item.saved, item.ended) for item in recoverable(tmp_path)}
    assert found == {
        "some": (2, 1, True),
        "changes": (2, 2, True),
        "more than there is": (2, 0, True),
        "saved later": (2, 1, True),
    }


def test_label_images_come_back_that_went_with_the_session(journal: bytes, tmp_path: Path) -> None:
    first, second = (target.number for target in read(tmp_path, journal).targets)
    gone = b'{"gone":%d}\n{"gone":%d}\n' % (first, second)
    assert read(tmp_path, journal + gone).targets == []
    back = read(tmp_path, journal + gone + b'{"back":[%d,77]}\n' % second)
    assert [(target.number, target.count) for target in back.targets] == [(second, 1)]
    assert back.damaged == 0


def left_behind(folder: Path, ended: bool, days: float) -> Found:
    now = datetime.now(timezone.utc)
    path = folder / f"{len(list(folder.iterdir()))}{SUFFIX}"
    path.touch()
    return Found(path, now, now - timedelta(days=days), 3, 0, ended)


def test_what_crashes_left_stays_and_old_good_ends_go(tmp_path: Path) -> None:
    wanted = [
        left_behind(tmp_path, ended, days) for ended, days in [(True, 1), (True, 29.9), (False, 31), (False, 900)]
    ]
    old = left_behind(tmp_path, True, 30.1)
    assert tidy([*wanted[:2], old, *wanted[2:]]) == wanted
    assert set(tmp_path.iterdir()) == {item.path for item in wanted}


def test_of_many_good_ends_the_newest_stay(tmp_path: Path) -> None:
    found = [left_behind(tmp_path, number % 3 > 0, number / 100) for number in range(60)]
    kept = tidy(found)
    assert len([item for item in kept if not item.ended]) == 20
    assert [item for item in kept if item.ended] == [item for item in found if item.ended][:MOST_ENDED]
    assert set(tmp_path.iterdir()) == {item.path for item in kept}


def test_what_cannot_be_removed_is_no_longer_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = left_behind(tmp_path, True, 40)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert tidy([old]) == []
    assert old.path.exists()


def test_drafts_without_a_date_still_read(journal: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, b'{"napari_dextr":"session","version":1,"started":"once"}\n').started.year == 1970


def objects_in(tmp_path: Path, data: bytes) -> list[tuple[str, AnnotatedObject]]:
    targets = read(tmp_path, data).targets
    return [(target.name["called"], item) for target in targets for item in target.objects(json.dumps)]


def test_no_bit_can_turn_without_being_noticed(journal: bytes, tmp_path: Path) -> None:
    whole = objects_in(tmp_path, journal)
    ends = [place + 1 for place, byte in enumerate(journal) if byte == ord("\n")]
    states = {end: objects_in(tmp_path, journal[:end]) for end in ends}
    ever = [item for state in states.values() for item in state]
    for place in range(ends[0], len(journal), 3):
        damaged = bytearray(journal)
        damaged[place] ^= 1 << place % 8
        found = objects_in(tmp_path, bytes(damaged))
        assert all(item in ever for item in found), place  # nothing that never was
        before = states[max(end for end in ends if end <= place)]
        assert all(item in found for item in before if item in whole), place


def test_drafts_that_make_no_sense_cost_no_object(journal: bytes, tmp_path: Path) -> None:
    lines = [
        {"drafts": [{"place": 1, "marks": [["nonsense", 1, 2]], "box": None}]},
        {"drafts": [{"place": 1, "correcting": 7}]},
        {"objects": [{"target": 0, "label": 9, "place": 1, "region": [5, 5, 5, 9], "facts": {}}]},
        {"drafts": [3]},
    ]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    recovered = read(tmp_path, journal + text + b"[" * 100_000)
    assert (recovered.objects, recovered.damaged) == (2, 5)
