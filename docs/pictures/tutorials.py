"""The pictures of the tutorials: each does what its page says, in the same order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt

from napari_dextr.napari_io.samples import SAMPLES
from napari_dextr.simulation import Simulator

from .stage import PLUGIN, SHIFT, Stage
from .tour import mark_saucer, points_of

PLANE, SIDE = 11, 127  # of the stack: from above, and from the side
NUCLEI = (3, 8, 9)  # labels on the first image of nuclei
BRIGHTEST = 500  # counts: the upper contrast limit that shows dim nuclei


def photo() -> None:
    """``photo.png``: the spoon and the saucer, each in the colour of its class."""
    stage = Stage("coffee")
    widget = stage.dock("Annotate")
    stage.outline(widget, points_of("coffee", "spoon"))
    stage.accept(widget)
    mark_saucer(stage, widget)
    stage.accept(widget)
    for name, place in (("spoon", (300.0, 350.0)), ("saucer", (330.0, 150.0))):
        widget.classes.added.emit(name)  # what "Edit > Add a class" does with the name that is typed
        stage.move(*place)
        stage.key(Qt.Key.Key_K, SHIFT)
    stage.press(widget.by_class)
    stage.save("photo.png")
    stage.close()


def stack() -> None:
    """``stack.png``: two nuclei accepted on a plane, a third previewed; ``stack_side.png``: from the side."""
    stage = Stage("stack")
    widget = stage.dock("Annotate")
    layer = stage.viewer.layers["Stack"]
    spacing = np.asarray(layer.scale)[1:]
    go_to(stage, PLANE)
    stage.outline(widget, ends(bright(layer.data[PLANE])[0]) * spacing)
    stage.accept(widget)
    go_to(stage, PLANE + 1)
    nuclei = bright(layer.data[PLANE + 1])
    for mask in nuclei[:2]:
        stage.outline(widget, ends(mask) * spacing)
        stage.accept(widget)
    stage.outline(widget, ends(nuclei[2]) * spacing)
    stage.save("stack.png")
    stage.accept(widget)
    stage.viewer.dims.roll()  # what the button "Change order of visible axes" does
    stage.viewer.reset_view()
    go_to(stage, SIDE, axis=2)
    stage.outline(widget, ends(bright(layer.data[:, :, SIDE])[0]) * layer.scale[:2])
    stage.save("stack_side.png")
    stage.close()


def fluorescence() -> None:
    """``fluorescence.png``: the preview of a dim nucleus, with contrast limits that show it."""
    stage = Stage("fluorescence")
    widget = stage.dock("Annotate")
    image = stage.viewer.layers["Fluorescence"]
    image.contrast_limits = (image.contrast_limits[0], BRIGHTEST)
    labels = SAMPLES["nuclei_labels"]()[1][0][-1]
    dim = _dim(np.asarray(image.data), labels)
    stage.outline(widget, ends(labels == dim[0]))
    stage.accept(widget)
    stage.outline(widget, ends(labels == dim[1]))
    stage.save("fluorescence.png")
    stage.close()


def coco() -> None:
    """``coco_export.png``: three nuclei written; ``coco_opened.png``: the file opened in an empty viewer."""
    path = Path.home() / "nuclei.json"
    stage = Stage("nuclei")
    widget = stage.dock("Annotate")
    go_to(stage, 0)
    labels = SAMPLES["nuclei_labels"]()[1][0][0]
    widget.classes.added.emit("nucleus")
    for number in NUCLEI:
        stage.outline(widget, ends(labels == number))
        stage.accept(widget)
    export = stage.dock("Export COCO", tabify=True)
    export.form.file.setText("~/nuclei.json")
    stage.press(export.form.empty)
    stage.wait(lambda: export.button.isEnabled() and "3 objects" in export.preview.text())
    stage.press(export.button)
    stage.wait(lambda: path.exists() and not export.job.busy)
    stage.save("coco_export.png")
    stage.close()
    stage = Stage(None)
    stage.viewer.open(str(path), plugin=PLUGIN)
    widget = stage.dock("Annotate")
    go_to(stage, 0)
    widget.targets.setCurrentText("DEXTR labels")
    stage.save("coco_opened.png")
    stage.close()


def ends(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Extreme points ``(4, 2)`` that a careful hand would click."""
    return np.asarray(Simulator().extreme(mask).extreme_points)


def go_to(stage: Stage, plane: int, axis: int = 0) -> None:
    """Move the slider of an axis."""
    stage.viewer.dims.set_current_step(axis, plane)
    stage.wait(lambda: True)


def bright(plane: Any) -> list[npt.NDArray[np.bool_]]:
    """Masks of what shines on a plane, the brightest first."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(np.asarray(plane, np.float32), 1.5)
    parts, count = ndimage.label(smooth > smooth.min() + 0.4 * np.ptp(smooth))
    order = np.argsort([-smooth[parts == number].max() for number in range(1, count + 1)])
    return [parts == 1 + number for number in order]


def inside(labels: npt.NDArray[Any]) -> list[int]:
    """Labels of the objects that do not touch the border."""
    border = {*labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]}
    return [int(number) for number in np.unique(labels) if number and number not in border]


def _dim(image: npt.NDArray[Any], labels: npt.NDArray[Any]) -> list[int]:
    """Labels of the nuclei inside the image, the dimmest first."""
    return sorted(inside(labels), key=lambda number: float(image[labels == number].mean()))
