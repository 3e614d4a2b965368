"""Tables of an evaluation, for people who annotate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._app import percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ..evaluation import Evaluation, Mean, Result, Spread

_NONE = "–"
_NAMED = 5  # images that could not be used
# Headings of two lines: all tables fit into a terminal of 80 columns.
_HEADINGS = {"quadrilateral": "quadri-\nlateral", "tilted ellipse": "tilted\nellipse"}


def show(screen: Console, evaluation: Evaluation) -> None:
    """Print the tables of one data set; those without content are left out."""
    from rich.markup import escape

    many = f"{evaluation.objects} objects on {evaluation.images} images of {evaluation.dataset}"
    screen.print(f"\n[bold]{escape(str(evaluation.model['name']))}[/bold]: {escape(many)}", soft_wrap=True)
    tables = (_first_masks, _baselines, _corrections, _counts, _scores, _turns)
    for table in filter(None, (make(evaluation) for make in tables)):
        title, table.title = table.title, None  # a title of the table's own is broken to the width of its columns
        screen.print(f"\n[bold]{title}[/bold]", soft_wrap=True)
        screen.print(table)
    for line in _remarks(evaluation):
        screen.print(line, soft_wrap=True)


def _first_masks(evaluation: Evaluation) -> Table:
    headings = ("mean IoU,\n95 %", "median", "10th\nperc.", "at least\n0.85", "boundary\nF", "ms", "ms,\n95 %")
    table = _table("First mask", *headings)
    for result in evaluation.results:
        spread, (median, p95) = result.iou, result.latency_ms
        table.add_row(
            _condition(result),
            _within(spread),
            f"{spread.median:.3f}",
            f"{spread.p10:.3f}",
            percent(spread.good),
            f"{result.boundary_f.mean:.3f}",
            f"{median:.0f}",
            f"{p95:.0f}",
        )
    return table


def _baselines(evaluation: Evaluation) -> Table | None:
    results = [result for result in evaluation.results if result.baselines]
    if not results:
        return None
    names = list(results[0].baselines)  # best first under the first prompt
    title = "Mean IoU of masks without a model; error that the model removes from the best"
    table = _table(title, *(_HEADINGS.get(name, name) for name in names), "removed")
    for result in results:
        means = (f"{result.baselines[name].mean:.3f}" for name in names)
        table.add_row(_condition(result), *means, percent(result.error_reduction))
    return table


def _corrections(evaluation: Evaluation) -> Table | None:
    results = [result for result in evaluation.results if result.corrections]
    if not results:
        return None
    headings = ("click", "mean\nIoU", "gain,\n95 %", "gain\n< 0.8", "such\nobjects", "lowers\nIoU", "by >\n0.01")
    table = _table("Correcting clicks: gain, also below 0.8, and how often one lowers the IoU", *headings)
    for result in results:
        for each in result.corrections:
            table.add_row(
                _condition(result) if each.click == 1 else "",
                str(each.click),
                f"{each.iou:.3f}",
                _within(each.gain, sign="+"),
                _NONE if each.poor_gain is None else f"{each.poor_gain.mean:+.3f}",
                str(each.poor),
                f"{100 * each.lowered:.0f} %",
                f"{100 * each.clearly_lowered:.0f} %",
            )
    return table


def _counts(evaluation: Evaluation) -> Table | None:
    results = [result for result in evaluation.results if result.noc]
    if not results:
        return None
    headings = [text for each in results[0].noc for text in (f"to {each.target:.2f},\n95 %", "not in\n20")]
    table = _table("Number of clicks, those of the prompt included", *headings)
    for result in results:
        cells = [text for each in result.noc for text in (_within(each.mean, 2), percent(each.failed))]
        table.add_row(_condition(result), *cells)
    return table


def _scores(evaluation: Evaluation) -> Table | None:
    results = [(result, result.calibration) for result in evaluation.results]
    if not any(calibration for _, calibration in results):
        return None
    headings = ("off by,\n95 %", "too high\nby", "expected\ncalibration error")
    table = _table("The model's own estimate of the IoU", *headings)
    for result, found in results:
        if found is not None:
            table.add_row(_condition(result), _within(found.error), f"{found.bias:+.3f}", f"{found.expected_error:.3f}")
    return table


def _turns(evaluation: Evaluation) -> Table | None:
    if not evaluation.turns:
        return None
    title = f"Flipped and turned images ({evaluation.results[0].prompt})"
    table = _table(title, "change of mean IoU,\n95 %", "IoU of the\ntwo masks", first="turn")
    for turned in evaluation.turns:
        table.add_row(turned.name, _within(turned.change, 4, "+"), f"{turned.agreement.mean:.3f}")
    return table


def _remarks(evaluation: Evaluation) -> list[str]:
    from rich.markup import escape

    lines = []
    if evaluation.workers > 1:
        lines.append(f"The times are those of a machine busy with {evaluation.workers} images at once.")
    if evaluation.skipped:
        image = ", or lie on an image that could not be used" if evaluation.problems else ""
        lines.append(f"{evaluation.skipped} objects have no pixels or could not be marked{image}, and are left out.")
    lines += [escape(problem) for problem in evaluation.problems[:_NAMED]]
    if (more := len(evaluation.problems) - _NAMED) > 0:
        lines.append(f"… and {more} more images.")
    return lines


def _table(title: str, *headings: str, first: str = "marks") -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD)
    table.show_edge, table.pad_edge, table.padding = False, False, (0, 1, 0, 0)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, overflow="fold")
    return table


def _condition(result: Result) -> str:
    return f"{result.prompt}, {100 * result.jitter:g} %" if result.jitter else result.prompt


def _within(mean: Mean | Spread, places: int = 3, sign: str = "") -> str:
    """A mean and half the width of its interval; the JSON holds both ends."""
    return f"{mean.mean:{sign}.{places}f} ±{(mean.high - mean.low) / 2:.{places}f}"
