"""Segmentation of one object: marks in, mask out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import DextrError, UnsupportedMarkError
from .image import ImagePlane, as_plane
from .models.architectures import load_pipeline
from .models.registry import models_taking
from .models.runtime import NetworkOutput, Runtime
from .models.spec import ModelSpec
from .postprocess import PostProcess
from .prompt import Prompt, Region
from .segmentation import Segmentation as Segmentation

if TYPE_CHECKING:
    import torch

_AT_ONCE = 8  # objects that go through the network together where that is faster


class Pipeline(Protocol):
    """What differs between families of models: how the crop is read, and how the result is pasted back."""

    def read(self, plane: ImagePlane, prompt: Prompt, spec: ModelSpec) -> tuple[torch.Tensor, Sequence[Any]]:
        """``(N, C, S, S)`` network input, one canvas a look at the image, and what `paste` needs to undo each."""

    def choose(self, scores: torch.Tensor | None, placements: Sequence[Any]) -> int:
        """The look to keep, by the scores ``(N,)`` of the answers where the network gives them."""

    def paste(
        self, logits: torch.Tensor, placement: Any, prompt: Prompt, spec: ModelSpec
    ) -> tuple[npt.NDArray[np.float32], Region]:
        """Probability ``(h, w)`` and the region it covers."""

    def look_again(
        self, logits: torch.Tensor, placement: Any, plane: ImagePlane, prompt: Prompt, spec: ModelSpec
    ) -> tuple[torch.Tensor, Callable[[torch.Tensor], bool]] | None:
        """Another input for the same place, where the answer shows that the first did not suit it.

        Returns
        -------
        (1, C, S, S) tensor, callable
            The input; and whether the answer to it, its ``(1, 1, s, s)`` logits, is the one to keep.
        """


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

    Examples
    --------
    >>> from skimage.data import coins
    >>> from napari_dextr import Prompt, load_model
    >>> result = load_model().segment(coins(), Prompt.box(13, 37, 65, 80))
    >>> result.full_mask().shape
    (303, 384)
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

    @property
    def at_once(self) -> int:
        """Objects that `segment_many` sends through the network together unless it is told otherwise."""
        # a batch of float32 leaves a processor's caches, which costs more than it saves
        return 1 if self.runtime.device.type == "cpu" and self.precision == "float32" else _AT_ONCE

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
        inputs, placements = self._read(plane, prompt)
        result = self._finish(self.runtime(inputs), placements, prompt, plane)
        return replace(result, seconds=time.perf_counter() - started)

    def segment_many(
        self,
        image: Any,
        prompts: Sequence[Prompt],
        *,
        batch: int | None = None,
        channels: Sequence[int] | None = None,
        limits: tuple[float, float] | None = None,
    ) -> list[Segmentation | DextrError]:
        """Segment several objects of one image, several at a time on the network.

        Parameters
        ----------
        image, channels, limits
            As for `segment`.
        prompts : sequence of Prompt
            One for each object.
        batch : int, optional
            So many objects go through the network together; by default as many as are fast here, `at_once`.

        Returns
        -------
        list of Segmentation or DextrError
            In the order of the prompts; where a prompt cannot be used, the error that `segment` would raise. The
            time of a batch is shared out evenly.

        Raises
        ------
        ImageError
            If the image cannot be used at all.
        """
        import torch

        plane = as_plane(image, channels=channels, limits=limits)
        together = self.at_once if batch is None else max(1, batch)
        results: list[Segmentation | DextrError] = []
        for start in range(0, len(prompts), together):
            started = time.perf_counter()
            answers: dict[int, Segmentation | DextrError] = {}
            ready: list[tuple[int, torch.Tensor, Sequence[Any]]] = []
            for index, prompt in enumerate(prompts[start : start + together], start=start):
                try:
                    ready.append((index, *self._read(plane, prompt)))
                except DextrError as error:
                    answers[index] = error
            if ready:
                output = self.runtime(torch.cat([inputs for _, inputs, _ in ready]))
                done, first = [], 0
                for index, _, placements in ready:
                    part = _part(output, slice(first, first + len(placements)))
                    done.append((index, self._finish(part, placements, prompts[index], plane)))
                    first += len(placements)
                seconds = (time.perf_counter() - started) / len(ready)
                answers.update((index, replace(result, seconds=seconds)) for index, result in done)
            results += [answers[index] for index in sorted(answers)]
        return results

    @cached_property
    def model_hash(self) -> str:
        """SHA-256 of the network's weights: which model exactly made a mask."""
        return self.runtime.weights_hash()

    def _read(self, plane: ImagePlane, prompt: Prompt) -> tuple[torch.Tensor, Sequence[Any]]:
        self.check(prompt)
        prompt.check(plane.shape)
        return self._pipeline.read(plane, prompt, self.spec)

    def _finish(
        self, output: NetworkOutput, placements: Sequence[Any], prompt: Prompt, plane: ImagePlane
    ) -> Segmentation:
        """Result of one prompt, from the answers to its looks."""
        best = self._pipeline.choose(output.score, placements) if len(placements) > 1 else 0
        kept = _part(output, slice(best, best + 1))
        again = self._pipeline.look_again(kept.logits, placements[best], plane, prompt, self.spec)
        if again is not None:
            inputs, better = again
            second = self.runtime(inputs)
            kept = second if better(second.logits) else kept
        probability, region = self._pipeline.paste(kept.logits, placements[best], prompt, self.spec)
        score = None if kept.score is None else float(kept.score[0])
        # where nothing says how large the object is, other objects lie in the window: the mask is the part clicked on
        post = PostProcess(keep_marked=len(placements) > 1)
        return Segmentation(probability, region, plane.shape, prompt, score, self.spec.name, self.spec.threshold, post)

    def check(self, prompt: Prompt) -> None:
        """Raise `UnsupportedMarkError` where the prompt holds a mark this model was not trained for."""
        for mark in sorted(prompt.marks - set(self.spec.marks)):
            raise UnsupportedMarkError(mark, self.spec.name, models_taking(mark))


def _part(output: NetworkOutput, canvases: slice) -> NetworkOutput:
    """Some canvases of a batch."""
    return NetworkOutput(output.logits[canvases], None if output.score is None else output.score[canvases])
