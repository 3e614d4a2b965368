"""How well a mask agrees with the truth. Masks are ``(H, W)`` bool arrays of one shape."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def iou(mask: npt.ArrayLike, truth: npt.ArrayLike, ignore: npt.ArrayLike | None = None) -> float:
    """Intersection over union (Jaccard index), 0..1.

    Parameters
    ----------
    mask, truth : (H, W) array of bool
    ignore : (H, W) array of bool, optional
        Pixels that count for neither (void borders, crowds).

    Returns
    -------
    float
        1 where both are empty.

    Examples
    --------
    >>> iou([[True, True, False]], [[False, True, True]])
    0.3333333333333333
    """
    a, b, _ = _same_shape(mask, truth, ignore)
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0


def boundary_f(
    mask: npt.ArrayLike, truth: npt.ArrayLike, tolerance: float | None = None, ignore: npt.ArrayLike | None = None
) -> float:
    """Boundary F measure, 0..1: do the outlines lie where they should?

    Precision is the share of the mask's outline within `tolerance` of the truth's outline, recall the other way
    round, F their harmonic mean (Perazzi et al., "A benchmark dataset and evaluation methodology for video object
    segmentation", CVPR 2016, section 4). As there, the default tolerance is 0.8 % of the image's diagonal, rounded
    up to whole pixels; distances are Euclidean, between pixel centres.

    Parameters
    ----------
    mask, truth : (H, W) array of bool
    tolerance : float, optional
        Pixels.
    ignore : (H, W) array of bool, optional
        Outlines in these pixels count where they agree and are left out where they do not: around an object with
        a void border a good mask's outline lies in the void, near the truth's outline, which is its inner edge.

    Returns
    -------
    float
        1 where neither has an outline (both empty), 0 where only one has. The border of the image is no outline.
    """
    from scipy import ndimage

    a, b, left_out = _same_shape(mask, truth, ignore)
    if tolerance is None:
        tolerance = math.ceil(0.008 * math.hypot(*a.shape))
    # Beyond the frame of one pixel around both masks there is no outline, and a large image is mostly that.
    whole = [np.asarray(each, dtype=bool) for each in (mask, truth)]
    near_both = _extent(whole[0] | whole[1], border=1)
    a, b, left_out = a[near_both], b[near_both], left_out[near_both]
    # Outlines are taken before the ignored pixels go: leaving pixels out must not draw an outline of its own.
    outlines = [_outline(each[near_both]) for each in whole]
    if not outlines[0].any() and not outlines[1].any():
        return 1.0 if a.any() == b.any() else 0.0
    if not outlines[0].any() or not outlines[1].any():
        return 0.0
    # All outline pixels lie in this part, so distances to them are the same there.
    part = _extent(outlines[0] | outlines[1])
    known = ~left_out[part]
    ours, theirs = outlines[0][part], outlines[1][part]
    shares = []
    for one, other in ((ours, theirs), (theirs, ours)):
        near = one & (ndimage.distance_transform_edt(~other) <= tolerance)
        judged = int(np.count_nonzero(near | (one & known)))
        shares.append(int(np.count_nonzero(near)) / judged if judged else 1.0)
    precision, recall = shares
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _same_shape(mask: npt.ArrayLike, truth: npt.ArrayLike, ignore: npt.ArrayLike | None) -> tuple[Mask, Mask, Mask]:
    a, b = np.asarray(mask, dtype=bool), np.asarray(truth, dtype=bool)
    left_out = np.zeros(a.shape, dtype=bool) if ignore is None else np.asarray(ignore, dtype=bool)
    if a.shape != b.shape or a.shape != left_out.shape:
        raise ValueError(f"Masks must have one shape; got {a.shape}, {b.shape} and {left_out.shape}.")
    return (a, b, left_out) if ignore is None else (a & ~left_out, b & ~left_out, left_out)


def _outline(mask: Mask) -> Mask:
    """Pixels of the mask with a 4-neighbour outside it."""
    outside = np.zeros(mask.shape, dtype=bool)
    outside[1:] |= ~mask[:-1]
    outside[:-1] |= ~mask[1:]
    outside[:, 1:] |= ~mask[:, :-1]
    outside[:, :-1] |= ~mask[:, 1:]
    return mask & outside


def _extent(mask: Mask, border: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the part that holds every pixel of a mask, with a border; nothing of an empty one."""
    rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return (
        slice(max(int(rows[0]) - border, 0), int(rows[-1]) + 1 + border),
        slice(max(int(cols[0]) - border, 0), int(cols[-1]) + 1 + border),
    )
