"""The answer to a prompt: a probability, and the mask that follows from it. Light: no network is imported for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .postprocess import PostProcess, finish_mask
from .prompt import Prompt, Region


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Result of one prompt. The mask is derived: threshold and clean-up can change without the network.

    Attributes
    ----------
    probability : (h, w) float32
        On ``region``; everywhere else it is zero.
    region : two slices
        Part of the image plane that ``probability`` and ``mask`` cover.
    shape : (H, W)
        Extent of the image plane, pixels.
    prompt : Prompt
        The marks it was made from.
    score : float or None
        Predicted IoU in 0..1, or None where the model has no score head.
    model : str
        Name of the model.
    threshold : float
        Probability above which a pixel belongs to the object.
    post : PostProcess
        Clean-up applied after the threshold.
    seconds : float
        Time from prompt to probability.

    Examples
    --------
    >>> region = slice(2, 6), slice(2, 6)
    >>> probability = np.full((4, 4), 0.6, np.float32)
    >>> found = Segmentation(probability, region, (8, 8), Prompt.box(2, 2, 5, 5), 0.9, "any", 0.5)
    >>> int(found.full_mask().sum()), int(found.with_threshold(0.7).full_mask().sum())
    (16, 0)
    """

    probability: npt.NDArray[np.float32]
    region: Region
    shape: tuple[int, int]
    prompt: Prompt
    score: float | None
    model: str
    threshold: float
    post: PostProcess = field(default_factory=PostProcess)
    seconds: float = 0.0

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """``(h, w)`` bool mask on ``region``."""
        return finish_mask(self.probability, self.region, self.prompt, self.threshold, self.post)

    def full_mask(self) -> npt.NDArray[np.bool_]:
        """``(H, W)`` bool mask of the whole image plane."""
        full = np.zeros(self.shape, bool)
        full[self.region] = self.mask
        return full

    def with_threshold(self, threshold: float) -> Segmentation:
        """The same result cut at another probability."""
        return replace(self, threshold=float(threshold))

    def with_post(self, post: PostProcess) -> Segmentation:
        """The same result cleaned up differently."""
        return replace(self, post=post)
