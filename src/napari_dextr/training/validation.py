"""Validation during training: exact extreme points on stored crops, upright and unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..frame import Frame
from ..models.spec import MARGIN
from ..prompt import Points
from ..simulation import Simulator, box_of
from .augment import Photometric
from .batch import Batch, Marks, assemble
from .crops import OBJECT, CropStore
from .losses import batch_iou, on_canvas

UNCHANGED = Photometric().times(0)
_NONE = np.zeros((0, 2))
_LEVELS = np.round(np.arange(0.3, 0.701, 0.05), 2)  # thresholds that are tried
_WORTH = 0.001  # mean IoU that another threshold than the usual one must gain


@dataclass(frozen=True)
class Hand:
    """How the objects of a store are marked: error of each coordinate (share of the longer side), and which drawing."""

    jitter: float = 0.0
    number: int = 0


EXACT = Hand()
"""The ideal four points."""


Look = Callable[..., Batch]
"""Makes a batch of some crops as `marked` does: takes the store, their indices, the canvas side and a ``hand``."""


@dataclass(frozen=True, eq=False)
class Example:
    """A crop on the canvas, its true mask and the network's: ``(S, S, 3)`` uint8 and twice ``(S, S)`` bool."""

    name: str
    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.bool_]
    mask: npt.NDArray[np.bool_]
    iou: float


def spread_sample(store: CropStore, most: int) -> list[int]:
    """Indices of at most ``most`` crops of each group (0: all), spread evenly over the group; always the same."""
    chosen: list[int] = []
    for group in range(len(store.names)):
        members = np.flatnonzero(store.groups == group)
        if most and len(members) > most:
            members = members[np.linspace(0, len(members) - 1, most).round().astype(int)]
        chosen += members.tolist()
    return chosen


@dataclass(frozen=True, eq=False)
class Showing:
    """How crops are shown to a network that is judged by them.

    Attributes
    ----------
    size : int
        Canvas side S, pixels.
    at_once : int
        Crops that go through the network together.
    device : torch.device
        Where the network is.
    precision : context manager or None
        Entered around every pass of the network, e.g. `torch.autocast`.
    look : callable
        Makes the batches, by default `marked`; another for networks with an input of their own.
    check : callable
        Called before each batch; what it raises ends the showing.
    """

    size: int
    at_once: int = 32
    device: torch.device | str = "cpu"
    precision: AbstractContextManager[object] | None = None
    look: Look | None = None
    check: Callable[[], object] = lambda: None

    def answers(
        self, network: nn.Module, store: CropStore, chosen: Sequence[int], hand: Hand = EXACT
    ) -> Iterator[tuple[list[int], Batch, torch.Tensor]]:
        """Indices, samples and logits ``(B, 1, S, S)`` of the chosen crops, a batch at a time.

        The network is in evaluation mode and takes ``(B, 11, S, S)``, or what ``look`` gives.
        """
        look = self.look or marked
        for start in range(0, len(chosen), self.at_once):
            self.check()
            indices = list(chosen[start : start + self.at_once])
            sample = look(store, indices, self.size, hand=hand).to(self.device)
            with torch.inference_mode(), self.precision or nullcontext():
                logits = network(sample.inputs())[0]
            yield indices, sample, on_canvas(logits, self.size)


def validation_ious(
    network: nn.Module, store: CropStore, showing: Showing, *, most: int = 0, threshold: float = 0.5
) -> dict[str, list[float]]:
    """IoU of the crops of a store with four exact extreme points, by group.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    store : CropStore
    showing : Showing
    most : int
        Crops of each group, spread over it; 0 for all.
    threshold : float
        Probability above which a pixel counts.
    """
    found: dict[str, list[float]] = {}
    for indices, sample, logits in showing.answers(network, store, spread_sample(store, most)):
        ious = batch_iou(logits - logit(threshold), sample.target, sample.weight).tolist()
        for index, iou in zip(indices, ious, strict=True):
            found.setdefault(store.names[int(store.groups[index])], []).append(iou)
    return found


def fit_threshold(network: nn.Module, store: CropStore, showing: Showing, *, usual: float = 0.5) -> float:
    """The probability above which pixels should count, judged by the mean IoU over the groups of a store.

    The usual one unless another threshold gains at least 0.001.
    """
    levels, ious = threshold_ious(network, store, showing, usual=usual)
    groups = np.asarray(store.groups)
    means = np.stack([ious[:, groups == group].mean(axis=1) for group in np.unique(groups)], axis=1)
    return levels[threshold_chosen(means.mean(axis=1), levels.index(usual))]


def threshold_ious(
    network: nn.Module, store: CropStore, showing: Showing, *, usual: float = 0.5
) -> tuple[list[float], npt.NDArray[np.float64]]:
    """Thresholds on the probability, the usual one among them, and the IoU with each: ``(thresholds, N)``."""
    levels = sorted({*_LEVELS.tolist(), usual})
    ious = np.zeros((len(levels), len(store)))
    for indices, sample, logits in showing.answers(network, store, range(len(store))):
        for place, level in enumerate(levels):
            ious[place, indices] = batch_iou(logits - logit(level), sample.target, sample.weight).cpu().numpy()
    return levels, ious


def threshold_chosen(means: npt.NDArray[np.float64], usual: int) -> int:
    """Number of the threshold to take by the mean IoU with each: the usual one unless another gains 0.001."""
    best = int(np.argmax(means))
    return best if means[best] >= means[usual] + _WORTH else usual


def examples(network: nn.Module, store: CropStore, showing: Showing, count: int) -> list[Example]:
    """At most ``count`` examples of what the network says, of all groups; the same crops each time."""
    per_group = -(-count // max(1, len(store.names)))
    chosen = spread_sample(store, per_group)
    chosen = [chosen[int(i)] for i in np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round()]
    found: list[Example] = []
    for indices, sample, logits in showing.answers(network, store, chosen):
        ious = batch_iou(logits, sample.target, sample.weight).tolist()
        images = sample.images.float().cpu().numpy().transpose(0, 2, 3, 1)
        truths, masks = (part[:, 0].cpu().numpy() for part in (sample.target > 0.5, logits > 0))
        for position, index in enumerate(indices):
            name = store.names[int(store.groups[index])]
            found.append(
                Example(name, shown(images[position]), truths[position], masks[position], float(ious[position]))
            )
    return found


def crop_points(store: CropStore, index: int, hand: Hand = EXACT) -> Points:
    """Extreme points of a stored crop as a hand gives them: ``(4, 2)``, in pixels of the crop, always the same."""
    mask = (np.asarray(store.masks[index]) & OBJECT) > 0
    rng = np.random.default_rng((index, hand.number, 11))
    return Simulator(rng).extreme(mask, jitter=hand.jitter, exact=not hand.jitter).extreme_points


def marked(store: CropStore, indices: list[int], size: int, hand: Hand = EXACT) -> Batch:
    """Crops upright and unchanged, with the extreme points of a hand, framed as at inference."""
    frames, marks = [], []
    for index in indices:
        flags = store.masks[index]
        points = crop_points(store, index, hand)
        frame = Frame.around(box_of(points), size, (flags.shape[0], flags.shape[1]), margin=MARGIN, least=2.0)
        placed = frame.to_canvas(points)
        frames.append(frame)
        marks.append(Marks(placed, _NONE, _NONE, box_of(placed)))
    return assemble(store, indices, frames, marks, UNCHANGED, torch.Generator())


def logit(probability: float) -> float:
    """What a network's answer is compared with, for a threshold on the probability."""
    return float(np.log(probability / (1 - probability)))


def shown(standardised: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """A standardised crop as a picture: its darkest and brightest hundredth become black and white."""
    low, high = np.percentile(standardised, (1, 99))
    scaled = (standardised - low) / max(float(high - low), 1e-6)
    picture: npt.NDArray[np.uint8] = (255 * scaled.clip(0, 1)).round().astype(np.uint8)
    return picture
