"""The journal of a session: what goes into it, and what stops it."""

from __future__ import annotations

import errno
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_dextr.session.autosave as autosave
from napari_dextr.errors import OutputError
from napari_dextr.objects import ObjectClass
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import AcceptPolicy, Session
from napari_dextr.session.autosave import SUFFIX, Journal
from napari_dextr.session.labelling import Stroke
from napari_dextr.session.patches import SparseLabels
from napari_dextr.session.recovery import recover, recoverable
from napari_dextr.session.unsaved import moment

WORK = """
import itertools, os, signal, sys
import numpy as np
from napari_dextr.session.autosave import Journal
from napari_dextr.session.patches import SparseLabels
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import Session

session = Session()
session.go_to("plane 3")
session.bind("cells.tif", SparseLabels(np.uint16))
journal = Journal(sys.argv[1], session)
for number in itertools.count():
    top = 40 * number
    for point in [(top, 10), (top + 9, 0), (top + 19, 10), (top + 9, 20)]:
        session.add_point("extreme", point)
    request = session.begin()
    region = (slice(top, top + 20), slice(0, 21))
    values = np.ones((20, 21), np.float32)
    session.finish(request.serial, Segmentation(values, region, (10**6, 30), request.prompt, 0.9, "fake", 0.5))
    session.accept()
    print(number + 1, flush=True)
"""


def accept(session: Session, top: int = 0) -> int:
    for point in [(top, 10), (top + 9, 0), (top + 19, 10), (top + 9, 20)]:
        session.add_point("extreme", point)
    request = session.begin()
    assert request is not None
    region = (slice(top, top + 20), slice(0, 21))
    values = np.ones((20, 21), np.float32)
    session.finish(request.serial, Segmentation(values, region, (10**6, 30), request.prompt, 0.9, "fake", 0.5))
    return session.accept().label


@pytest.fixture
def session() -> Session:
    session = Session()
    session.bind("layer", SparseLabels(np.uint16))
    return session


def lines(journal: Journal) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in journal.path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in record.items() if key != "sum"} for record in records]


def test_a_line_holds_only_what_changed(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "folder", session)
    before = len(lines(journal))
    session.add_point("inside", (1.5, 2))
    assert lines(journal)[before:] == [
        {"name": 0, "place": "None"},
        {"drafts": [{"place": 0, "marks": [["inside", 1.5, 2.0]], "box": None}]},
    ]
    session.add_class("cell", "#112233")
    assert list(lines(journal)[-1]) == ["classes"]
    session.discard()
    accept(session)
    assert set(lines(journal)[-1]) == {"pixels", "objects", "drafts"}
    assert journal.path.stat().st_size < 3000
    journal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL; kill() there is TerminateProcess")
def test_a_session_that_is_killed_loses_nothing_accepted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = 0
        for line in process.stdout:
            told = int(line)
            if told == 5:
                assert recoverable(tmp_path) == []  # it still runs
            if told == 30:
                process.kill()
    (found,) = recoverable(tmp_path)
    recovered = recover(found.path)
    assert found.objects == recovered.objects >= told >= 30
    assert recovered.damaged <= 1
    (target,) = recovered.targets
    image = SparseLabels(np.uint16)
    target.write(image, str)
    for item in target.objects(str):
        assert item.place == "plane 3"
        assert item.facts.prompts == "4 extreme"
        top = 40 * (item.label - 1)
        assert (image.read("plane 3", (slice(top, top + 20), slice(0, 21))) == item.label).all()


def test_a_label_image_keeps_the_name_that_it_had_at_last(session: Session, tmp_path: Path) -> None:
    names = {"layer": "DEXTR labels"}
    journal = Journal(tmp_path, session, lambda key: names.get(key, str(key)))
    journal.rename("layer")  # nothing is known of it yet
    accept(session)
    names["layer"] = "cells, first look"
    journal.rename("layer")
    accept(session, 40)
    saved = recover(journal.path)
    assert [(target.name, target.count) for target in saved.targets] == [("cells, first look", 2)]
    assert saved.damaged == 0
    names["layer"] = object()  # no JSON
    journal.rename("layer")
    assert "not saved automatically any more" in (journal.problem or "")
    journal.rename("layer")
    journal.close()


def test_every_target_keeps_its_classes(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    session.add_class("cell")
    session.set_class(None, 1)
    accept(session)
    session.bind("other", SparseLabels(np.uint16))  # shares the list
    accept(session)
    own = [ObjectClass(1, "nucleus", "#00ff00")]
    session.bind("third", SparseLabels(np.uint16), classes=own)
    accept(session)
    session.bind("other", session.targets["other"].image)

    def saved() -> dict[str, list[str]]:
        return {target.name: [item.name for item in target.classes] for target in recover(journal.path).targets}

    assert saved() == {"layer": ["cell"], "other": ["cell"], "third": ["nucleus"]}
    session.rename_class(1, "body")
    assert saved() == {"layer": ["body"], "other": ["body"], "third": ["nucleus"]}
    journal.rewrite()
    assert saved() == {"layer": ["body"], "other": ["body"], "third": ["nucleus"]}
    session.remove_class(1)
    found = {target.name: target for target in recover(journal.path).targets}
    assert [item.facts.class_id for item in found["layer"].objects(str)] == [None]
    assert [item.facts.class_id for item in found["third"].objects(str)] == [None]
    journal.close()


def test_sessions_side_by_side(session: Session, tmp_path: Path) -> None:
    journals = [Journal(tmp_path, session) for _ in range(3)]
    assert len({journal.path for journal in journals}) == 3
    accept(session)
    assert recoverable(tmp_path) == []
    for journal in journals:
        journal._lock.release()  # as if the process had died
    assert {found.path for found in recoverable(tmp_path)} == {journal.path for journal in journals}


def test_a_session_that_ended_is_offered_where_no_file_has_it(session: Session, tmp_path: Path) -> None:
    first, second = Journal(tmp_path, session), Journal(tmp_path, session)
    accept(session)
    first.close()
    second.close(keep=False)
    accept(session, 40)
    assert list(tmp_path.iterdir()) == [first.path]
    (found,) = recoverable(tmp_path)
    assert (found.path, found.objects, found.saved, found.ended) == (first.path, 1, 0, True)
    assert list(tmp_path.iterdir()) == [first.path]


def test_a_session_without_anything_to_lose_leaves_nothing(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    session.add_class("cell")
    session.add_point("inside", (3, 3))
    session.discard()
    accept(session)
    session.undo()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_leaves_nothing_until_it_changes(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    accept(session)
    accept(session, 40)
    journal.save("layer", moment())
    journal.close()
    assert list(tmp_path.iterdir()) == []
    journal = Journal(tmp_path, session)
    assert journal.unsaved.objects == 2  # another one knows nothing of that
    journal.save("layer", moment())
    session.delete(1)
    journal.close()
    (found,) = recoverable(tmp_path)
    assert (found.objects, found.saved, found.ended) == (1, 1, True)  # a change, though no object is unsaved


def test_each_label_image_is_saved_by_itself(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    accept(session)
    session.bind("other", SparseLabels(np.uint16))
    accept(session)
    accept(session, 40)
    journal.save("layer", moment())
    journal.save("no layer of it", moment())
    journal._lock.release()  # as if the process had died
    (found,) = recoverable(tmp_path)
    assert (found.objects, found.saved, found.ended) == (3, 1, False)
    journal.close()
    (found,) = recoverable(tmp_path)
    assert (found.objects, found.saved, found.ended) == (3, 1, True)


def test_the_journal_tells_what_is_saved_also_after_it_was_rewritten(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    for top in (0, 40, 80):
        accept(session, top)
    began = moment()
    accept(session, 120)  # while the file is written

    def saved() -> set[int]:
        (target,) = recover(journal.path).targets
        return target.saved

    journal.save("layer", began)
    assert saved() == {1, 2, 3}
    session.policy = AcceptPolicy("overwrite")
    accept(session, 50)  # over a part of object 2
    assert saved() == {1, 3}
    journal.rewrite()
    assert saved() == {1, 3}
    session.add_class("cell")
    session.set_class(3, 1)
    assert saved() == {1}
    session.undo()
    assert saved() == {1}
    journal.save("layer", moment())
    assert saved() == {1, 2, 3, 4, 5}
    assert recover(journal.path).damaged == 0
    journal.close()


def test_label_images_that_go_with_the_session_stay_in_its_journal(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    accept(session)
    session.forget_target("layer")
    assert recover(journal.path).targets == []  # a crash must not bring back what somebody has removed
    journal.close()
    assert [(found.objects, found.removed) for found in recoverable(tmp_path)] == [(1, False)]
    journal.close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_what_is_unsaved_of_removed_label_images_has_a_journal_of_its_own(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    accept(session)
    session.bind("other", SparseLabels(np.uint16))
    accept(session, 40)
    journal.save("other", moment())
    accept(session, 80)
    session.add_point("extreme", (1.0, 1.0))  # of an object that is not accepted yet
    session.bind("saved", SparseLabels(np.uint16))
    session.forget_target("other")
    kept = journal.settle()
    assert kept is not None
    assert recoverable(tmp_path) == []
    kept.release()
    (found,) = recoverable(tmp_path)
    assert (found.objects, found.saved, found.ended, found.removed) == (2, 1, True, True)
    removed = recover(found.path)
    assert [(target.name, target.saved) for target in removed.targets] == [("other", {1})]
    assert removed.drafts == []
    assert removed.damaged == 0
    going_on = recover(journal.path)
    assert [target.name for target in going_on.targets] == ["layer"]
    assert len(going_on.drafts) == 1
    session.forget_target("saved")
    assert journal.settle() is None
    journal.close()
    assert sorted(found.removed for found in recoverable(tmp_path)) == [False, True]


def test_what_cannot_have_a_journal_of_its_own_stays(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: Path) -> None:
        paths[1].write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    monkeypatch.setattr("napari_dextr.session.autosave._LARGE", 10)
    journal = Journal(tmp_path, session)
    accept(session)
    session.forget_target("layer")
    assert journal.settle() is None
    session.bind("another", SparseLabels(np.uint16))
    accept(session, 40)  # as large as it is by now it would be rewritten, without what went
    journal.close()
    assert [found.objects for found in recoverable(tmp_path)] == [2]
    assert len(list(tmp_path.iterdir())) == 1


def test_closing_where_nothing_can_be_written(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = [Journal(tmp_path, session) for _ in range(2)]
    accept(session)
    journals[1].save("layer", moment())

    def read_only(path: Path, *_: Any, **__: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", read_only)
        patch.setattr(Path, "unlink", read_only)
        for journal in journals:
            journal.close()
    assert [found.objects for found in recoverable(tmp_path)] == [1, 1]  # nobody knows of the good end
    assert [found.ended for found in recoverable(tmp_path)] == [False, False]


def test_a_journal_that_was_cut_off_by_a_full_disk_ends_all_the_same(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    accept(session)
    with journal.path.open("ab") as file:
        file.write(b'{"sum":"0000')
    journal._give_up(OSError(28, "No space left on device"))
    accept(session, 40)
    journal.close()
    (found,) = recoverable(tmp_path)
    assert (found.objects, found.saved, found.ended) == (1, 0, True)


def test_a_journal_that_starts_late_holds_everything(session: Session, tmp_path: Path) -> None:
    session.add_class("cell", "#112233")
    accept(session)
    stroke = (slice(100, 101), slice(3, 5))
    session.targets["layer"].image.write(None, stroke, np.full((1, 2), 8), np.ones((1, 2), bool))
    session.note_painted([Stroke(None, stroke, np.ones((1, 2), bool), 0, 8)])
    session.go_to("elsewhere")
    session.add_point("outside", (4, 4))
    journal = Journal(tmp_path, session)
    recovered = recover(journal.path)
    (target,) = recovered.targets
    (item,) = target.objects(str)
    assert (item.label, item.facts) == (1, session.objects[1].facts)
    assert target.classes == list(session.classes)
    image = SparseLabels(np.uint16)
    target.write(image, str)
    assert (image.read("None", (slice(0, 20), slice(0, 21))) == 1).all()
    assert image.read("None", stroke).tolist() == [[8, 8]]
    assert [(draft.place, len(draft.marks)) for draft in recovered.drafts] == [("elsewhere", 1)]
    journal.close()


def test_a_large_journal_is_rewritten(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autosave, "_LARGE", 6000)
    journal = Journal(tmp_path, session)
    accept(session)
    sizes = []
    for _ in range(60):
        session.undo()
        session.redo()
        sizes.append(journal.path.stat().st_size)
    assert max(sizes) < 8000
    assert any(after < before for before, after in itertools.pairwise(sizes))
    accept(session, 40)
    recovered = recover(journal.path)
    assert (recovered.objects, recovered.damaged) == (2, 0)
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == [SUFFIX]
    journal.close()


def test_pixels_that_cannot_be_read_keep_the_long_journal(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, session)
    accept(session)

    def gone(*_: Any) -> Any:
        raise OutputError("The layer is gone.")

    monkeypatch.setattr(session.targets["layer"].image, "read", gone)
    with pytest.raises(OutputError):
        journal.rewrite()
    monkeypatch.setattr(autosave, "_LARGE", 10)
    session.go_to("elsewhere")
    session.add_point("inside", (1, 1))
    session.add_point("inside", (2, 2))
    assert journal.problem is None
    recovered = recover(journal.path)
    assert (recovered.objects, recovered.damaged) == (1, 0)
    assert len(recovered.drafts[-1].marks) == 2
    journal.close()


def test_a_folder_that_cannot_be_made_stops_nothing(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file", session)
    assert journal.problem is not None
    assert "is a file, not a folder" in journal.problem
    accept(session)
    journal.close()


class Full:
    """A file on a disk that is full."""

    def write(self, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_stops_saving_and_nothing_else(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session)
    accept(session)
    assert journal._file is not None
    journal._file.close()
    journal._file = Full()  # type: ignore[assignment]
    accept(session, 40)
    assert journal.problem is not None
    assert "No space left" in journal.problem
    assert "Save the Labels layer yourself" in journal.problem
    assert len(session.objects) == 2
    assert recover(journal.path).objects == 1
    journal.close()


def test_names_that_are_no_json_stop_nothing(session: Session, tmp_path: Path) -> None:
    journal = Journal(tmp_path, session, describe=lambda key: object())
    assert journal.problem is None
    accept(session)
    assert journal.problem is not None
    assert list(session.objects) == [1]

    def describe(key: Any) -> str:
        raise AttributeError("the layer has gone")

    other = Journal(tmp_path, Session(), describe)
    assert other.problem is None
    other._session.add_point("inside", (1, 1))
    assert other.problem is not None
    assert "the layer has gone" in other.problem
    assert len(other._session.marks) == 1
    journal.close()
    other.close()


def test_a_change_where_there_is_no_place_is_saved(tmp_path: Path) -> None:
    session = Session()
    session.bind("layer", SparseLabels(np.uint16))

    def describe(key: Any) -> str:
        assert key is not None
        return str(key)

    journal = Journal(tmp_path, session, describe)
    session.go_to("plane")
    session.add_class("cell")
    accept(session)
    session.set_class(1, 1)
    session.reopen(1)
    session.go_to(None)  # the 3-D view
    session.remove_class(1)
    assert journal.problem is None
    journal.close()


def test_a_layer_that_was_removed_is_not_recovered_into_the_next_one_of_its_name(
    session: Session, tmp_path: Path
) -> None:
    journal = Journal(tmp_path, session, lambda key: "DEXTR labels")
    accept(session)
    session.forget_target("layer")
    session.bind("another", SparseLabels(np.uint16))
    accept(session, 40)
    session.forget_target("another")
    session.bind("another", SparseLabels(np.uint16))  # the same one again
    accept(session, 80)
    (target,) = recover(journal.path).targets
    (item,) = target.objects(str)
    assert item.region[0].start == 80
    journal.close()
