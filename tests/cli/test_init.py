"""The program as a whole: help, version, errors, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from napari_dextr import __version__
from napari_dextr.cli import app

COMMANDS = ("demo", "segment", "annotate", "evaluate", "models", "bench")


def test_help_lists_every_command(call):
    result = call("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert name in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(call, name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout
    assert f"napari-dextr {name}" in result.stdout


def test_the_version_is_that_of_the_package(call):
    assert call("--version").stdout == f"napari-dextr {__version__}\n"


@pytest.mark.parametrize(
    "words", [("frobnicate",), ("segment",), ("bench", "--threads", "0"), ("demo", "--device", "x")]
)
def test_wrong_usage_ends_with_code_2(call, words):
    result = call(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_the_module_runs_as_a_program_and_says_what_is_wrong(tmp_path):
    words = ["segment", "gone.png", "--points", "1,5 5,1 9,5 5,9", "-o", "mask.png"]
    result = subprocess.run(
        [sys.executable, "-m", "napari_dextr", *words], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == "napari-dextr: There is no file 'gone.png'; check the path.\n"
    assert list(tmp_path.iterdir()) == []


def test_help_in_a_fresh_process_loads_no_network_library():
    program = "import sys; from napari_dextr.cli import main; sys.argv = ['napari-dextr', '--help']\n"
    program += "try: main()\nexcept SystemExit: print('torch' in sys.modules, 'skimage' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert result.stdout.splitlines()[-1] == "False False"


def test_the_names_of_commands_are_registered_once():
    names = [command.callback.__name__ for command in app.registered_commands]
    names += [group.typer_instance.info.name for group in app.registered_groups]
    assert len(names) == len(set(names))
    assert set(COMMANDS) <= set(names)


def test_letters_that_the_output_does_not_know_are_no_error(tmp_path):
    """Windows gives a program that writes into a file an old code page."""
    code = "import sys; from napari_dextr.cli import main; sys.argv = ['x', '--version']; "
    code += "import napari_dextr; napari_dextr.__version__ = '1 \\u2192 2'; main()"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"1 ? 2" in done.stdout
