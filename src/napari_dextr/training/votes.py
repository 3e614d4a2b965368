"""What judging objects say of a model before and after, and the file of a round that remembers it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..files import atomic_write
from .config import TrainConfig
from .crossfit import Values, best, lent
from .verdict import Verdict, units_of

VOTE = "vote.json"
_FREE = {"precision", "pictures", "checkpoint_every", "checkpoint_seconds"}  # settings that change no vote


@dataclass(frozen=True, eq=False)
class Vote:
    """What judging objects say: IoU of each before, and after with each share of the new weights.

    Their images and the objects themselves have numbers: several values may be of one object on several planes.
    ``already`` is what choices before this vote lent to the mean (`napari_dextr.training.crossfit.lent`).
    """

    before: Values
    after: dict[float, Values]
    images: list[int]
    objects: list[int]
    already: float = 0.0

    @classmethod
    def joined(cls, votes: Sequence[Vote]) -> Vote:
        """The votes of all parts of a cross-validation."""
        after = {alpha: np.concatenate([vote.after[alpha] for vote in votes]) for alpha in votes[0].after}
        images = [number for vote in votes for number in vote.images]
        objects = [number for vote in votes for number in vote.objects]
        return cls(np.concatenate([vote.before for vote in votes]), after, images, objects)

    def share(self) -> tuple[float, float]:
        """The best share of the new weights, the smaller where it makes no difference; and what choosing it lent."""
        alphas = sorted(self.after)
        values = np.stack([self.after[alpha] for alpha in alphas])
        return alphas[best(values.mean(axis=1))], lent(values, units_of(self.images, self.objects))

    def verdict(self) -> tuple[Verdict, float]:
        """The verdict on the best share of the new weights, and that share.

        The gain is told as other objects can expect it, without what choosing lent to these.
        """
        alpha, by_share = self.share()
        after, lent_in_all = self.after[alpha].tolist(), by_share + self.already
        return Verdict.of(self.before.tolist(), after, self.images, self.objects, lent_in_all), alpha


def write_vote(folder: Path, vote: Vote, config: TrainConfig) -> None:
    """Keep the vote of a round.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    content = {
        "before": vote.before.tolist(),
        "after": {str(alpha): ious.tolist() for alpha, ious in vote.after.items()},
        "images": vote.images,
        "objects": vote.objects,
        "settings": _deciding(asdict(config)),
    }
    with atomic_write(folder / VOTE) as part:
        part.write_text(json.dumps(content), encoding="utf-8")


def read_vote(folder: Path, config: TrainConfig) -> Vote | None:
    """The vote of a round that is over; None where it is not, or was held with other settings."""
    try:
        content = json.loads((folder / VOTE).read_text(encoding="utf-8"))
        after = {float(alpha): np.asarray(ious, np.float64) for alpha, ious in content["after"].items()}
        if _deciding(content["settings"]) != json.loads(json.dumps(_deciding(asdict(config)))):
            return None
        return Vote(np.asarray(content["before"], np.float64), after, content["images"], content["objects"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a vote depends on."""
    return {name: value for name, value in settings.items() if name not in _FREE}
