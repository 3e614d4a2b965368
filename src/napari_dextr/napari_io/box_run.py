"""Masks for the boxes of a layer, found in a background thread: nothing here touches a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from .box_tasks import BoxSource, BoxTask
from .label_scan import highest_of
from .planes import Plane, read_plane, shown_limits

if TYPE_CHECKING:
    from napari.layers import Image

_CHUNK = 8  # objects that the model is asked for at once


@dataclass(frozen=True, eq=False)
class ImagePixels:
    """The pixels of an image layer, as `read_plane` takes them, and the contrast limits they are shown with."""

    data: Any
    multiscale: bool
    limits: tuple[float, float] | None


def take_pixels(image: Image) -> ImagePixels:
    """Take the pixels of an image layer as they are now."""
    data: Any = image.data
    return ImagePixels(list(data) if image.multiscale else data, bool(image.multiscale), shown_limits(image))


def find_masks(
    boxes: BoxSource,
    pixels: ImagePixels,
    labels: Any,
    load: Callable[[Callable[[int, int], object]], Any],
    tell: Callable[[tuple[str, Any]], object],
) -> bool:
    """Make prompts, find free labels, load the model, ask it for every object.

    Parameters
    ----------
    boxes : BoxSource
    pixels : ImagePixels
    labels : array-like
        Of the layer that will take the objects.
    load : callable
        Makes the segmenter; called with a function that takes (bytes arrived, in all) of a download.
    tell : callable
        Called with ``("preparing", objects)``, ``("boxes", (tasks, problems))``, ``("scanning", share)``,
        ``("loading", (arrived, total))``, ``("ready", (highest label, hash of the model, tasks))`` and then, again and
        again, ``("found", [(task, answer), …])``. May raise to stop.

    Raises
    ------
    ImageError
        If no object can be used.
    """
    tasks, problems = boxes.tasks(lambda done: tell(("preparing", done)))
    if not tasks:
        raise ImageError(f"'{boxes.name}' holds no box that can be used. {problems[0]}")
    tell(("boxes", (tasks, problems)))

    def going(share: float) -> bool:
        tell(("scanning", share))
        return True

    highest = highest_of(labels, going)
    segmenter = load(lambda arrived, total: tell(("loading", (arrived, total))))
    tell(("ready", (highest, getattr(segmenter, "model_hash", None), tasks)))
    planes: dict[Plane, list[BoxTask]] = {}
    for task in tasks:
        planes.setdefault(task.plane, []).append(task)
    layer: Any = pixels
    for plane, found in planes.items():
        view = read_plane(layer, plane)
        # Small boxes first: a large one around them then takes nothing away from the objects in it.
        found.sort(key=_extent)
        for start in range(0, len(found), _CHUNK):
            chunk = found[start : start + _CHUNK]
            answers = segmenter.segment_many(view, [task.prompt for task in chunk], limits=pixels.limits)
            for answer in answers:
                _ = getattr(answer, "mask", None)  # thresholded here, in the background
            tell(("found", list(zip(chunk, answers, strict=True))))
    return True


def _extent(task: BoxTask) -> float:
    bounds = task.prompt.bounds
    return 0.0 if bounds is None else (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
