"""From a probability to a mask: threshold, holes, islands; cheap enough to follow a slider, without the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import PromptError
from .prompt import Prompt, Region

Mask = npt.NDArray[np.bool_]

_REACH = 2.0  # pixels between a mark and the component it is said to touch


@dataclass(frozen=True)
class PostProcess:
    """What is done to a mask after the threshold. The default does nothing.

    Attributes
    ----------
    fill_holes : float
        Holes of up to this many pixels are filled; `math.inf` fills all. Background that reaches the border of the
        region is no hole.
    remove_islands : float
        Components of fewer pixels than this are dropped, but never the largest one.
    keep_marked : bool
        Keep only components that an extreme, boundary or inside mark touches (within 2 pixels); where none is
        touched, the largest.
    clip_slack : float or None
        Drop pixels farther than this many pixels outside the box of the marks; None leaves them.

    Examples
    --------
    >>> probability = np.zeros((6, 6), np.float32)
    >>> probability[1:5, 1:5] = 1
    >>> probability[2, 2] = 0  # a hole
    >>> region, prompt = (slice(0, 6), slice(0, 6)), Prompt.box(1, 1, 4, 4)
    >>> int(finish_mask(probability, region, prompt, 0.5, PostProcess(fill_holes=1)).sum())
    16
    """

    fill_holes: float = 0
    remove_islands: float = 0
    keep_marked: bool = False
    clip_slack: float | None = None

    def __post_init__(self) -> None:
        sizes = (self.fill_holes, self.remove_islands, self.clip_slack or 0)
        if any(math.isnan(size) or size < 0 for size in sizes):
            raise PromptError("Sizes of holes and islands, and the slack around the box, must be 0 or more pixels.")


def finish_mask(
    probability: npt.ArrayLike, region: Region, prompt: Prompt, threshold: float, post: PostProcess
) -> Mask:
    """Turn a probability into a mask.

    The steps, in order: threshold, clip to the box, keep marked components, drop islands, fill holes.

    Parameters
    ----------
    probability : (h, w) array of float
        Probability in 0..1 on `region`; NaN counts as background.
    region : tuple of two slices
        Where the probability lies in the image plane.
    prompt : Prompt
        The marks, in coordinates of the image plane.
    threshold : float
        Pixels above it belong to the object.
    post : PostProcess
        The further steps.

    Returns
    -------
    (h, w) array of bool
    """
    mask: Mask = np.asarray(probability) > threshold
    origin = (int(region[0].start), int(region[1].start))
    if post.clip_slack is not None:
        mask = _clip(mask, origin, prompt, post.clip_slack)
    if post.keep_marked or post.remove_islands > 1:
        mask = _keep_components(mask, origin, prompt, post)
    if post.fill_holes > 0:
        mask = _fill_holes(mask, post.fill_holes)
    return mask


def _clip(mask: Mask, origin: tuple[int, int], prompt: Prompt, slack: float) -> Mask:
    bounds = prompt.bounds
    if bounds is None:
        return mask
    rows = np.arange(mask.shape[0]) + origin[0]
    cols = np.arange(mask.shape[1]) + origin[1]
    # A mark on a pixel's edge (half a pixel off its centre) still means that pixel.
    reach = slack + 0.5
    in_rows = (rows >= bounds[0] - reach) & (rows <= bounds[2] + reach)
    in_cols = (cols >= bounds[1] - reach) & (cols <= bounds[3] + reach)
    clipped: Mask = mask & in_rows[:, None] & in_cols[None, :]
    return clipped


def _keep_components(mask: Mask, origin: tuple[int, int], prompt: Prompt, post: PostProcess) -> Mask:
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))  # touching at a corner is touching
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    keep = np.ones(count, dtype=bool)
    if post.keep_marked:
        touched = _touched(labels, origin, prompt)
        keep = np.isin(np.arange(1, count + 1), list(touched)) if touched else sizes == sizes.max()
    if post.remove_islands > 1:
        large = keep & (sizes >= post.remove_islands)
        keep = large if large.any() else keep & (sizes == sizes[keep].max())
    kept: Mask = np.concatenate([[False], keep])[labels]
    return kept


def _touched(labels: npt.NDArray[np.int32], origin: tuple[int, int], prompt: Prompt) -> set[int]:
    """Labels with a pixel within `_REACH` of a mark that lies on or in the object."""
    marks = np.concatenate([prompt.outline_points, prompt.positive_points]) - origin
    found: set[int] = set()
    for row, col in marks:
        top, left = math.ceil(row - _REACH), math.ceil(col - _REACH)
        bottom, right = math.floor(row + _REACH), math.floor(col + _REACH)
        if bottom < 0 or right < 0:
            continue
        patch = labels[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
        r, c = np.indices(patch.shape)
        near = np.hypot(r + max(top, 0) - row, c + max(left, 0) - col) <= _REACH
        found.update(int(label) for label in np.unique(patch[near]))
    return found - {0}


def _fill_holes(mask: Mask, largest: float) -> Mask:
    from scipy import ndimage

    labels, count = ndimage.label(~mask)
    if not count:
        return mask
    fill = np.bincount(labels.ravel(), minlength=count + 1) <= largest
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    fill[border] = False
    fill[0] = False
    filled: Mask = mask | fill[labels]
    return filled
