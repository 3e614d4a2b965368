"""What choosing lent: of several candidates, the one that looks best on some objects looks better there than elsewhere.

The best step, the best share of new weights and the best threshold are chosen by the very objects that judge them
afterwards. Half of the objects choosing for the other half, again and again, tells how much of the gain that made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Choose = Callable[[Values], int]
"""Takes the mean value of each candidate ``(C,)``, gives the number of the one to take."""

_SPLITS = 100


def best(means: Values) -> int:
    """The candidate with the highest mean, the first of several; differences below 0.0001 are none."""
    return int(np.argmax(np.round(means, 4)))


def highest(means: Values) -> int:
    """The candidate with the highest mean, the first of several, however small the difference."""
    return int(np.argmax(means))


def lent(values: Values, units: Sequence[Hashable], choose: Choose = best) -> float:
    """How much better the chosen candidate looks on the objects that chose it than on others.

    Half of the units, drawn at random, choose a candidate, whose values for the other half are what can be expected
    of a choice; and the other way round, many times. (A cross-fit. Leaving out one object at a time would be as right
    on average, but mostly all or nothing.) The same values always give the same.

    Parameters
    ----------
    values : (C, N) array
        Of every candidate, for every object: IoU.
    units : (N,) sequence
        What belongs together, such as objects of one image, is never on both sides.
    choose : callable
        The rule by which the candidate was chosen of all objects.

    Returns
    -------
    float
        To be subtracted from the mean of the chosen candidate's values; 0 where there is one unit alone, which no
        other can choose for.
    """
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    if len(values) < 2 or len(numbers) < 2:
        return 0.0
    number = np.array([numbers[unit] for unit in units])
    rng = np.random.default_rng(0)
    halves = np.array([rng.permutation(len(numbers)) < len(numbers) // 2 for _ in range(_SPLITS)])[:, number]
    sides = np.concatenate([halves, ~halves]).astype(np.float64)  # (2 splits, N): who chooses
    means = values @ sides.T / sides.sum(axis=1)
    chosen = [choose(column) for column in means.T]
    expected = np.sum(values[chosen] * (1 - sides)) / _SPLITS
    return float((values[choose(values.mean(axis=1))].sum() - expected) / values.shape[1])
