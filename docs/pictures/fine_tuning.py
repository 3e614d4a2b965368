"""The pictures of the fine-tuning tutorial: a training from its start to its verdict, and the new model in use."""

from __future__ import annotations

from napari_dextr.napari_io.samples import SAMPLES

from .stage import Stage
from .tutorials import ends, go_to

WINDOW = (1200, 900)  # pixels: the verdict is taller than the other widgets
PLANE, NUCLEUS = 4, 97  # an image, and the label of a nucleus on it


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
