"""Objects that judge: the same marks for the model before and the model after, several times an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from ..errors import DataError
from ..files import atomic_write
from .crops import CropStore
from .losses import batch_iou
from .validation import EXACT, Hand, Look, Showing, logit, marked, shown

HANDS = (EXACT, Hand(0.02, 1), Hand(0.02, 2))
"""How every judging object is marked: once ideally, twice as a careful person does."""

_SHOWN = 6  # of a run's comparisons that are kept to be looked at


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model makes of judging objects: IoU ``(N,)``, mean over `HANDS`; masks ``(N, S, S)`` for exact marks."""

    ious: npt.NDArray[np.float64]
    masks: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class JudgedObject:
    """A judging object before and after, on the canvas: ``(S, S, 3)`` uint8 and three times ``(S, S)`` bool."""

    name: str
    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.bool_]
    before: npt.NDArray[np.bool_]
    after: npt.NDArray[np.bool_]
    iou_before: float
    iou_after: float


def judge(network: nn.Module, store: CropStore, chosen: Sequence[int], showing: Showing, threshold: float) -> Judged:
    """Judge a model on crops of a store; the same crops get the same marks whatever the model.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the device of ``showing``.
    store : CropStore
    chosen : sequence of int
        Indices of the crops.
    showing : Showing
    threshold : float
        Probability above which a pixel belongs to the object.
    """
    ious = np.zeros((len(HANDS), len(chosen)))
    masks = np.zeros((len(chosen), showing.size, showing.size), bool)
    for number, hand in enumerate(HANDS):
        done = 0
        for indices, sample, logits in showing.answers(network, store, chosen, hand):
            part = slice(done, done + len(indices))
            above = logits - logit(threshold)
            ious[number, part] = batch_iou(above, sample.target, sample.weight).cpu().numpy()
            if not number:
                masks[part] = (above[:, 0] > 0).cpu().numpy()
            done = part.stop
    return Judged(ious.mean(axis=0), masks)


def compare(
    store: CropStore, chosen: Sequence[int], before: Judged, after: Judged, look: Look = marked
) -> list[JudgedObject]:
    """A few of the judging objects to look at: from the one that lost most to the one that gained most."""
    if not len(chosen):
        return []
    size = before.masks.shape[-1]
    order = np.argsort(after.ious - before.ious, kind="stable")
    picked = order[np.unique(np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(int))]
    sample = look(store, [chosen[int(i)] for i in picked], size)
    images = sample.images.cpu().numpy().transpose(0, 2, 3, 1)
    truths = sample.target[:, 0].cpu().numpy() > 0.5
    return [
        JudgedObject(
            f"object {chosen[index] + 1}", shown(images[row]), truths[row], before.masks[index], after.masks[index],
            float(before.ious[index]), float(after.ious[index]),
        )
        for row, index in enumerate(picked.tolist())
    ]  # fmt: skip


def write_comparisons(path: Path, comparisons: Sequence[JudgedObject]) -> None:
    """Keep comparisons as ``.npz``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    names = ("name", "image", "truth", "before", "after", "iou_before", "iou_after")
    arrays = {name: np.array([getattr(each, name) for each in comparisons]) for name in names}
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_comparisons(path: Path) -> list[JudgedObject]:
    """What `write_comparisons` wrote.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        with np.load(path) as arrays:
            found = dict(arrays)
        return [
            JudgedObject(str(name), image, truth, before, after, float(first), float(second))
            for name, image, truth, before, after, first, second in zip(
                found["name"], found["image"], found["truth"], found["before"], found["after"],
                found["iou_before"], found["iou_after"], strict=True,
            )
        ]  # fmt: skip
    except Exception as error:  # a damaged archive can raise anything
        raise DataError(f"The comparisons in '{path}' cannot be read ({type(error).__name__}).") from error
