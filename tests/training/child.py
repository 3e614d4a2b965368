"""A training in a process of its own, for tests that kill it or run several of it; a script, not a test.

``child.py RUN STORE STEPS PAUSE``: trains; at PAUSE ("step:3", "fsync:1", "replace:1", "replace:2", "lock" or "") it
prints "here" and waits to be killed. Under torchrun, with PAUSE "world": see `several`. With PAUSE "tune:3", RUN is
that of a fine-tuning whose plan is in it, which is gone on with until step 3.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch

from napari_dextr.models.compact import CompactNet
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.crops import CropStore
from napari_dextr.training.distribution import World
from napari_dextr.training.finetune import FineTuning
from napari_dextr.training.loop import Trainer
from napari_dextr.training.sampling import Sampler

SHARES = {"upright": 1.0, "turning": 1.0}


def make_network() -> CompactNet:
    torch.manual_seed(0)
    return CompactNet(widths=(8, 12, 16), blocks=(1, 1, 1), decoder=8, pools=(2,))


def settings(**changes) -> TrainConfig:
    plain = {"steps": 6, "canvases": ((64, 1.0),), "batch": 4, "validate_every": 3, "shares": SHARES, "average": 0.9}
    return TrainConfig(**{**plain, "turning": ("turning",), "pictures": 0, "checkpoint_seconds": 0, **changes})


def make_trainer(run, store, validation=None, network=None, *, world=None, **changes) -> Trainer:
    config = settings(**changes)
    return Trainer(network or make_network(), Sampler.of(store, config), config, run, validation, world=world)


def tune(run: str, until: int) -> None:
    for update in FineTuning.open(run).run():
        if update.step == until:
            wait()


def wait() -> None:
    print("here", flush=True)
    sys.stdin.read()


def one(run: str, store: str, steps: int, pause: str) -> None:
    crops = CropStore.open(store)
    updates = make_trainer(run, crops, crops, steps=steps, checkpoint_every=1).train()
    what, _, number = pause.partition(":")
    if what == "lock":
        next(updates)
        wait()
    for update in updates:
        print(json.dumps({"step": update.step, "loss": update.loss}), flush=True)
        if what == "step" and update.step == int(number):
            wait()
        if what in ("fsync", "replace") and update.step == 2:
            _pause_at(what, int(number))


def _pause_at(name: str, count: int) -> None:
    """Stop at the so many-th call of a function of `os`, before it does anything."""
    real, left = getattr(os, name), [count]

    def paused(*words):
        left[0] -= 1
        if not left[0]:
            wait()
        return real(*words)

    setattr(os, name, paused)


def several(run: str, store: str, steps: int) -> None:
    """Train whole, and once more with a stop in between; compare all of it over the processes."""
    world = World.join()
    crops = CropStore.open(store)

    def weights(trainer: Trainer) -> torch.Tensor:
        return torch.cat([value.flatten().double() for value in trainer.learner.network.state_dict().values()])

    def gathered(trainer: Trainer) -> list[torch.Tensor]:
        mine = weights(trainer)
        found = [torch.empty_like(mine) for _ in range(world.size)]
        torch.distributed.all_gather(found, mine)
        return found

    whole = make_trainer(f"{run}/whole", crops, crops, world=world, steps=steps)
    curve = [update.loss for update in whole.train()]
    cut = make_trainer(f"{run}/cut", crops, crops, world=world, steps=steps)
    for update in cut.train():
        if update.step == steps // 2 and world.rank == 1:
            cut.stop()  # asked of one process, it ends all of them at the same step
    stopped = cut.step
    world.tell(None)  # the checkpoint is on disk
    resumed = make_trainer(f"{run}/cut", crops, crops, world=world, steps=steps)
    began = resumed.step
    rest = [update.loss for update in resumed.train()]
    first, second = gathered(whole)
    result = {
        "rank": world.rank,
        "alike": bool(torch.equal(first, second)),
        "resumed alike": bool(torch.equal(gathered(resumed)[0], first)),
        "samples": world.share(4),
        "stopped": stopped,
        "began": began,
        "curve": curve,
        "rest": rest,
        "best": [whole.best.iou, resumed.best.iou],
    }
    Path(run, f"rank{world.rank}.json").write_text(json.dumps(result), encoding="utf-8")
    torch.distributed.barrier()  # nobody hangs up while another still talks
    world.leave()
    # PyTorch's own threads now and then abort a process that ends right after leaving (SIGABRT while it is torn down)
    os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[4].startswith("tune:"):
        tune(sys.argv[1], int(sys.argv[4].removeprefix("tune:")))
    elif sys.argv[4] == "world":
        several(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        one(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
