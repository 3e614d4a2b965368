"""A picture of an evaluation: what the model does beside masks without a model, and where clicks help."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError
from ..files import atomic_write, check_target
from .results import Evaluation, Result
from .trial import MOST_CLICKS

_SUFFIXES = (".png", ".svg", ".pdf")
# After Okabe and Ito (2008): told apart by colour-blind readers too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES = ("-", "--", ":", "-.")
_WIDTH, _HEIGHT = 4.1, 3.4  # inches of one panel

Panel = Callable[[Any, list[Evaluation]], None]


def check_plot(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` where a picture could not be written: another format, no such folder."""
    file = Path(path)
    if file.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"'{file}' is no name for a picture; end it with one of {', '.join(_SUFFIXES)}.")
    check_target(file)


def write_plot(evaluations: list[Evaluation], path: str | os.PathLike[str]) -> None:
    """Draw one model's evaluations on one or more data sets, completely or not at all.

    Parameters
    ----------
    evaluations : list of Evaluation
        With the same settings.
    path : path-like
        Ends with .png, .svg or .pdf.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    check_plot(path)
    from matplotlib.figure import Figure

    panels = _panels(evaluations)
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        panel(axis, evaluations)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="0.9", linewidth=0.8)
        axis.set_axisbelow(True)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.legend(handles=_legend(evaluations), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.suptitle(f"Model: {evaluations[0].model['name']}", fontsize=9, color="0.35")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _panels(evaluations: list[Evaluation]) -> list[Panel]:
    """What there is to draw."""
    results = [result for evaluation in evaluations for result in evaluation.results]
    panels: list[Panel] = [_first_masks]
    if len({result.jitter for result in results}) > 1:
        panels.append(_jitters)
    if any(result.corrections for result in results):
        panels.append(_corrections)
    if any(result.noc for result in results):
        panels.append(_clicks)
    if any(result.calibration for result in results):
        panels.append(_scores)
    return panels


def _first_masks(axis: Any, evaluations: list[Evaluation]) -> None:
    """Mean IoU with its interval: each prompt at the first jitter, below them the baselines of the first prompt."""
    rows: list[tuple[str, bool]] = [(prompt, True) for prompt in evaluations[0].settings.prompts]
    for number, evaluation in enumerate(evaluations):
        upright = _at_first_jitter(evaluation)
        marked = next((result for result in upright if result.baselines), upright[0])
        entries = [((result.prompt, True), result.iou) for result in upright]
        entries += [((name, False), spread) for name, spread in marked.baselines.items()]
        rows += [row for row, _ in entries if row not in rows]
        shift = 0.5 * ((number + 0.5) / len(evaluations) - 0.5)
        for row, spread in entries:
            axis.errorbar(
                spread.mean,
                rows.index(row) + shift,
                xerr=[[max(0.0, spread.mean - spread.low)], [max(0.0, spread.high - spread.mean)]],
                fmt="o" if row[1] else "D",
                markersize=5 if row[1] else 4,
                markerfacecolor=_colour(number) if row[1] else "white",
                color=_colour(number),
                linewidth=1.2,
            )
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    for tick, (_, ours) in zip(axis.get_yticklabels(), rows, strict=True):
        tick.set_color("black" if ours else "0.45")
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel("mean IoU, 95 % interval")
    axis.set_title("First mask (hollow: without a model)", fontsize=10, loc="left")


def _jitters(axis: Any, evaluations: list[Evaluation]) -> None:
    """Mean IoU against the error of the marks."""
    for number, evaluation in enumerate(evaluations):
        for line, prompt in enumerate(evaluation.settings.prompts):
            if prompt == "clicks":  # they do not miss by a measure
                continue
            results = sorted(
                (result for result in evaluation.results if result.prompt == prompt), key=lambda each: each.jitter
            )
            at = [100 * result.jitter for result in results]
            axis.plot(at, [result.iou.mean for result in results], **_style(number, line), marker="o", markersize=3)
    axis.set_xlabel("error of the marks, % of the object's longer side")
    axis.set_ylabel("mean IoU")
    axis.set_title("Marks that miss", fontsize=10, loc="left")


def _corrections(axis: Any, evaluations: list[Evaluation]) -> None:
    """Mean IoU after each correcting click."""
    most = 0
    for number, evaluation in enumerate(evaluations):
        for line, prompt in enumerate(evaluation.settings.prompts):
            result = next((each for each in _at_first_jitter(evaluation) if each.prompt == prompt), None)
            if result is None or not result.corrections:
                continue
            means = [result.iou.mean, *(each.iou for each in result.corrections)]
            most = max(most, len(means) - 1)
            axis.plot(range(len(means)), means, **_style(number, line), marker="o", markersize=3)
    axis.set_xticks(range(most + 1))
    axis.set_xlabel("correcting clicks")
    axis.set_ylabel("mean IoU")
    axis.set_title("Corrections", fontsize=10, loc="left")


def _clicks(axis: Any, evaluations: list[Evaluation]) -> None:
    """Share of the objects that reached IoU 0.90 after so many clicks."""
    for number, evaluation in enumerate(evaluations):
        for line, prompt in enumerate(evaluation.settings.prompts):
            result = next((each for each in _at_first_jitter(evaluation) if each.prompt == prompt), None)
            if result is None or not result.noc:
                continue
            needed = np.array([np.inf if o.clicks[-1] is None else o.clicks[-1] for o in result.outcomes], float)
            at = np.arange(1, MOST_CLICKS + 1)
            axis.step(at, [100 * (needed <= count).mean() for count in at], where="post", **_style(number, line))
    axis.set_xlim(1, MOST_CLICKS)
    axis.set_ylim(0, 100)
    axis.set_xticks([1, 5, 10, 15, 20])
    axis.set_xlabel("clicks, those of the prompt included")
    axis.set_ylabel("% of objects at IoU 0.90")
    axis.set_title("Clicks to a very good mask", fontsize=10, loc="left")


def _scores(axis: Any, evaluations: list[Evaluation]) -> None:
    """True against predicted IoU of the first prompt; a dot's area is the number of objects."""
    axis.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for number, evaluation in enumerate(evaluations):
        calibration = evaluation.results[0].calibration
        if calibration is None:
            continue
        said, true = ([getattr(each, name) for each in calibration.bins] for name in ("score", "iou"))
        axis.plot(said, true, color=_colour(number), linewidth=1)
        sizes = [8 + 90 * each.objects / evaluation.objects for each in calibration.bins]
        axis.scatter(said, true, s=sizes, color=_colour(number), alpha=0.8, linewidth=0)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_xlabel("IoU that the model expects")
    axis.set_ylabel("IoU that it reaches")
    axis.set_title(f"Does it know? ({evaluations[0].results[0].prompt})", fontsize=10, loc="left")


def _at_first_jitter(evaluation: Evaluation) -> list[Result]:
    return [result for result in evaluation.results if result.jitter == evaluation.settings.jitters[0]]


def _name(evaluation: Evaluation) -> str:
    """Name of a data set: its folder, unless the file's own name says more."""
    folder, _, file = evaluation.dataset.rpartition("/")
    return folder if folder and Path(file).stem == "annotations" else Path(file).stem


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _line(number: int) -> Any:
    return _LINES[number % len(_LINES)]


def _style(number: int, line: int) -> dict[str, Any]:
    return {"color": _colour(number), "linestyle": _line(line), "linewidth": 1.4}


def _legend(evaluations: list[Evaluation]) -> list[Any]:
    """Colours are data sets, lines are prompts, in every panel."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_colour(number), marker="o", linestyle="", label=f"{_name(each)}, {each.objects} objects")
        for number, each in enumerate(evaluations)
    ]
    prompts = evaluations[0].settings.prompts
    if len(prompts) > 1:
        handles += [Line2D([], [], color="0.3", linestyle=_line(i), label=name) for i, name in enumerate(prompts)]
    return handles
