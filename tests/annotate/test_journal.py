"""The journal remembers complete lines, of the same run only."""

from __future__ import annotations

import errno
import json

import pytest

from napari_dextr.annotate.journal import Journal
from napari_dextr.annotate.work import ObjectResult
from napari_dextr.errors import DataError, OutputError

HEADER = {"annotations": "ab", "batch": 8}
RESULTS = [
    ObjectResult(1, {"size": [2, 2], "counts": "4"}, 3, [0.0, 0.0, 1.0, 2.0], 0.1 + 0.2),
    ObjectResult(2, problem="x"),
]


@pytest.fixture
def path(tmp_path):
    with Journal(tmp_path / "a.journal", HEADER) as journal:
        journal.add(7, RESULTS)
        journal.add(8, [])
    return tmp_path / "a.journal"


def test_results_come_back_exactly(path):
    with Journal(path, HEADER) as journal:
        assert journal.done == {7: RESULTS, 8: []}


def test_every_cut_leaves_the_complete_lines_and_the_rest_can_follow(path):
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, HEADER) as journal:
            complete = whole[:cut].count(b"\n")
            assert len(journal.done) == max(0, complete - 1)
            if 7 not in journal.done:
                journal.add(7, RESULTS)
            if 8 not in journal.done:
                journal.add(8, [])
        assert path.read_bytes() == whole


def test_the_journal_of_another_run_is_refused_unless_restarted(path):
    with pytest.raises(DataError, match="--restart"):
        Journal(path, {**HEADER, "batch": 4})
    with Journal(path, {**HEADER, "batch": 4}, restart=True) as journal:
        assert journal.done == {}


def test_two_runs_do_not_share_a_journal(path):
    before = path.read_bytes()
    with Journal(path, HEADER):
        for restart in (False, True):
            with pytest.raises(OutputError, match="Another run writes"):
                Journal(path, HEADER, restart=restart)
        assert path.read_bytes() == before
    with Journal(path, HEADER) as journal:
        assert journal.done
        journal.remove()
    assert list(path.parent.iterdir()) == []


def test_a_refused_journal_leaves_no_lock(path):
    with pytest.raises(DataError):
        Journal(path, {**HEADER, "batch": 4})
    assert list(path.parent.iterdir()) == [path]
    Journal(path, HEADER).__exit__(None, None, None)


def test_a_foreign_file_is_refused_and_stays(tmp_path):
    for content in ("hello\n", "[1]\n", '{"header": 1}\n'):
        (tmp_path / "a").write_text(content, encoding="utf-8")
        with pytest.raises(DataError):
            Journal(tmp_path / "a", HEADER)
        assert (tmp_path / "a").read_text(encoding="utf-8") == content


def test_a_journal_that_cannot_be_written_is_told(path, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="cannot be written"):
        Journal(tmp_path / "no" / "a", HEADER)
    with Journal(path, HEADER) as journal:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(journal, "_write", full)
        with pytest.raises(OutputError, match="disk is full"):
            journal.add(9, [])


def test_a_finished_journal_goes(path):
    with Journal(path, HEADER) as journal:
        journal.remove()
    assert not path.exists()


def test_a_full_disk_is_told_as_such(path):
    class Full:
        def write(self, *_):
            raise OSError(errno.ENOSPC, "No space left on device")

        close = flush = write

    with pytest.raises(OutputError, match="disk is full"), Journal(path, HEADER) as journal:
        real, journal._file = journal._file, Full()
        real.close()
        journal.add(9, [])


@pytest.mark.parametrize("image", ["7", None, 7.5])
def test_a_line_of_no_image_is_refused(path, image):
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"image": image, "objects": []}) + "\n")
    with pytest.raises(DataError, match="no journal"):
        Journal(path, HEADER)


def test_deep_nesting_is_refused(path):
    with path.open("a", encoding="utf-8") as file:
        file.write('{"image": ' + "[" * 100_000 + "\n")
    with pytest.raises(DataError, match="no journal"):
        Journal(path, HEADER)
