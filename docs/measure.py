"""Measure the figures of the page "Benchmarks" anew, into ``docs/benchmarks``; ``make docs`` draws the page of them.

Speed, in the viewer and without it, and COCO files (with ``--quick`` in minutes, else in about an hour)::

    sh tools/with_screen.sh python docs/measure.py bench viewer coco

The masks, on annotations that the model was not trained on, with the options of ``napari-dextr evaluate``::

    python docs/measure.py evaluate nuclei/annotations.json -- --prompt all --jitter 0,0.02 --most 300

Each report is kept with the command and the machine, and without the figures of single objects.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from napari_dextr.bench import describe_machine
from napari_dextr.files import atomic_write

FOLDER = Path(__file__).parent / "benchmarks"
COMMANDS = {"bench": ["bench"], "viewer": ["bench", "--viewer"], "coco": ["bench", "--coco"]}


def main() -> int:
    """Run the commands that were asked for; the exit code of the first that fails."""
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help="bench, viewer, coco; or evaluate and annotation files")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--name", default="evaluate", help="name of the JSON file of an evaluation")
    parser.add_argument("--note", default="", help="a sentence for the page")
    given = parser.parse_args(words[:split])
    options = words[split + 1 :]
    if given.what[0] == "evaluate":
        return measure(given.name, ["evaluate", *given.what[1:], *options], given.note)
    for name in given.what:
        if name not in COMMANDS:
            parser.error(f"'{name}' is none of {', '.join(COMMANDS)}, evaluate")
        code = measure(name, [*COMMANDS[name], *(["--quick"] if given.quick else []), *options], given.note)
        if code:
            return code
    return 0


def measure(name: str, command: list[str], note: str) -> int:
    """Run a command of the program and keep its report; its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        words = [sys.executable, "-m", "napari_dextr", *command, "--json", str(file)]
        code = subprocess.run(words).returncode
        if code:
            return code
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for data in report.get("datasets", []):
        for result in data["results"]:
            del result["outcomes"]
    shown = [_short(word) for word in command]
    measured = {"command": shlex.join(["napari-dextr", *shown]), "machine": describe_machine(), "note": note}
    FOLDER.mkdir(exist_ok=True)
    with atomic_write(FOLDER / f"{name}.json") as temporary:
        text = json.dumps({"measured": measured, **report}, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return 0


def _short(word: str) -> str:
    """An annotation file by its folder and name, a folder by its name: where data lie is nobody's business."""
    path = Path(word)
    if path.suffix == ".json":
        return "/".join(path.parts[-2:])
    return path.name if path.is_absolute() else word


if __name__ == "__main__":
    sys.exit(main())
