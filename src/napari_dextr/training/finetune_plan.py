"""What a fine-tuning is asked to do, and the file in its run folder that remembers it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..files import atomic_write
from .config import TrainConfig
from .presets import DEFAULT, Preset, find_preset

if TYPE_CHECKING:
    import torch

    from ..models.spec import ModelSpec
    from .sources import Source

SCRATCH = "scratch"
PLAN = "plan.json"
GROUP = "own"  # the one group of the crop store

CROSS_VALIDATED = 40
"""Objects below which all of them learn and judge in turns; from here on a fifth judges and never learns."""

_HELD_OUT = 0.2
_COARSER = 0.7  # side of the coarse canvas, of the model's own
_FEWEST_FOLDED = 4  # objects that can be dealt out at all

FROM_SCRATCH: Mapping[str, Any] = {
    "steps": 6000, "canvases": ((128, 0.4), (192, 0.6)), "batch": 48, "validate_every": 250, "turning": (GROUP,),
    "optimizer": "muon", "learning_rate": 7e-3,
}  # fmt: skip
"""Settings where nothing is learned yet."""

PUBLISHED: Mapping[str, Any] = {
    "mask_loss": "balanced", "corrections": (1.0,), "side_loss": 0.0, "score_loss": 0.0, "openings": {"extreme": 1.0},
    "optimizer": "adamw", "learning_rate": 3e-4,
}  # fmt: skip
"""Settings that a published model needs beside those of the preset: the loss and the marks of its authors, and an
optimiser that does not ask for the singular values of matrices of 2,048 rows in every step."""


@dataclass(frozen=True)
class FineTunePlan:
    """What is trained, from what, on what.

    Attributes
    ----------
    source : Source or None
        The annotated objects, e.g. a `napari_dextr.training.sources.CocoSource`. None where a run goes on from the
        objects that its folder holds (`reopen`).
    out : path
        Run folder.
    initial : str
        What training goes on from: a name or path that `napari_dextr.load_model` takes; ``"scratch"`` for nothing.
    validation : Source, optional
        Objects that judge and never train.
    hold_out : float, optional
        Without these: share of the objects to hold out for it; 0 for no judges at all. By default as suits their
        number: below `CROSS_VALIDATED` objects they are dealt out, each part judges once a model that the others
        trained, and the model is then trained on all; from there on a fifth is held out.
    settings : mapping
        Settings of `TrainConfig` that differ from the preset's. The precision is the fastest that the device does
        well, unless it is named here.
    device : str
        A name that `napari_dextr.load_model` takes.
    side : int, optional
        Pixels of a stored crop; by default enough for the largest canvas.
    name : str, optional
        Name of the new model; by default that of the run folder.
    preset : str
        One of `napari_dextr.training.presets.PRESETS`; not for a start from scratch, which has settings of its own.
    folds : int, optional
        Into how many parts few objects are dealt out; by default as the preset says.
    usual : Preset, optional
        What the preset says; by default what it says today. `reopen` gives what it said when the run began, which
        an update of the plugin may have changed since.
    """

    source: Source | None
    out: Path
    initial: str = "embedded"
    validation: Source | None = None
    hold_out: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    side: int | None = None
    name: str | None = None
    preset: str = DEFAULT
    folds: int | None = None
    usual: Preset | None = None

    def config(self, spec: ModelSpec, device: torch.device, *, thin: bool = False) -> TrainConfig:
        """All settings, for a model to start from and the device to train on; ``thin`` are those for thin objects.

        Raises
        ------
        DataError
            If preset or settings are unknown or make no sense.
        """
        from ..models.runtime import choose_dtype

        fastest = choose_dtype("auto", device, agrees=True)
        precision = {"precision": str(fastest).removeprefix("torch.")}
        preset = self._usual()
        if self.initial == SCRATCH:
            return TrainConfig.from_mapping({**precision, **preset.settings, **self.settings})
        published = spec.pipeline == "published"
        kind = _for_published(preset) if published else {}
        coarse = preset.coarse_thin if thin else preset.coarse
        canvases = _canvases(spec.canvas, 0.0 if published else coarse)
        return TrainConfig.from_mapping(
            {**precision, "canvases": canvases, "turning": (GROUP,), **preset.settings, **kind, **self.settings}
        )

    def parts(self, objects: int) -> int:
        """Into how many parts so many objects are dealt out for cross-validation; 0 where they are not."""
        wanted = self.folds if self.folds is not None else self._usual().folds
        open_to_it = self.validation is None and self.hold_out is None and self.initial != SCRATCH
        return min(wanted, objects) if open_to_it and wanted > 1 and _FEWEST_FOLDED <= objects < CROSS_VALIDATED else 0

    def share(self, objects: int) -> float:
        """Share of so many objects that is held out, where nothing else judges."""
        if self.validation is not None or self.parts(objects):
            return 0.0
        if self.hold_out is None:
            return _HELD_OUT if self.initial != SCRATCH and objects >= CROSS_VALIDATED else 0.0
        return self.hold_out

    def steps_in_all(self, objects: int) -> int:
        """Optimiser steps of the whole run on so many objects, all rounds of a cross-validation included."""
        steps = int({**self._usual().settings, **self.settings}["steps"])
        return steps * (1 + self.parts(objects))

    def _usual(self) -> Preset:
        if self.usual is not None:
            return self.usual
        return Preset(SCRATCH, "", "", FROM_SCRATCH) if self.initial == SCRATCH else find_preset(self.preset)

    def write(self) -> None:
        """Remember the plan in its run folder.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        path = Path(self.out) / PLAN
        earlier = _read(path) or {}
        usual = self._usual()
        content = {
            "initial": str(self.initial),
            "hold_out": self.hold_out,
            "judged": self.validation is not None or bool(earlier.get("judged") and self.source is None),
            "settings": {key: _plain(value) for key, value in self.settings.items()},
            "device": self.device,
            "side": self.side,
            "name": self.name,
            "preset": self.preset,
            "folds": self.folds,
            "usual": {
                "settings": dict(usual.settings),
                "coarse": usual.coarse,
                "coarse_thin": usual.coarse_thin,
                "folds": usual.folds,
            },
            "started": earlier.get("started") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        with atomic_write(path) as part:
            part.write_text(json.dumps(content, indent=2), encoding="utf-8")

    @classmethod
    def reopen(cls, folder: str | os.PathLike[str], device: str | None = None) -> FineTunePlan:
        """The plan of a run folder, to go on with the objects that it holds.

        Parameters
        ----------
        folder : path
        device : str, optional
            Where to go on, if not where it began.

        Raises
        ------
        DataError
            If the folder holds no run, or its plan cannot be understood.
        """
        path = Path(folder) / PLAN
        if not path.is_file():
            raise DataError(f"'{folder}' is not the folder of a fine-tuning (it has no {PLAN}); choose another.")
        content = _read(path)
        try:
            if content is None:
                raise ValueError("it is damaged")
            names = ("initial", "hold_out", "settings", "device", "side", "name", "preset", "folds")
            usual = content.get("usual")  # plans of before it was kept have none
            kept = usual and _kept(content["preset"], usual)
            plan = cls(None, Path(folder), **{name: content[name] for name in names}, usual=kept)
            return plan if device is None else replace(plan, device=device)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"The plan in '{folder}' cannot be read ({error}); start the training again.") from None


def _kept(name: str, usual: Mapping[str, Any]) -> Preset:
    """A preset as a plan kept it; older plans made no difference where objects are thin."""
    coarse = usual["coarse"]
    return Preset(name, "", "", usual["settings"], coarse, usual.get("coarse_thin", coarse), usual["folds"])


def _for_published(preset: Preset) -> dict[str, Any]:
    """`PUBLISHED`, with an anchor that pulls to the start as strongly in every step as the preset's own."""
    rate, usual = PUBLISHED["learning_rate"], preset.settings
    return {**PUBLISHED, "anchor": usual.get("anchor", 0.0) * usual.get("learning_rate", rate) / rate}


def _canvases(side: int, coarse: float) -> tuple[tuple[int, float], ...]:
    """A model's canvas, after a share of the steps on a coarser one, which takes half of the time."""
    smaller = max(64, round(_COARSER * side / 32) * 32)
    return ((smaller, coarse), (side, 1 - coarse)) if 0 < coarse < 1 and smaller < side else ((side, 1.0),)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
