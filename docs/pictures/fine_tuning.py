"""The pictures of the fine-tuning tutorial: a training from its start to its verdict, and the new model in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_dextr.metrics import iou
from napari_dextr.napari_io.samples import SAMPLES
from napari_dextr.simulation import Simulator

from .stage import SHIFT, Stage
from .tutorials import ends, go_to, inside

WINDOW = (1200, 900)  # pixels: the verdict is taller than the other widgets
PLANE, NUCLEUS = 4, 97  # an image, and the label of a nucleus on it
OWN_PLANES, OWN_EACH = (0, 1), 5  # images annotated by hand, and nuclei on each
GOOD, CORRECTIONS = 0.93, 3  # IoU that a careful annotator leaves alone, and clicks that he spends on a nucleus


def fine_tuning() -> None:
    """``fine_tune_start.png``, ``fine_tune_runs.png``, ``fine_tune_verdict.png`` and ``fine_tune_used.png``."""
    stage = Stage("nuclei_dark", WINDOW)
    go_to(stage, 0)
    widget = stage.dock("Fine-tune")
    stage.wait(widget.start.isEnabled)
    widget.form.name.setText("dark nuclei")
    stage.save("fine_tune_start.png")
    stage.press(widget.start)
    halfway: list[bool] = []
    widget.job.updated.connect(lambda updates: halfway.append(updates[-1].step * 2 > updates[-1].steps))
    stage.wait(lambda: any(halfway) or not widget.job.busy, patience=1800)
    stage.save("fine_tune_runs.png")
    stage.wait(lambda: not widget.job.busy, patience=1800)
    stage.save("fine_tune_verdict.png")
    stage.viewer.layers["Nuclei labels"].visible = False
    stage.press(widget.result.use)
    annotate = stage.dock("Annotate", tabify=True)
    go_to(stage, PLANE)
    stage.outline(annotate, ends(SAMPLES["nuclei_labels"]()[1][0][PLANE] == NUCLEUS))
    stage.save("fine_tune_used.png")
    stage.close()


def own_objects() -> None:
    """``fine_tune_ten.png`` and ``fine_tune_next.png``: ten nuclei annotated by hand, learned from, and the next one.

    Nothing is given but the images: every label is drawn with clicks and corrected, as the tutorial's last part says.
    """
    stage = Stage("nuclei_dark", WINDOW)
    stage.viewer.layers.remove("Nuclei labels")
    annotate = stage.dock("Annotate")
    truth = SAMPLES["nuclei_labels"]()[1][0]
    for plane in OWN_PLANES:
        go_to(stage, plane)
        for label in _large(truth[plane])[:OWN_EACH]:
            _annotate(stage, annotate, truth[plane] == label)
    widget = stage.dock("Fine-tune", tabify=True)
    stage.wait(widget.start.isEnabled)
    widget.form.name.setText("my nuclei")
    stage.save("fine_tune_ten.png")
    stage.press(widget.start)
    stage.wait(lambda: not widget.job.busy, patience=1800)
    stage.press(widget.result.use)
    stage.dock("Annotate", tabify=True)
    go_to(stage, PLANE)
    stage.outline(annotate, ends(truth[PLANE] == NUCLEUS))
    stage.save("fine_tune_next.png")
    stage.close()


def _annotate(stage: Stage, annotate: Any, truth: npt.NDArray[np.bool_]) -> None:
    """Four clicks, corrections until the mask is good, and Enter."""
    stage.outline(annotate, ends(truth))
    simulator = Simulator(0)
    for _ in range(CORRECTIONS):
        mask = annotate.controller.session.segmentation.full_mask()
        correction = simulator.correction(truth, mask)
        if correction is None or iou(mask, truth) >= GOOD:
            break
        kind, point = correction
        if kind == "outside":
            stage.click(*point, SHIFT)
        else:
            stage.click(*point)
        stage.see(annotate)
    stage.accept(annotate)


def _large(labels: npt.NDArray[Any]) -> list[int]:
    """Labels of the nuclei that do not touch the border, the largest first."""
    return sorted(inside(labels), key=lambda number: -int(np.count_nonzero(labels == number)))
