"""Did a fine-tuning help? Judged on objects that it never saw, each before and after, and said in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

FEWEST = 5
"""Objects below which nothing is claimed: of four values, nobody knows how far they usually scatter."""

LEAST_GAIN = 0.005
"""Mean IoU that must be gained: less is not worth another model."""

WORST = -0.005
"""Where the interval of the gain may begin at the lowest: an unlucky user must lose no more than that."""

_RESAMPLES = 4000
_LEVEL = 0.95
_FEW_GROUPS = 5  # images below which objects are drawn instead: resamples of two or three images say nothing


@dataclass(frozen=True)
class Verdict:
    """What held-out objects say of a model before and after.

    Attributes
    ----------
    helps : bool
        Whether the new model is to be used: there are at least `FEWEST` objects, the mean gain is at least
        `LEAST_GAIN`, and the lower end of its interval is not below `WORST`.
    before, after : float
        Mean IoU of the objects, 0..1.
    gain, low, high : float
        Mean of after minus before, and its 95 % interval.
    objects, images : int
        How many judged, and on how many images they lie. Planes of a stack that show the same objects are one image,
        and an object on several of them is one object.
    """

    helps: bool
    before: float
    after: float
    gain: float
    low: float
    high: float
    objects: int
    images: int

    @classmethod
    def of(
        cls,
        before: Sequence[float],
        after: Sequence[float],
        groups: Sequence[Any],
        things: Sequence[Any] | None = None,
        lent: float = 0.0,
    ) -> Verdict:
        """Judge objects by their IoU before and after.

        The interval is a bootstrap over the images, or over the objects where there are fewer than five images;
        its percentiles are widened for small numbers (Hesterberg, What Teachers Should Know About the Bootstrap, The
        American Statistician 2015, section 3.2: the expanded percentile interval). The same values always give the
        same interval.

        Parameters
        ----------
        before, after : (N,) floats
            Of the same outlines, one at least.
        groups : (N,) sequence
            The image each lies on.
        things : (N,) sequence, optional
            The object each is of; by default all are of different ones.
        lent : float
            What choosing among models by these very objects lent to the mean after
            (`napari_dextr.training.crossfit.lent`). It is no gain, and the interval is widened, since it is an estimate
            that may be off by as much.
        """
        first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
        names = [str(name) for name in groups]
        objects = [str(thing) for thing in (range(len(names)) if things is None else things)]
        gains = second - first
        low, high = interval(gains, names, objects)
        mean, independent = float(gains.mean()), len(set(objects))
        gain = mean - lent
        low, high = gain - math.hypot(mean - low, lent), gain + math.hypot(high - mean, lent)
        return cls(
            helps=independent >= FEWEST and gain >= LEAST_GAIN and low >= WORST,
            before=float(first.mean()),
            after=float(second.mean()) - lent,
            gain=gain,
            low=low,
            high=high,
            objects=independent,
            images=len(set(names)),
        )

    @classmethod
    def impossible(cls) -> Verdict:
        """The verdict where nothing could be held out."""
        return cls(False, 0.0, 0.0, 0.0, -1.0, 1.0, 0, 0)

    def sentence(self) -> str:
        """The verdict for a person: what happened to the IoU, how sure that is, and which model is kept."""
        if not self.objects:
            return (
                f"Nothing could be held out to judge the new model: keeping the old one. Annotate at least {FEWEST} "
                "objects, on two images or more."
            )
        objects = f"{self.objects} held-out object{'s' * (self.objects != 1)}"
        change = f"{self.before:.2f} → {self.after:.2f}"
        if self.objects < FEWEST:
            return (
                f"Too few objects to tell ({change} on {objects}, {FEWEST} are needed): keeping the old model. "
                "Annotate some more."
            )
        sure = f"95 % interval of the gain {self.low:+.2f} to {self.high:+.2f}".replace("-", "\N{MINUS SIGN}")
        if self.helps:
            return f"Helps: {change} on {objects} ({sure})."
        if self.gain >= LEAST_GAIN:
            return f"Not sure to help: {change} on {objects} ({sure}): keeping the old model. More objects may tell."
        return f"Does not help: {change} on {objects} ({sure}): keeping the old model."

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """What `to_dict` gave."""
        return cls(**{item.name: values[item.name] for item in fields(cls)})


def units_of(groups: Sequence[Any], things: Sequence[Any]) -> list[str]:
    """What scatters independently: the images ``(N,)``, or the objects where there are fewer than five images."""
    names = [str(name) for name in groups]
    return names if len(set(names)) >= _FEW_GROUPS else [str(thing) for thing in things]


def interval(
    values: npt.NDArray[np.float64], groups: Sequence[str], things: Sequence[str] | None = None
) -> tuple[float, float]:
    """95 % interval of a mean gain, see `Verdict.of`; all that a gain can be where there is one unit alone."""
    from scipy.special import ndtr, stdtrit

    _, index = np.unique(units_of(groups, range(len(values)) if things is None else things), return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    units = len(sums)
    if units < 2:
        return -1.0, 1.0
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=_RESAMPLES).astype(np.float64)
    tail = float(ndtr(math.sqrt(units / (units - 1)) * stdtrit(units - 1, (1 - _LEVEL) / 2)))
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), (tail, 1 - tail))
    return float(low), float(high)
