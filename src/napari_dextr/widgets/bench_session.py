"""A long session in the viewer: what the last of many objects costs that the first one did not.

What keeping track of the objects costs by itself is measured without a viewer, in `napari_dextr.session_bench`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bench import peak_megabytes
from ..segmentation import Segmentation
from ..session_bench import ends, outermost, stamp
from .bench_scene import Scene

_GRID = 64  # pixels from one object to the next
_RADIUS = 20


def long_session(objects: int) -> tuple[list[float], list[float], float | None]:
    """Accept many objects of a model that needs no time; the widget saves each of them as it always does.

    Returns
    -------
    first, last : list of float
        Seconds from the key to the drawn label, at the beginning and at the end.
    growth : float or None
        By how much the process became larger at its peak for each object, kB.
    """
    across = int(np.ceil(np.sqrt(objects)))
    side = _GRID * (across + 1)
    scene = Scene(np.zeros((side, side), np.uint8), (side / 2, side / 2), lambda *_: Stamp())
    try:
        first, last = (set(part) for part in ends(range(objects)))
        seconds: dict[int, float] = {}
        small: tuple[int, float | None] = (0, None)
        for number in range(objects):
            points = outermost(_GRID * (number // across + 1), _GRID * (number % across + 1), _RADIUS)
            timed = number in first | last
            (scene.click if timed else scene.put)(points)
            scene.wait(lambda: scene.do.session.segmentation is not None)
            if timed:
                seconds[number] = _accept(scene)
            else:
                scene.do.accept()
            if number == max(first):  # what is needed only once is there by now
                small = number, peak_megabytes()
        large = peak_megabytes()
    finally:
        scene.close()
    growth = None
    if large is not None and small[1] is not None:
        growth = 1000 * (large - small[1]) / max(1, objects - 1 - small[0])
    return [seconds[number] for number in sorted(first)], [seconds[number] for number in sorted(last)], growth


def _accept(scene: Scene) -> float:
    scene.settle()
    before = len(scene.do.session.objects)
    return scene.until_drawn(scene.do.accept, lambda: len(scene.do.session.objects) > before)


class Stamp:
    """A model that answers at once, with a disc: what remains is what the viewer costs."""

    def __init__(self) -> None:
        from ..models.spec import ModelSpec

        self.spec = ModelSpec(name="stamp", architecture="none", marks=("extreme",))
        self.device = "cpu"

    def segment(self, image: Any, prompt: Any, **_: Any) -> Segmentation:
        """A disc in the bounds of the marks."""
        finest = image[0] if isinstance(image, list) else image
        return stamp(prompt, finest.shape[:2])
