"""A real viewer: layers that go away while the model is at work, and a session of a thousand objects."""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections import Counter
from typing import Any

import numpy as np

from .harness import Finding, Result, Wrong

SIDE = 160
POINTS = [(30.0, 80.0), (80.0, 30.0), (130.0, 82.0), (78.0, 130.0)]
VICTIMS = ("image", "clicks", "target", "all but the image", "everything", "image turned over", "shape")


def layers_go(cases: int, number: int) -> Result:
    """Four clicks, then a layer goes away before, while or after the model answers; then an object must succeed."""
    from napari.qt import get_qapp

    from napari_dextr.widgets.bench_scene import Scene

    result = Result("layers removed", "layers deleted in a real viewer while the embedded model is at work")
    application = get_qapp()
    caught: list[BaseException] = []
    hooks = sys.excepthook, threading.excepthook
    sys.excepthook = lambda kind, error, trace: caught.append(error)
    threading.excepthook = lambda told: caught.append(told.exc_value or told.exc_type())
    counts: Counter[str] = Counter()
    started = time.process_time()
    scene = Scene(_photo(0), (SIDE / 2, SIDE / 2), _load)
    # napari 0.9 without any plugin dies in Mesa's software OpenGL when it draws after layers have gone
    scene.canvas.hide()
    result.notes.append("The canvas is hidden meanwhile: napari alone dies in software OpenGL when layers go.")
    try:
        for index in range(cases):
            chance = random.Random(f"{number} {index}")
            victim = chance.choice(VICTIMS)
            result.cases += 1
            try:
                _one(scene, victim, chance, index)
                if caught:
                    raise caught.pop()
                counts[f"{victim}: goes on"] += 1
            except Exception as error:
                caught.clear()
                counts["finding"] += 1
                result.findings.append(
                    Finding(f"{type(error).__name__}: {error}"[:600], "viewer", f"{victim}, {number} {index}", "")
                )
                break  # who knows in which state the viewer is
    finally:
        sys.excepthook, threading.excepthook = hooks
        scene.close()
    del application
    result.outcomes = dict(counts.most_common())
    result.seconds = time.process_time() - started
    return result


def _load(*_: Any) -> Any:
    from .images import model

    return model()


def _photo(number: int) -> Any:
    rng = np.random.default_rng(number)
    photo = rng.integers(0, 60, (SIDE, SIDE)).astype(np.uint8)
    rows, cols = np.ogrid[:SIDE, :SIDE]
    photo[(rows - 80) ** 2 + (cols - 80) ** 2 < 50**2] += 120
    return photo


def _one(scene: Any, victim: str, chance: random.Random, index: int) -> None:
    do, viewer = scene.do, scene.viewer
    if chance.random() < 0.7:  # else the layer goes while there are marks of an object that is not finished
        scene.click(POINTS)
    else:
        scene.click(POINTS[:3])
    _pause(scene, chance.random() * 0.15)
    target = do.target.layer
    clicks = None if do.bench.clicks is None else do.bench.clicks.layer
    if victim == "image":
        _remove(scene, [scene.image])
    elif victim == "clicks" and clicks is not None:
        _remove(scene, [clicks])
    elif victim == "target" and target is not None:
        _remove(scene, [target])
    elif victim == "all but the image":
        _remove(scene, [layer for layer in viewer.layers if layer is not scene.image])
    elif victim == "everything":
        _remove(scene, list(viewer.layers))
    elif victim == "image turned over":
        scene.image.data = scene.image.data[::-1]
    elif victim == "shape":
        scene.image.data = _photo(1)[:100, :120]
    _pause(scene, 0.1)
    scene.wait(lambda: not do.session.busy)
    problem = do.notices.problem
    if problem is not None and "unexpectedly" in problem:
        raise Wrong(problem)
    if victim in ("image", "everything", "shape"):
        _remove(scene, list(viewer.layers))
        scene.image = viewer.add_image(_photo(index), contrast_limits=(0, 255))
    do.set_image(scene.image)
    do.discard()
    do.arm()
    scene.wait(lambda: do.bench.clicks is not None and not do.target.scanning)
    before = len(do.session.objects)
    scene.click(POINTS)
    scene.wait(lambda: do.session.segmentation is not None)
    do.accept()
    scene.wait(lambda: len(do.session.objects) == before + 1)
    label = max(do.session.objects)
    layer = do.target.layer
    if layer is None or not (np.asarray(layer.data) == label).any():
        raise Wrong(f"after '{victim}' an accepted object has no pixels")


def _remove(scene: Any, layers: list[Any]) -> None:
    """Remove layers, if they are still there."""
    for layer in layers:
        if layer in scene.viewer.layers:
            scene.viewer.layers.remove(layer)


def _pause(scene: Any, seconds: float) -> None:
    until = time.perf_counter() + seconds
    scene.wait(lambda: time.perf_counter() > until)


def soak(objects: int) -> Result:
    """A long session in a real viewer: what the last objects cost that the first did not."""
    from napari.qt import get_qapp

    from napari_dextr.widgets.bench_session import long_session

    result = Result("long session", "objects accepted, one after the other, in a real viewer")
    application = get_qapp()
    started = time.process_time()
    first, last, growth = long_session(objects)
    del application
    result.cases = objects
    result.outcomes = {"accepted": objects}
    result.seconds = time.process_time() - started
    early, late = (1000 * statistics.median(part) for part in (first, last))
    grown = "" if growth is None else f"; the viewer grows by {growth:.0f} kB an object"
    result.notes.append(
        f"From the key to the drawn label: {early:.0f} ms for the first objects, {late:.0f} ms for the last of "
        f"{objects}{grown}. What the session and its journal keep of an object is measured by "
        "`napari-dextr bench --viewer`."
    )
    if late > 3 * early + 20:
        result.findings.append(
            Finding(f"objects become slower: {early:.0f} ms, then {late:.0f} ms", "viewer", str(objects), "")
        )
    return result
