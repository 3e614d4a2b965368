"""A training that learns nothing but obeys: it holds, fails, pauses and stops as a test tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_dextr.models.catalogue import EMBEDDED_FILE
from napari_dextr.training.finetune import Outcome
from napari_dextr.training.update import Update
from napari_dextr.training.verdict import Verdict
from napari_dextr.widgets.model_box import ModelBox

STEPS = 5
CUTTING = -1  # what comes before the first step, as a step to hold at
HELPS = Verdict(True, 0.71, 0.86, 0.15, 0.08, 0.21, 6, 2)
NO_HELP = Verdict(False, 0.86, 0.85, -0.01, -0.03, 0.01, 6, 2)


def update(step: int, **others: Any) -> Update:
    values: dict[str, Any] = {
        "step": step, "steps": STEPS, "loss": 1 / step, "learning_rate": 1e-4, "train_iou": 0.8,
        "validation": {"own": 0.8} if step == STEPS else None, "samples_per_second": 20.0, "outside_network": 0.1,
        "seconds_left": float(STEPS - step), "ended": "finished" if step == STEPS else "",
    }  # fmt: skip
    return Update(**{**values, **others})


@dataclass
class Stage:
    """What the fake trainings of a test do, and what they did."""

    verdict: Verdict | None = HELPS
    error: Exception | None = None
    error_at: int = 3
    hold_at: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    made: list[FakeTuning] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let every training go on: no thread may stay behind."""
        self.gate.set()
        for tuning in self.made:
            tuning.going.set()

    def make(self, plan: Any, progress: Callable[[str], None]) -> Any:
        self.made.append(FakeTuning(self, plan, progress))
        return self.made[-1]


class FakeTuning:
    """Does five steps in its folder; holds, fails, pauses and stops as it is told."""

    def __init__(self, stage: Stage, plan: Any, progress: Callable[[str], None]) -> None:
        self.stage, self.plan, self.progress = stage, plan, progress
        self.outcome: Outcome | None = None
        self.stopped = threading.Event()
        self.going = threading.Event()
        self.going.set()

    def run(self) -> Iterator[Update]:
        folder = Path(self.plan.out)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text("{}", encoding="utf-8")
        self.progress("Cutting out the objects")
        if self.stage.hold_at == CUTTING:
            self.stage.reached.set()
            assert self.stage.gate.wait(60)
            if self.stopped.is_set():
                return
        ended = "finished"
        try:
            for step in range(1, STEPS + 1):
                if self.stage.error is not None and step == self.stage.error_at:
                    raise self.stage.error
                assert self.going.wait(60)
                if step == self.stage.hold_at:
                    self.stage.reached.set()
                    assert self.stage.gate.wait(60)
                (folder / "last.pt").write_text(str(step), encoding="utf-8")
                stop = self.stopped.is_set()
                yield update(step, ended="stopped") if stop else update(step)
                if stop:
                    ended = "stopped"
                    break
        finally:
            self.stage.closed.set()
        (folder / "best.safetensors").write_bytes(EMBEDDED_FILE.read_bytes())
        self.outcome = Outcome(
            folder / "best.safetensors", STEPS, STEPS, {"own": 0.7}, {"own": 0.8}, 0.5, ended, self.stage.verdict,
            folder / "best.safetensors",
        )  # fmt: skip

    def stop(self) -> None:
        self.stopped.set()
        self.going.set()

    def pause(self) -> None:
        self.going.clear()

    def resume(self) -> None:
        self.going.set()


class Annotate:
    """As much of the Annotate widget as is asked for."""

    def __init__(self) -> None:
        self.models = ModelBox("embedded", "cpu")
        self.chosen: list[str] = []
        self.models.chosen.connect(lambda source, _: self.chosen.append(source))


def fill(viewer: Any, objects: int = 6) -> None:
    """An image ``cells``, and a Labels layer ``objects`` with at most six squares."""
    rng = np.random.default_rng(0)
    viewer.add_image(rng.integers(0, 255, (80, 80), np.uint8), name="cells")
    labels = np.zeros((80, 80), np.uint16)
    for number in range(objects):
        row, col = 4 + 26 * (number // 3), 4 + 26 * (number % 3)
        labels[row : row + 16, col : col + 16] = number + 1
    viewer.add_labels(labels, name="objects")


def runs(library: Path) -> list[Path]:
    """Folders of the runs beside a library."""
    folder = library.parent / "runs"
    return list(folder.iterdir()) if folder.is_dir() else []
