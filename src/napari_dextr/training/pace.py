"""How fast a training goes, and when it will be done."""

from __future__ import annotations

from .config import TrainConfig

_MEMORY = 0.95  # share of what was before in a smoothed figure: about the last twenty steps count


class Pace:
    """Smoothed speed of a run, and the time it has left, validations included.

    Attributes
    ----------
    samples_per_second : float
    outside_network : float
        Share of the steps' time that was not the network's, 0..1.
    """

    def __init__(self) -> None:
        self._seconds = self._inside = self._samples = 0.0  # per step
        self._validation = 0.0

    def step(self, seconds: float, inside: float, samples: int) -> None:
        """Count a step: its time and the network's part of it (seconds), its samples."""
        memory = _MEMORY if self._seconds else 0.0
        # times are smoothed, not speeds, whose mean would believe the quick steps
        self._seconds = memory * self._seconds + (1 - memory) * max(seconds, 1e-9)
        self._inside = memory * self._inside + (1 - memory) * inside
        self._samples = memory * self._samples + (1 - memory) * samples

    def validated(self, seconds: float) -> None:
        """Count a validation."""
        self._validation = seconds

    @property
    def samples_per_second(self) -> float:
        return self._samples / self._seconds if self._seconds else 0.0

    @property
    def outside_network(self) -> float:
        return min(1.0, max(0.0, 1 - self._inside / self._seconds)) if self._seconds else 0.0

    def seconds_left(self, config: TrainConfig, step: int) -> float:
        """Time from after ``step`` steps to the end, seconds.

        A step takes as long on a large canvas as on a small one, for its batch is smaller by as much.
        """
        validations = config.steps // config.validate_every - step // config.validate_every
        return (config.steps - step) * self._seconds + validations * self._validation
