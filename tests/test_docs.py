"""README and documentation are promises: commands exist, examples run, walks through the code are as they are told."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
import typer
from napari.components import ViewerModel

import ablate
from napari_dextr.cli import app
from napari_dextr.errors import OutputError
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.registry import built_in
from napari_dextr.models.spec import ModelSpec
from napari_dextr.napari_io.keys import SHORTCUTS
from napari_dextr.prompt import MARKS
from napari_dextr.segmenter import Segmenter
from napari_dextr.training.recipe import Recipe
from napari_dextr.widgets.controller import AnnotateController
from napari_dextr.widgets.export_job import ExportJob, ExportPlan

PROJECT = Path(__file__).parent.parent
DOCS = PROJECT / "docs"
PAGES = [PROJECT / "README.md", *sorted(DOCS.rglob("*.md"))]
RUNNING = [page for page in PAGES if page.parent in (PROJECT, DOCS / "api") and "```python" in page.read_text("utf-8")]

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)")


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: Path
    line: int
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        indent = match["indent"]
        lines = "".join(line.removeprefix(indent) for line in match["text"].splitlines(keepends=True))
        found.append(Block(page, text[: match.start()].count("\n") + 1, match["language"], lines))
    return found


def name(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


# -- commands ---------------------------------------------------------------------------------------------------------

PROGRAM: Any = typer.main.get_command(app)


def commands(text: str) -> Iterator[list[str]]:
    """Words of each call of the program in a shell script."""
    for line in text.replace("\\\n", " ").splitlines():
        call = re.search(r"(?:^|[\s/\\])(?:napari-dextr|-m napari_dextr)\s+(.+)$", line)
        if call is None or "COMMAND" in call[1] or re.search(r"^\s*#|-m pip |^pip |-w napari-dextr", line):
            continue
        words = shlex.split(call[1].replace("…", ""), comments=True)
        yield words[: next((at for at, word in enumerate(words) if word in {"|", "&&", ">", ";"}), len(words))]


def find(words: list[str]) -> tuple[Any, list[str], list[str]]:
    """The command of a call, its names, and the words behind them."""
    command, names = PROGRAM, ["napari-dextr"]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{' '.join(names)} has no command '{words[0]}'"
        command = command.commands[words[0]]
        names, words = [*names, words[0]], words[1:]
    return command, names, words


def parse(words: list[str]) -> None:
    """Let the program parse a call, without running it."""
    command, names, rest = find(words)
    if "--help" not in rest and "--version" not in rest:
        with contextlib.suppress(OutputError):  # folders of results, which are not there
            command.make_context(" ".join(names), list(rest))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_can_be_given_as_they_are_written(page: Path) -> None:
    for block in blocks(page):
        if block.language in {"", "sh", "bat", "text", "console", "bash"}:
            for words in commands(block.text):
                parse(words)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_text_exist(page: Path) -> None:
    for code in CODE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if code.startswith("napari-dextr ") and "COMMAND" not in code and "…" not in code:
            command, names, rest = find(shlex.split(code)[1:])
            options = {option for param in command.params for option in param.opts} | {"-h", "--help"}
            assert {word for word in rest if word.startswith("-")} <= options, names


WRONG = ("segmnt a.tif", "demo --outt x", "demo stray", "demo --out", "segment a.tif", "models -x")


@pytest.mark.parametrize("call", WRONG)
def test_what_is_wrong_in_a_command_is_found(call: str) -> None:
    with pytest.raises(Exception, match=r"no command|[Nn]o such option|[Uu]nexpected|requires|[Mm]issing"):
        parse(*commands(f"x/napari-dextr {call}  # a comment"))


def every_option(command: Any) -> set[str]:
    options = {"--help", *(word for param in command.params for word in param.opts if word.startswith("--"))}
    return options.union(*(every_option(each) for each in getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_options_in_the_text_exist(page: Path) -> None:
    others = {"--info"}  # napari's
    others |= {"--quick", "--name", "--note"} if page.name == "benchmarks.md" else set()  # those of docs/measure.py
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = {word.split("=")[0] for code in CODE.findall(text) if code.startswith("--") for word in code.split()}
    unknown = {word for word in named if word.startswith("--")} - every_option(PROGRAM) - others
    assert not unknown


def test_make_targets_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
        assert named <= targets, name(page)


# -- examples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_are_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, f"{name(page)}:{block.line}", "exec")


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as a reader would enter them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, name(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    """Building the site checks pages and anchors; this, that links also work where the files are read as they are."""
    text = "".join(CODE.sub("", piece) for piece in FENCE.split(page.read_text(encoding="utf-8"))[::4])
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing


# -- generated parts --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part() -> Iterator[Callable[[str], Any]]:
    """Modules that the site's pages are generated with, by name."""
    folder = str(DOCS / "_site")
    sys.path.insert(0, folder)
    yield importlib.import_module
    sys.path.remove(folder)
    for path in (DOCS / "_site").glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_pages_ask_for_what_is_generated_and_no_part_is_unused(part: Callable[[str], Any]) -> None:
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    asked = set(re.findall(r"<!-- generated: (\w+) -->", texts))
    assert asked == set(part("parts").PARTS)


def test_links_to_files_become_links_to_pages(part: Callable[[str], Any]) -> None:
    settled = part("links").settled
    text = "[a](docs/keys.md#mouse), [b](README.md), [c](LICENSE), [d](https://napari.org), `[e](f.md)`, `g\\|h`"
    there = "[a](../keys.md#mouse), [b](../index.md), c, [d](https://napari.org), `[e](f.md)`, `g|h`"
    assert settled(text, PROJECT / "CONTRIBUTING.md", "api/x.md") == there
    card = "[card](../src/napari_dextr/models/weights/MODEL_CARD.md)"
    assert settled(card, DOCS / "evaluation.md", "evaluation.md") == "[card](embedded_model.md)"


def test_the_command_line_is_told_whole(part: Callable[[str], Any]) -> None:
    text = part("command_line").reference()
    rows = set(re.findall(r"`(--[\w-]+)`", text))
    assert rows >= every_option(PROGRAM) - {"--help"}
    for command in PROGRAM.commands:
        assert f"{{ #{command} }}" in text
    assert "| `IMAGE`{ .option } | PNG, JPEG" in text
    corrections = "`--corrections`{ .option }<br><small>integer 0 to 20</small>"
    assert f"| {corrections} | Correcting clicks to follow. | `2` |" in text
    assert "[bold]" not in text


def test_every_option_and_argument_explains_itself() -> None:
    def silent(command: Any, before: str) -> Iterator[str]:
        for param in command.params:
            if not (getattr(param, "help", None) or getattr(param, "hidden", False)):
                yield f"{before} {param.name}"
        for key, each in getattr(command, "commands", {}).items():
            yield from silent(each, f"{before} {key}")

    assert not list(silent(PROGRAM, "napari-dextr"))


def test_every_key_is_told(part: Callable[[str], Any]) -> None:
    text = part("parts").keys()
    for shortcut in SHORTCUTS:
        if not shortcut.action.startswith("class_"):
            assert f"| {shortcut.title} |" in text
            assert f"<kbd>{shortcut.text}</kbd>" in text
    assert "| <kbd>Ctrl+1</kbd> to <kbd>Ctrl+9</kbd> | Class 1 to 9 |" in text


def test_every_model_is_told(part: Callable[[str], Any]) -> None:
    text = part("model_table").models()
    for entry in built_in():
        assert f"### {entry.name} {{ #{entry.name} }}" in text
        assert entry.trained_on in text


def test_the_drawing_shows_every_room_once(part: Callable[[str], Any]) -> None:
    house = part("house")
    floors, sizes, edges = house._house()
    drawing = house.drawing()
    assert sorted(re.findall(r"<text x=[^>]+>(\w+)</text>", drawing)) == sorted(sizes) == sorted(set().union(*floors))
    assert drawing.count('class="line ') == len(house.reduced(edges))
    tops = {room: float(top) for room, top in re.findall(r'room-(\w+)"><rect x="\d+" y="(\d+)"', drawing)}
    assert all(tops[start] < tops[end] for start, end in edges), "every arrow leads down"


def test_a_longer_way_stands_for_an_arrow(part: Callable[[str], Any]) -> None:
    edges = {("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")}
    assert part("house").reduced(edges) == edges - {("a", "c")}


def test_figures_stand_on_the_page_as_they_were_measured(part: Callable[[str], Any]) -> None:
    text, files = part("benchmark_page").page(), sorted((DOCS / "benchmarks").glob("*.json"))
    assert files
    for path in files:
        report = json.loads(path.read_text(encoding="utf-8"))
        assert f"`{path.name}`" in text
        assert report["measured"]["command"] in text
        assert report.get("machine", report["measured"]["machine"]) in text
        for data in report.get("datasets", []):
            assert all(f"| {result['iou']['mean']:.3f} |" in text for result in data["results"])
            assert not any("outcomes" in result for result in data["results"])
        for timing in report.get("timings", {}).values():
            assert f"| {timing['median_ms']:.1f} | {timing['p95_ms']:.1f} | {timing['runs']} |" in text


@pytest.mark.parametrize("results", ["ablation.jsonl", "ablation-data.jsonl"])
def test_what_was_tried_stands_on_its_page(part: Callable[[str], Any], results: str) -> None:
    recipe = Recipe.read("embedded")
    text = (DOCS / "benchmarks" / results).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    table = part("ablation_table").table(results)
    for line in lines:
        exact = np.mean([iou[0] for iou in line["iou"].values()])
        assert re.search(rf"\| {re.escape(line['axis'])}: {re.escape(line['name'])} \|.*\*\*{exact:.3f}\*\*", table)
    configs = {(variant.axis, variant.name): ablate.settings(variant, recipe) for variant in ablate.VARIANTS}
    assert {(line["axis"], line["name"]) for line in lines} <= configs.keys()
    half = configs["synthetic", "half of the samples"].shares
    assert half["superpixel"] + half["procedural"] == pytest.approx(sum(half.values()) / 2)


def test_another_json_file_is_refused(part: Callable[[str], Any], tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="no report"):
        part("benchmark_page").section(path)


# -- walks through the code -------------------------------------------------------------------------------------------


class Trace:
    """Functions of the project that are called, in order; in threads too, if they begin after this."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("napari_dextr."):
            self.calls.append((module.removeprefix("napari_dextr."), frame.f_code.co_name))

    def __enter__(self) -> Trace:
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def check(self, walk: list[str]) -> None:
        """Fail unless the functions of a walk were called, in its order."""
        at = 0
        for step, place in enumerate(walk, start=1):
            wanted = told(place)
            assert wanted in self.calls[at:], f"step {step}, {place}, is not called then"
            at = self.calls.index(wanted, at) + 1


def told(place: str) -> tuple[str, str]:
    """Module and name of a function that a page names, e.g. ``session.session.Session.accept``; it must exist."""
    parts = place.split(".")
    split = next((at for at, part in enumerate(parts) if part[0].isupper()), len(parts) - 1)
    found: Any = importlib.import_module(f"napari_dextr.{'.'.join(parts[:split])}")
    for part in parts[split:]:
        found = getattr(found, part)
    return ".".join(parts[:split]), parts[-1]


def walk(title: str) -> list[str]:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    told_so = text.split(f"<!-- walk: {title} -->")[1].split("<!-- /walk -->")[0]
    return re.findall(r"^\d+\. .*?`([\w.]+)`", told_so, re.MULTILINE)


@pytest.fixture
def bench(qtbot: Any) -> Iterator[tuple[Trace, AnnotateController, Any]]:
    """A viewer without a window, an image in it, and the controller of *Annotate* with a small untrained network."""
    torch.manual_seed(0)
    options = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1]}
    spec = ModelSpec("tiny", "compact", options=options, canvas=32, marks=MARKS, threshold=0.01, has_score=True)
    segmenter = Segmenter(CompactNet((8, 8, 8, 8), (1, 1, 1, 1), 8, (1,)), spec, device="cpu")
    viewer = ViewerModel()
    image = viewer.add_image(np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8), name="noise")
    trace = Trace()
    with trace:
        controller = AnnotateController(viewer, load=lambda source, device, progress=None: segmenter)
        controller.set_model("tiny", "cpu")
        controller.set_image(image)
        qtbot.waitUntil(lambda: not controller.model.loading, timeout=60_000)
        yield trace, controller, image
        controller.close()


def test_clicks_and_exports_take_the_ways_that_are_told(bench: Any, qtbot: Any, tmp_path: Path) -> None:
    trace, controller, image = bench
    for point in ((10, 40), (30, 20), (50, 41)):
        controller.bench.clicks.layer.add(point)
    trace.calls.clear()
    controller.bench.clicks.layer.add((31, 60))
    qtbot.waitUntil(lambda: controller.session.segmentation is not None, timeout=60_000)
    controller.accept()
    assert len(controller.session.objects) == 1
    steps = walk("click")
    assert len(steps) > 20
    trace.check(steps)

    job, ended = ExportJob(), []
    job.done.connect(ended.append)
    job.failed.connect(ended.append)
    trace.calls.clear()
    job.export(ExportPlan(((controller.target.layer, image),), tmp_path / "noise.json"))
    qtbot.waitUntil(lambda: bool(ended), timeout=60_000)
    assert (tmp_path / "noise.json").is_file(), ended
    steps = walk("export")
    assert len(steps) > 10
    trace.check(steps)
    job.stop()


def test_a_walk_in_another_order_is_noticed() -> None:
    trace = Trace()
    trace.calls = [("prompt", "check"), ("image", "as_plane")]
    trace.check(["prompt.Prompt.check", "image.as_plane"])
    with pytest.raises(AssertionError, match="step 2"):
        trace.check(["image.as_plane", "prompt.Prompt.check"])
    with pytest.raises(AttributeError):
        trace.check(["prompt.Prompt.chek"])
