"""Masks without learning, from the same marks: what a model has to beat.

Every baseline is a function ``(image, prompt, shape) -> (H, W) bool``. The geometric ones do not look at the image,
which may be None. They take any prompt with a box (extreme or boundary points, or a box); where the prompt has no
points on the outline, the middles of the box's sides stand for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DextrError, PromptError
from .image import as_plane
from .prompt import Bounds, Points, Prompt

Mask = npt.NDArray[np.bool_]
Baseline = Callable[[Any, Prompt, tuple[int, int]], Mask]

_QUARTER = 4 / 3 * (math.sqrt(2) - 1)  # handle length at which a cubic Bézier curve follows a quarter ellipse
_STEPS = 24  # vertices on each quarter of the Hermite curve
_GRABCUT_SIDE = 256  # pixels; larger crops are cut at this size
_GRABCUT_CORE = 0.4  # share of the curve's greatest depth from which pixels are object for sure
_GRABCUT_ROUNDS = 2


def box(image: Any, prompt: Prompt, shape: tuple[int, int]) -> Mask:
    """The whole box of the marks."""
    top, left, bottom, right = _bounds(prompt)
    rows, cols = _axes(shape)
    return _as_mask((rows >= top - 0.5) & (rows <= bottom + 0.5) & (cols >= left - 0.5) & (cols <= right + 0.5))


def ellipse(image: Any, prompt: Prompt, shape: tuple[int, int]) -> Mask:
    """The ellipse that fills the box of the marks."""
    return _ellipse(prompt, shape, 0.0)


def tilted_ellipse(image: Any, prompt: Prompt, shape: tuple[int, int]) -> Mask:
    """The ellipse that touches the box of the marks where the extreme points lie (least squares).

    In units of the half sides, an ellipse in its box is u² - 2 ρ u v + v² = 1 - ρ²: it touches the top at v = -ρ,
    the bottom at v = ρ, and the left and right side likewise. ρ is the mean over the four points.
    """
    top, left, bottom, right = _bounds(prompt)
    extremes = _four_extremes(prompt)
    centre = np.array([(top + bottom) / 2, (left + right) / 2])
    half = np.array([(bottom - top) / 2 + 0.5, (right - left) / 2 + 0.5])
    unit = (extremes - centre) / half
    rho = float(np.mean([-unit[0, 1], -unit[1, 0], unit[2, 1], unit[3, 0]]))
    return _ellipse(prompt, shape, float(np.clip(rho, -0.95, 0.95)))


def quadrilateral(image: Any, prompt: Prompt, shape: tuple[int, int]) -> Mask:
    """Straight lines through all points on the outline, in the order of their angle around the middle."""
    points = prompt.outline_points
    points = points if len(points) >= 3 else _four_extremes(prompt)
    middle = points.mean(axis=0)
    order = np.argsort(np.arctan2(points[:, 0] - middle[0], points[:, 1] - middle[1]))
    return _fill(points[order], shape)


def hermite(image: Any, prompt: Prompt, shape: tuple[int, int]) -> Mask:
    """A smooth curve through the extreme points: level at the top and bottom, upright at the left and right.

    Cubic Hermite pieces whose tangents have the length that makes a quarter ellipse of them.
    """
    top, left, bottom, right = _four_extremes(prompt)
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    pieces = []
    for number, (start, stop) in enumerate(((top, right), (right, bottom), (bottom, left), (left, top))):
        along, across = (1, 0) if number % 2 == 0 else (0, 1)  # leaves the top and bottom sideways
        first, second = start.copy(), stop.copy()
        first[along] += _QUARTER * (stop - start)[along]
        second[across] -= _QUARTER * (stop - start)[across]
        pieces.append(weights @ np.stack([start, first, second, stop]))
    return _fill(np.concatenate(pieces), shape)


def grabcut(image: Any, prompt: Prompt, shape: tuple[int, int]) -> Mask:
    """GrabCut (Rother et al., SIGGRAPH 2004) inside the box, started from the Hermite curve; needs OpenCV.

    The deep core of the curve is fixed as object: without it the cut shrinks to the brightest spot of small objects
    (mean IoU on everyday photographs 0.43 instead of 0.75).

    Raises
    ------
    DextrError
        When OpenCV is not installed or there is no image.
    """
    if image is None or not has_grabcut():
        raise DextrError(
            "GrabCut needs the image and the package opencv-python-headless; install it or leave GrabCut out."
        )
    import cv2

    plane = as_plane(image)
    top, left, bottom, right = _bounds(prompt)
    margin = max(6.0, 0.25 * max(bottom - top, right - left))
    r0, c0 = max(0, math.floor(top - margin)), max(0, math.floor(left - margin))
    r1, c1 = min(shape[0], math.ceil(bottom + margin) + 1), min(shape[1], math.ceil(right + margin) + 1)
    crop: Any = plane.read((slice(r0, r1), slice(c0, c1))).astype(np.uint8)
    inside = box(None, prompt, shape)[r0:r1, c0:c1]
    likely = hermite(None, prompt, shape)[r0:r1, c0:c1]
    depth = cv2.distanceTransform(likely.astype(np.uint8), cv2.DIST_L2, 3)
    state: Any = np.where(inside, np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD), cv2.GC_BGD).astype(np.uint8)
    state[likely & (depth >= _GRABCUT_CORE * depth.max())] = cv2.GC_FGD
    scale = _GRABCUT_SIDE / max(crop.shape[:2])
    if scale < 1:
        size = (max(2, round(crop.shape[1] * scale)), max(2, round(crop.shape[0] * scale)))
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        state = cv2.resize(state, size, interpolation=cv2.INTER_NEAREST)
    else:
        small = crop
    undecided = np.isin(state, (cv2.GC_PR_FGD, cv2.GC_FGD))
    if undecided.any() and not undecided.all():
        nothing: Any = None  # no rectangle, no colour models to go on from; OpenCV's types do not know that
        state, _, _ = cv2.grabCut(small, state, nothing, nothing, nothing, _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut: Any = np.isin(state, (cv2.GC_PR_FGD, cv2.GC_FGD)).astype(np.float32)
    if scale < 1:
        cut = cv2.resize(cut, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros(shape, dtype=bool)
    mask[r0:r1, c0:c1] = (cut > 0.5) & inside
    return mask


def has_grabcut() -> bool:
    """Whether OpenCV is installed."""
    return find_spec("cv2") is not None


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "box": box,
        "ellipse": ellipse,
        "tilted ellipse": tilted_ellipse,
        "quadrilateral": quadrilateral,
        "hermite": hermite,
        "grabcut": grabcut,
    }
)
"""Every baseline by the name that tables show."""


def _bounds(prompt: Prompt) -> Bounds:
    bounds = prompt.bounds
    if bounds is None:
        raise PromptError("Baselines need extreme points or a box; clicks alone say nothing about the size.")
    return bounds


def _four_extremes(prompt: Prompt) -> Points:
    """Topmost, leftmost, bottommost and rightmost mark, ``(4, 2)``."""
    points = prompt.outline_points
    if len(points) < 3:
        top, left, bottom, right = _bounds(prompt)
        row, col = (top + bottom) / 2, (left + right) / 2
        return np.array([(top, col), (row, left), (bottom, col), (row, right)])
    rows, cols = points.T
    return np.stack([points[i] for i in (rows.argmin(), cols.argmin(), rows.argmax(), cols.argmax())])


def _ellipse(prompt: Prompt, shape: tuple[int, int], rho: float) -> Mask:
    top, left, bottom, right = _bounds(prompt)
    mask = np.zeros(shape, dtype=bool)
    # Marks sit on the centres of the outermost pixels, so the object reaches half a pixel farther, and no more.
    r0, c0 = max(0, math.floor(top) - 1), max(0, math.floor(left) - 1)
    part = mask[r0 : max(r0, math.ceil(bottom) + 2), c0 : max(c0, math.ceil(right) + 2)]
    rows, cols = _axes((part.shape[0], part.shape[1]))
    u = (rows + r0 - (top + bottom) / 2) / ((bottom - top) / 2 + 0.5)
    v = (cols + c0 - (left + right) / 2) / ((right - left) / 2 + 0.5)
    part[...] = u**2 - 2 * rho * u * v + v**2 <= 1 - rho**2
    return mask


def _fill(polygon: Points, shape: tuple[int, int]) -> Mask:
    """Pixels in a polygon that is grown half a pixel each way, for marks sit on the centres of the outermost pixels."""
    from skimage.draw import polygon as inner

    low, high = polygon.min(axis=0), polygon.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.5)
    grown = middle + (polygon - middle) * (half + 0.5) / half
    mask = np.zeros(shape, dtype=bool)
    mask[inner(grown[:, 0], grown[:, 1], shape)] = True
    return mask


def _axes(shape: tuple[int, int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.arange(shape[0], dtype=np.float64)[:, None], np.arange(shape[1], dtype=np.float64)[None, :]


def _as_mask(values: npt.NDArray[Any]) -> Mask:
    return np.ascontiguousarray(values, dtype=bool)
