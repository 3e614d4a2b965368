"""What a fine-tuning came to, and the file in its run folder that says so."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..files import atomic_write
from .judging import JudgedObject, read_comparisons, write_comparisons
from .verdict import Verdict

MODEL = "best.safetensors"
TUNED = "tuned.safetensors"
OUTCOME = "outcome.json"
COMPARISONS = "comparisons.npz"


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes
    ----------
    model : path
        The checkpoint to use, which `napari_dextr.load_model` opens; so does it the run folder. Where the verdict is
        no, it is the model that the run started from.
    steps, best_step : int
        Steps done in the last stage, and where the weights of the new model are from; 0 is the start.
    before, after : mapping of str to float
        Mean IoU on the judging objects; empty without any, and ``before`` for a start from scratch.
    threshold : float
        Probability above which a pixel counts, of the new model.
    ended : str
        As `napari_dextr.training.loop.Update.ended`.
    verdict : Verdict or None
        None where nothing was to judge, nothing was there to compare with, or the run was stopped too early.
    tuned : path or None
        The new model, whatever the verdict; None where it was not even trained, as nothing spoke for it.
    objects : tuple of JudgedObject
        A few of the judging objects, to be looked at.
    """

    model: Path
    steps: int
    best_step: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    threshold: float
    ended: str
    verdict: Verdict | None = None
    tuned: Path | None = None
    objects: tuple[JudgedObject, ...] = ()

    def write(self, folder: Path) -> None:
        """Keep the outcome in its run folder.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if self.objects:
            write_comparisons(folder / COMPARISONS, self.objects)
        content = {
            "steps": self.steps,
            "best_step": self.best_step,
            "before": dict(self.before),
            "after": dict(self.after),
            "threshold": self.threshold,
            "ended": self.ended,
            "verdict": None if self.verdict is None else self.verdict.to_dict(),
            "tuned": self.tuned is not None,
        }
        with atomic_write(folder / OUTCOME) as part:
            part.write_text(json.dumps(content, indent=2), encoding="utf-8")


def read_outcome(folder: str | os.PathLike[str]) -> Outcome | None:
    """The outcome of a run's folder; None where the run is not over.

    Raises
    ------
    DataError
        If what is there cannot be understood.
    """
    path = Path(folder)
    try:
        content = json.loads((path / OUTCOME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"The outcome in '{path}' cannot be read ({error}); train again.") from error
    objects: tuple[JudgedObject, ...] = ()
    if (path / COMPARISONS).is_file():
        with suppress(DataError):  # only pictures are lost
            objects = tuple(read_comparisons(path / COMPARISONS))
    try:
        return Outcome(
            path / MODEL, int(content["steps"]), int(content["best_step"]), content["before"], content["after"],
            float(content["threshold"]), str(content["ended"]),
            None if content["verdict"] is None else Verdict.from_dict(content["verdict"]),
            path / TUNED if content["tuned"] else None,
            objects,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"The outcome in '{path}' cannot be understood ({error}); train again.") from error
