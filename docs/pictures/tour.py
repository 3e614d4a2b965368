"""The README's film, and the pictures of the Annotate page."""

from __future__ import annotations

from typing import Any

from napari_dextr.demo import PHOTOS

from .stage import IMAGES, SHIFT, Point, Stage

# (row, col) on the sample *Stained tissue*: two glands, and the hollow of the first
GLAND = ((0, 340), (112, 273), (296, 415), (164, 461))
HOLLOW = ((118, 338),)
SECOND = ((301, 287), (361, 253), (509, 352), (412, 384))

INSIDE, CUP, SHADOW = (330.0, 330.0), (236.0, 252.0), (364.0, 138.0)  # on the coffee's saucer, and beside it


def film() -> None:
    """``tour.gif``: four clicks, a mask, a correction, Enter, and the next object."""
    stage = Stage("tissue", (920, 620))
    widget = stage.dock("Annotate")
    stage.hide_panels()
    stage.viewer.reset_view()
    stage.cursor = stage.place(200, 180)
    with stage.filming() as taken:
        taken.caption = "Click the four outermost points"
        stage.outline(widget, GLAND)
        taken.caption = "The mask, as a preview"
        stage.hold(1300)
        taken.caption = "Shift+click: this is not part of it"
        for point in HOLLOW:
            stage.click(*point, SHIFT)
            stage.see(widget)
        stage.hold(1300)
        taken.caption = "Enter: it is in the Labels layer"
        stage.accept(widget)
        stage.hold(1300)
        taken.caption = "Next object"
        stage.outline(widget, SECOND)
        stage.hold(900)
        taken.caption = "Enter"
        stage.accept(widget)
        stage.hold(1500)
        taken.save(IMAGES / "tour.gif")
    stage.close()


def annotate() -> None:
    """``annotate.png``: two objects accepted, and the preview of a third with its points."""
    stage = Stage("astronaut")
    widget = stage.dock("Annotate")
    for name in ("helmet", "mission patch"):
        stage.outline(widget, points_of("astronaut", name))
        stage.accept(widget)
    stage.outline(widget, points_of("astronaut", "space shuttle"))
    stage.save("annotate.png")
    stage.close()


def corrections() -> None:
    """``corrections.png``: a preview that three further clicks have corrected."""
    stage = Stage("coffee")
    widget = stage.dock("Annotate")
    mark_saucer(stage, widget)
    stage.save("corrections.png")
    stage.close()


def mark_saucer(stage: Stage, widget: Any) -> None:
    """Click the coffee's saucer, and correct its preview three times."""
    stage.outline(widget, points_of("coffee", "saucer"))
    stage.click(*INSIDE)
    stage.see(widget)
    for place in (CUP, SHADOW):
        stage.click(*place, SHIFT)
        stage.see(widget)


def points_of(photo: str, name: str) -> tuple[Point, ...]:
    """Extreme points of an object of the demo."""
    return next(item.points for other in PHOTOS if other.name == photo for item in other.objects if item.name == name)
