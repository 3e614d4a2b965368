"""Segmentation of one object: marks in, mask out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import UnsupportedMarkError
from .image import ImagePlane, as_plane
from .models.registry import load_pipeline, models_taking
from .models.runtime import Runtime
from .models.spec import ModelSpec
from .postprocess import PostProcess, finish_mask
from .prompt import Prompt, Region

if TYPE_CHECKING:
    import torch


class Pipeline(Protocol):
    """What differs between families of models: how the crop is read, and how the result is pasted back."""

    def read(self, plane: ImagePlane, prompt: Prompt, spec: ModelSpec) -> tuple[torch.Tensor, Any]:
        """``(1, C, S, S)`` network input, and what `paste` needs to undo it."""

    def paste(
        self, logits: torch.Tensor, placement: Any, prompt: Prompt, spec: ModelSpec
    ) -> tuple[npt.NDArray[np.float32], Region]:
        """Probability ``(h, w)`` and the region it covers."""


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


class Segmenter:
    """A network, its spec and a device. Make it with `napari_dextr.load_model`.

    Parameters
    ----------
    network : torch.nn.Module
        Takes the canvas its pipeline makes; returns logits, or logits and a score logit.
    spec : ModelSpec
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision : str
        ``"auto"`` lowers precision where that was shown to agree, ``"full"`` is exact float32.
    """

    def __init__(
        self, network: torch.nn.Module, spec: ModelSpec, *, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.spec = spec
        self.runtime = Runtime(network, spec, device, precision)
        self._pipeline: Pipeline = load_pipeline(spec.pipeline)

    @property
    def device(self) -> str:
        """Where the network runs, e.g. ``"cpu"`` or ``"cuda:0"``."""
        return str(self.runtime.device)

    @property
    def precision(self) -> str:
        """Arithmetic in use: ``"float32"``, ``"bfloat16"`` or ``"float16"``."""
        return self.runtime.precision

    def segment(
        self,
        image: Any,
        prompt: Prompt,
        *,
        channels: Sequence[int] | None = None,
        limits: tuple[float, float] | None = None,
    ) -> Segmentation:
        """Segment the object that the prompt marks.

        Parameters
        ----------
        image : array-like, or sequence of array-like
            ``(H, W)`` or ``(H, W, C)``, or the levels of a pyramid; see `napari_dextr.image.as_plane`. Only the
            crop around the marks is read.
        prompt : Prompt
            Marks in row and column of the image plane, pixels.
        channels : sequence of int, optional
            Up to three channels to look at.
        limits : (low, high), optional
            Contrast limits the user sees.

        Raises
        ------
        ImageError, PromptError, UnsupportedMarkError
            If the image or the marks cannot be used.
        """
        started = time.perf_counter()
        plane = as_plane(image, channels=channels, limits=limits)
        self.check(prompt)
        prompt.check(plane.shape)
        inputs, placement = self._pipeline.read(plane, prompt, self.spec)
        output = self.runtime(inputs)
        probability, region = self._pipeline.paste(output.logits, placement, prompt, self.spec)
        score = None if output.score is None else float(output.score[0])
        seconds = time.perf_counter() - started
        name, threshold = self.spec.name, self.spec.threshold
        return Segmentation(probability, region, plane.shape, prompt, score, name, threshold, seconds=seconds)

    def check(self, prompt: Prompt) -> None:
        """Raise `UnsupportedMarkError` where the prompt holds a mark this model was not trained for."""
        for mark in sorted(prompt.marks - set(self.spec.marks)):
            raise UnsupportedMarkError(mark, self.spec.name, models_taking(mark))
