"""What all commands share."""

from __future__ import annotations

import errno
import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from napari_dextr.cli import _app
from napari_dextr.cli._app import console, keep_apart, percent, progress_bar, reflow, set_threads, write_json
from napari_dextr.errors import OutputError


def test_json_alone_goes_to_standard_output_and_nothing_else(call, photo, weights):
    for tail in (["--json"], ["--json", "-"]):
        result = call("segment", photo, "--box", "5,5,30,30", "-m", weights, "-o", photo.with_name("m.png"), *tail)
        assert result.exit_code == 0
        assert json.loads(result.stdout)["model"] == "tiny"


def test_json_before_other_options_takes_none_of_them(call, photo, weights):
    result = call("segment", photo, "--json", "--box", "5,5,30,30", "-m", weights, "-o", photo.with_name("m.png"))
    assert json.loads(result.stdout)["model"] == "tiny"


def test_json_with_a_file_leaves_the_words_on_the_screen(call, photo, weights):
    file = photo.with_name("facts.json")
    result = call("segment", photo, "--box", "5,5,30,30", "-m", weights, "-o", photo.with_name("m.png"), "--json", file)
    assert "m.png" in result.stdout
    assert json.loads(file.read_text(encoding="utf-8"))["model"] == "tiny"


def test_json_that_cannot_be_written_is_refused_before_the_work(refused, photo, weights):
    words = ("segment", photo, "--box", "5,5,30,30", "-m", weights, "-o", photo.with_name("m.png"))
    for file in (photo.with_name("no") / "f.json", photo.parent):
        assert "folder that exists" in refused(*words, "--json", file)
    assert not photo.with_name("m.png").exists()


def test_json_goes_nowhere_unless_asked(capsys, tmp_path):
    write_json(None, {"a": 1})
    assert capsys.readouterr().out == ""
    with pytest.raises(OutputError):
        write_json(tmp_path / "no" / "a.json", {"a": 1})


def test_tables_are_silent_where_json_goes():
    assert console(Path("-")).quiet
    assert not console(None).quiet
    assert not console(Path("file.json")).quiet


def test_no_bar_is_drawn_where_nobody_looks(capsys):
    with progress_bar("Working") as progress:
        progress(1, 2)
        progress(2, 2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_threads_are_limited_only_when_asked():
    before = torch.get_num_threads()
    try:
        set_threads(None)
        assert torch.get_num_threads() == before
        set_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "No space left on device (/tmp/x)"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error."),
        (MemoryError(), "not enough memory"),
    ],
)
def test_errors_of_the_machine_are_one_sentence_too(refused, monkeypatch, error, words):
    def fail():
        raise error

    monkeypatch.setattr("napari_dextr.models.registry.entries", fail)
    assert words in refused("models")


def test_errors_of_the_program_are_not_hidden(call, monkeypatch):
    monkeypatch.setattr("napari_dextr.models.registry.entries", lambda: 1 / 0)
    assert isinstance(call("models").exception, ZeroDivisionError)


def test_shares_are_shown_as_percent():
    assert percent(0.1234) == "12.3 %"
    assert percent(None) == "–"


def test_a_missing_device_is_named(refused, photo, weights):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    words = ("segment", photo, "--box", "5,5,30,30", "-m", weights, "-o", photo.with_name("m.png"))
    assert "CUDA" in refused(*words, "--device", "cuda")


def test_help_is_as_wide_as_the_terminal_and_examples_keep_their_lines(call):
    lines = [line.strip() for line in call("--help").stdout.splitlines()]
    assert any(len(line) > 150 for line in lines)  # the source has lines of 120
    assert "napari-dextr demo" in lines
    assert "napari-dextr COMMAND --help" in lines


def test_paragraphs_are_joined_and_examples_are_not():
    assert reflow("One\ntwo.\n\n    a\n    b\n\nThree\nfour.") == "One two.\n\n    a\n    b\n\nThree four."
    assert reflow(None) is None


@pytest.mark.parametrize("command", [(), ("train",), ("models",), ("models", "keep")])
def test_every_kind_of_command_reflows_its_help(call, command):
    text = call(*command, "--help").stdout
    prose = [line.strip() for line in text.split("Examples")[0].splitlines()]
    # No line of a paragraph ends early: it would be one that the source has broken.
    assert not [line for line, after in pairwise(prose) if line and after and len(line) < 100]


def test_the_program_names_what_can_be_set(call):
    text = call("--help").stdout
    for word in ("NAPARI_DEXTR_CACHE", "NAPARI_DEXTR_MODELS", "exit code 2", "Plugins > napari DEXTR > Annotate"):
        assert word in text


def test_results_never_replace_annotations_or_each_other(tmp_path):
    (tmp_path / "a.json").write_text('{"images": [], "annotations": []}', encoding="utf-8")
    with pytest.raises(OutputError, match="holds annotations"):
        _app._check_json(tmp_path / "a.json")
    with pytest.raises(OutputError, match="named twice"):
        keep_apart(tmp_path / "m.png", None, tmp_path / "x" / ".." / "m.png")
    keep_apart(tmp_path / "m.png", None, Path("-"), Path("-"), tmp_path / "n.png")


def test_memory_of_a_processor_is_one_sentence_too(refused, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("napari_dextr.demo.run_demo", full)
    assert "not enough memory" in refused("demo")
