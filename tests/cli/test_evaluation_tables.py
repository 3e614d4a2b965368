"""Tables of an evaluation: every figure that is printed, from outcomes written down here."""

from __future__ import annotations

from rich.console import Console

from napari_dextr.baselines import BASELINES
from napari_dextr.cli._evaluation_tables import show
from napari_dextr.evaluation import Evaluation, Mean, Outcome, Result, Settings, Turned


def outcome(number, ious, f, ms, score, clicks=(), **baselines) -> Outcome:
    return Outcome(number, "one.png", "cell", 100, ious, f, ms / 1e3, score, clicks, baselines)


def printed(results, width=100, **facts) -> list[str]:
    screen = Console(width=width)
    with screen.capture() as capture:
        show(screen, Evaluation({"name": "fake"}, "pack/a.json", Settings(baselines=()), results, **facts))
    return capture.get().splitlines()


FULL = Result(
    "extreme",
    0.0,
    [
        outcome(1, (0.9, 0.95, 0.93), 1.0, 20, 0.8, (4, 4), box=0.6, ellipse=0.8),
        outcome(2, (0.7, 0.8, 0.9), 0.6, 40, 0.9, (6, None), box=0.5, ellipse=0.4),
    ],
)
BARE = Result("clicks", 0.02, [outcome(1, (0.5,), 0.2, 10, None), outcome(2, (0.7,), 0.4, 10, None)])


def row(lines: list[str], title: str, first: str) -> str:
    """Cells, with one space between them, of the row under a table's title that begins with a word."""
    start = next(number for number, line in enumerate(lines) if title in line)
    return " ".join(next(line for line in lines[start + 1 :] if line.strip().startswith(first)).split())


def test_every_figure():
    lines = printed([FULL, BARE], skipped=3, workers=2)
    text = "\n".join(lines)
    assert "fake: 2 objects on 1 images of pack/a.json" in text
    # One image only: the intervals have no width.
    assert row(lines, "First mask", "extreme") == "extreme 0.800 ±0.000 0.800 0.720 50.0 % 0.800 30 39"
    assert row(lines, "First mask", "clicks").startswith("clicks, 2 % 0.600 ")
    assert row(lines, "without a model", "marks") == "marks ellipse box removed"
    assert row(lines, "without a model", "extreme") == "extreme 0.600 0.550 50.0 %"
    assert row(lines, "Correcting clicks", "extreme") == "extreme 1 0.875 +0.075 ±0.000 +0.100 1 0 % 0 %"
    assert row(lines, "Correcting clicks", "2") == "2 0.915 +0.040 ±0.000 – 0 50 % 50 %"
    assert row(lines, "Number of clicks", "extreme") == "extreme 5.00 ±0.00 0.0 % 12.00 ±0.00 50.0 %"
    assert row(lines, "own estimate", "extreme") == "extreme 0.150 ±0.000 +0.050 0.150"
    assert "busy with 2 images at once" in text
    assert "3 objects have no pixels" in text


def test_tables_without_content_are_left_out():
    text = "\n".join(printed([BARE]))
    for word in ("without a model", "Correcting", "Number of clicks", "estimate", "turned", "busy", "left out"):
        assert word not in text


def test_turns():
    turned = Turned("half turn", Mean(-0.0012, -0.0022, 0.0002), Mean(0.987, 0.98, 0.99))
    lines = printed([FULL], turns=[turned])
    assert row(lines, "Flipped and turned images (extreme)", "half turn") == "half turn -0.0012 ±0.0012 0.987"


def test_the_widest_table_fits_into_a_terminal_of_80_columns():
    wide = dict.fromkeys(BASELINES, 0.5)
    results = [
        Result(
            "inside-outside",
            0.02,
            [outcome(number, (0.95, 0.8, 0.9), 1, 999, 0.8, (19, None), **wide) for number in (1, 2)],
        )
    ]
    lines = printed(results, 80)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    one_line_each = [line for line in lines if line.startswith("inside-outside, 2 %")]
    assert len(one_line_each) == 5
    assert row(lines, "without a model", "inside-outside") == "inside-outside, 2 %" + 6 * " 0.500" + " 90.0 %"
