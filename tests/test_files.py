"""Writing: completely or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from napari_dextr.errors import DataError, OutputError
from napari_dextr.files import (
    atomic_write,
    check_target,
    keep_version,
    make_folder,
    move_new,
    temporaries,
    temporary_folder,
)


def test_a_new_file_appears_whole_and_alone(tmp_path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
        temporary.write_text("whole", encoding="utf-8")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "whole"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [DataError("stop"), ValueError("stop"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    (tmp_path / "a.txt").write_text("old", encoding="utf-8")
    with pytest.raises(type(error)), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise error
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "may not be written"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "a.txt"),
    ],
)
def test_errors_of_the_disk_say_what_to_do(tmp_path, number, words):
    with pytest.raises(OutputError, match=words) as caught, atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise OSError(number, os.strerror(number))
    assert "a.txt" in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_and_a_folder_in_the_way_are_named(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"), atomic_write(tmp_path / "no" / "a.txt"):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="folder of that name"), atomic_write(tmp_path):
        pytest.fail("the block must not run")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_ordinary_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="not an ordinary file"), atomic_write(tmp_path / "pipe"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_and_permissions_stay(tmp_path):
    target = tmp_path / "target.txt"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    (tmp_path / "link.txt").symlink_to(target)
    with atomic_write(tmp_path / "link.txt") as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert (tmp_path / "link.txt").is_symlink()
    assert target.read_text(encoding="utf-8") == "new"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_a_new_file_gets_the_rights_of_any_other(tmp_path):
    (tmp_path / "other.txt").touch()
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.touch(mode=0o600)
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "other.txt").stat().st_mode


def test_folders_are_made_with_their_parents_once(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be made|is a file"):
        make_folder(tmp_path / "file" / "below")


def test_versions_are_added_bounded_and_never_changed(tmp_path):
    path = tmp_path / "a.json"
    for number in range(4):
        with atomic_write(path, versions=2) as temporary:
            temporary.write_text(str(number), encoding="utf-8")
    found = {item.name: item.read_text(encoding="utf-8") for item in tmp_path.iterdir()}
    assert found == {"a.json": "3", "a.json.2.bak": "1", "a.json.3.bak": "2"}


def test_without_links_a_version_is_a_copy(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.link", fail)
    path = tmp_path / "a.json"
    assert keep_version(path, 3) is None
    path.write_text("old", encoding="utf-8")
    (tmp_path / "a.json.x.bak").touch()
    (tmp_path / "a.json.7.bak").touch()
    assert keep_version(path, 3) == tmp_path / "a.json.8.bak"
    assert (tmp_path / "a.json.8.bak").read_text(encoding="utf-8") == "old"
    assert len(os.listdir(tmp_path)) == 4


def test_a_new_file_replaces_none(tmp_path):
    target = tmp_path / "a.txt"
    with atomic_write(target, replace=False) as temporary:
        temporary.write_text("first", encoding="utf-8")
    with pytest.raises(OutputError, match="file of that name exists") as caught, atomic_write(target, replace=False):
        pytest.fail("the block must not run")
    assert isinstance(caught.value.__cause__, FileExistsError)
    target.unlink()
    with pytest.raises(OutputError, match="file of that name exists"), atomic_write(target, replace=False) as temporary:
        temporary.write_text("mine", encoding="utf-8")
        target.write_text("quicker", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "quicker"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_moves_only_to_a_name_that_is_free(tmp_path, monkeypatch, links):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr("os.link", fail)
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("old", encoding="utf-8")
    new.write_text("new", encoding="utf-8")
    with pytest.raises(FileExistsError):
        move_new(old, new)
    assert (old.read_text(encoding="utf-8"), new.read_text(encoding="utf-8")) == ("old", "new")
    new.unlink()
    move_new(old, new)
    assert new.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["new.txt"]
    with pytest.raises(FileNotFoundError):
        move_new(old, tmp_path / "other.txt")
    assert os.listdir(tmp_path) == ["new.txt"]


KILLED = """
import os, sys
from napari_dextr.files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print(temporary, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_with_the_next_write_and_nothing_else_does(tmp_path):
    target = tmp_path / "a.txt"
    mine = tmp_path / ".a-notes.txt"
    mine.write_text("mine", encoding="utf-8")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", KILLED, str(target)], **pipes) as process:
        left = tmp_path / Path(process.stdout.readline().strip()).name
        os.utime(left, (1, 1))
        if sys.platform != "win32":
            with atomic_write(target) as temporary:
                temporary.write_text("whole", encoding="utf-8")
            assert left.exists()  # its writer lives
        process.kill()
    with atomic_write(tmp_path / "b.txt") as temporary:
        temporary.write_text("other", encoding="utf-8")
    assert left.exists()  # another file's
    with atomic_write(target) as temporary:
        temporary.write_text("whole", encoding="utf-8")
    assert sorted(os.listdir(tmp_path)) == [".a-notes.txt", "a.txt", "b.txt"]


def test_temporary_files_of_a_target_are_known_by_their_names(tmp_path):
    with atomic_write(tmp_path / "a.txt") as mine, atomic_write(tmp_path / "a-b.txt") as other:
        for path in (mine, other):
            path.write_text("half", encoding="utf-8")
        (tmp_path / ".a-notes.txt").write_text("somebody's", encoding="utf-8")
        assert list(temporaries(tmp_path / "a.txt")) == [mine]
    assert list(temporaries(tmp_path / "a.txt")) == []


def test_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(OutputError, match="name is too long"), atomic_write(tmp_path / f"{'x' * 300}.txt") as temporary:
        temporary.write_text("whole", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_a_killed_process_left_goes_with_the_next_one(tmp_path):
    target = tmp_path / "a.json"
    program = (
        "import sys; from pathlib import Path; from napari_dextr.files import temporary_folder; "
        "folder = temporary_folder(Path(sys.argv[1])); (folder / 'part').write_bytes(b'x'); print(folder.name)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], capture_output=True, text=True, check=True)
    left = tmp_path / done.stdout.strip()
    assert left.is_dir()
    fresh = temporary_folder(target)
    assert left.is_dir()  # it may be somebody's who has only just made it
    os.utime(left, (1, 1))
    assert temporary_folder(target) != fresh
    assert not left.exists()
    assert fresh.is_dir()


def test_long_names_of_wide_letters_are_written(tmp_path):
    name = "細" * 76 + ".txt"  # 232 bytes, which a disk takes
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("x", encoding="utf-8")
    assert (tmp_path / name).read_text(encoding="utf-8") == "x"


def test_a_place_is_asked_for_before_long_work(tmp_path, monkeypatch):
    assert check_target(tmp_path / "a.json") == tmp_path / "a.json"
    (tmp_path / "a.json").touch()
    assert check_target(tmp_path / "a.json") == tmp_path / "a.json"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    for wrong in (tmp_path, tmp_path / "no" / "a.json"):
        with pytest.raises(OutputError, match="a file in a folder that exists"):
            check_target(wrong)
    with pytest.raises(OutputError, match="no ordinary file"):
        check_target(os.devnull)

    def refuse(**_):
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="may not be written there"):
        check_target(tmp_path / "b.json")
