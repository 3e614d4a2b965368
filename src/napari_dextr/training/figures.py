"""Pictures of a training: its curves, and examples of what the network says beside the truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .validation import Example

_BLUE, _ORANGE, _GREEN, _PINK = "#0072b2", "#e69f00", "#009e73", "#cc79a7"  # Okabe and Ito: apart for all eyes
_GROUPS = (_ORANGE, _GREEN, _PINK, "#56b4e9", "#d55e00", "#f0e442")
_SMOOTH = 60  # points of a curve that is drawn through noisy ones


def draw_curves(metrics: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Draw loss, validation IoU and learning rate of a run's record (`napari_dextr.training.run_folder`) as a PNG.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    figure = _figure(7.0, 7.5)
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.4))
    steps = [entry for entry in metrics if "loss" in entry]
    x = np.array([entry["step"] for entry in steps])
    _noisy(above, x, np.array([entry["loss"] for entry in steps]), _BLUE, "loss")
    _noisy(middle, x, np.array([entry["train_iou"] for entry in steps]), _BLUE, "training batches")
    validated = [entry for entry in metrics if entry.get("validation")]
    names = sorted({name for entry in validated for name in entry["validation"]})
    for index, name in enumerate(names):
        points = [(entry["step"], entry["validation"][name]) for entry in validated if name in entry["validation"]]
        middle.plot(
            *zip(*points, strict=True), "o-", ms=3, color=_GROUPS[index % len(_GROUPS)], label=f"validation: {name}"
        )
    below.plot(x, [entry["learning_rate"] for entry in steps], color=_BLUE)
    for axes, title in ((above, "loss"), (middle, "mean IoU"), (below, "learning rate")):
        axes.set_ylabel(title)
        axes.grid(alpha=0.25)
    above.set_ylim(bottom=0)
    below.set_ylim(bottom=0)
    if steps or validated:
        middle.legend(loc="lower right", fontsize=8, framealpha=0.9)
    below.set_xlabel("step")
    _write(figure, path)


def draw_examples(examples: Sequence[Example], title: str, path: str | os.PathLike[str]) -> None:
    """Draw crops with the outlines of truth and prediction as a PNG.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    columns = min(3, max(1, len(examples)))
    rows = max(1, -(-len(examples) // columns))
    figure = _figure(3.0 * columns, 3.25 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, example in zip(grid.flat, examples, strict=False):
        axes.imshow(example.image, interpolation="nearest")
        for mask, colour in ((example.truth, _GREEN), (example.mask, _ORANGE)):
            _outline(axes, mask, "black", 2.6)  # the line stands out on bright ground as well
            _outline(axes, mask, colour, 1.5)
        axes.set_title(f"{example.name}: IoU {example.iou:.2f}", fontsize=9)
    figure.suptitle(title, fontsize=10)
    handles = [_line(_GREEN, "annotated"), _line(_ORANGE, "predicted")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    _write(figure, path)


def _figure(width: float, height: float) -> Figure:
    # no pyplot: it keeps figures and asks for a screen
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _noisy(axes: Axes, x: npt.NDArray[Any], y: npt.NDArray[Any], colour: str, label: str) -> None:
    """Noisy points, pale, and their running mean."""
    if not len(x):
        return
    axes.plot(x, y, color=colour, alpha=0.25, lw=0.7)
    width = max(1, len(x) // _SMOOTH)
    whole = len(x) // width * width
    means = (values[:whole].reshape(-1, width).mean(axis=1) for values in (x.astype(float), y))
    axes.plot(*means, color=colour, lw=1.6, label=label)


def _outline(axes: Axes, mask: npt.NDArray[np.bool_], colour: str, width: float) -> None:
    if mask.any() and not mask.all():  # else there is no outline to draw
        axes.contour(mask.astype(float), levels=[0.5], colors=[colour], linewidths=width)


def _line(colour: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=label)


def _write(figure: Figure, path: str | os.PathLike[str]) -> None:
    with atomic_write(path) as part:
        figure.savefig(part, format="png")
