"""Journals of sessions that ended in good order."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_dextr.locks import FileLock
from napari_dextr.session.autosave import lock_path
from napari_dextr.session.kept import Kept, as_line
from napari_dextr.session.recovery import recover, recoverable
from napari_dextr.session.unsaved import Rest, moment

HEAD = {"napari_dextr": "session", "version": 1, "started": "2026-11-30T12:00:00+00:00"}


def objects(target: int, *labels: int) -> dict[str, object]:
    where = {"place": 9, "region": [0, 0, 5, 5], "facts": {}}
    return {"objects": [{"target": target, "label": label, **where} for label in labels]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    lines = [{"name": 0, "target": "a"}, {"name": 1, "target": "b"}, {"name": 9, "place": "p"}]
    path = tmp_path / "x.dextr-session"
    path.write_bytes(b"".join(map(as_line, [HEAD, *lines, objects(0, 1, 2), objects(1, 1)])))
    return path


def keep(path: Path, *last: dict[str, object]) -> Kept:
    lock = FileLock(lock_path(path))
    assert lock.acquire()
    changed = {1: moment(), 2: moment()}
    rests = {0: Rest(dict(changed), {1, 2}), 1: Rest({1: moment()}, {1}), 2: Rest()}
    return Kept(path, lock, rests, last)


def test_it_is_offered_once_it_is_released(path: Path) -> None:
    kept = keep(path)
    assert recoverable(path.parent) == []
    kept.release()
    (found,) = recoverable(path.parent)
    assert (found.objects, found.saved, found.ended) == (3, 0, True)
    assert list(path.parent.iterdir()) == [path]


def test_saving_part_after_part_removes_it(path: Path) -> None:
    kept = keep(path)
    kept.save(0, moment())
    saved = recover(path)
    assert [target.saved for target in saved.targets] == [{1, 2}, set()]
    assert saved.left == 1
    kept.save(1, 0)  # read before anything was there
    assert recover(path).left == 1
    kept.save(1, moment())
    assert list(path.parent.iterdir()) == []


def test_a_label_image_has_the_name_that_it_was_given_since(path: Path) -> None:
    keep(path).rename(1, "c")
    saved = recover(path)
    assert [target.name for target in saved.targets] == ["a", "c"]
    assert (saved.ended, saved.left) == (True, 3)


def test_what_another_journal_has_leaves_it(path: Path) -> None:
    kept = keep(path)
    kept.hand_over(0)
    saved = recover(path)
    assert [target.name for target in saved.targets] == ["b"]
    assert saved.left == 1
    kept.hand_over(1)
    assert list(path.parent.iterdir()) == []


def test_label_images_that_went_with_the_session_come_back(path: Path) -> None:
    with path.open("ab") as file:
        file.write(as_line({"gone": 0}) + as_line({"gone": 1}))
    keep(path, {"back": [0, 2]}).release()
    assert [target.name for target in recover(path).targets] == ["a"]


def test_one_that_was_thrown_away_does_not_come_back(path: Path) -> None:
    kept = keep(path)
    path.unlink()
    kept.save(0, moment())
    assert not path.exists()
    kept.discard()
    assert list(path.parent.iterdir()) == []
