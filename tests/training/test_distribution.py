"""Several processes: two on the processor, checked against each other and against one alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_dextr.errors import DataError
from napari_dextr.training.distribution import World

from .child import make_trainer

STEPS = 12


def test_alone_everything_is_as_it_was():
    world = World()
    assert (world.first, world.share(7), world.seed(1, 2)) == (True, 7, (1, 2))
    assert world.mean([1.0, 2.0]) == [1.0, 2.0]
    assert world.tell({"a": 1}) == {"a": 1}
    module = torch.nn.Linear(1, 1)
    assert world.wrap(module, torch.device("cpu")) is module
    world.average_statistics(module)
    world.leave()


def test_shares_are_equal_and_seeds_are_not():
    worlds = [World(rank, 3, rank) for rank in range(3)]
    assert [world.share(8) for world in worlds] == [3, 3, 3]
    assert len({world.seed(0, 5) for world in worlds}) == 3
    assert [world.first for world in worlds] == [True, False, False]


def test_each_process_has_a_card_of_its_own(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for available, auto in ((True, "cuda:1"), (False, "auto")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=available: there)
        found = [World(1, 2, 1).device(name) for name in ("cpu", "cuda", "cuda:3", "auto")]
        assert found == ["cpu", "cuda:1", "cuda:3", auto]
    assert World().device("cuda") == "cuda"
    assert set(chosen) == {1}


def test_outside_of_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert World.join() == World()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert World.join() == World()


def test_half_a_description_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(DataError, match=r"RANK.*torchrun"):
        World.join()


@pytest.fixture(scope="module")
def both(store, tmp_path_factory):
    """What two processes under torchrun reported."""
    run = tmp_path_factory.mktemp("world")
    child = Path(__file__).with_name("child.py")
    crops = Path(store.images.filename).parent
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", child, run, crops, STEPS, "world"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((run / f"rank{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


@pytest.mark.long
def test_all_processes_end_with_the_same_network(both):
    assert [result["rank"] for result in both] == [0, 1]
    assert all(result["alike"] for result in both)
    assert both[0]["curve"] == both[1]["curve"]
    assert both[0]["best"] == both[1]["best"]
    assert [result["samples"] for result in both] == [2, 2]


@pytest.mark.long
def test_a_stop_asked_of_one_ends_all_and_the_run_resumes(both):
    assert both[0]["stopped"] == both[1]["stopped"] == STEPS // 2 + 1
    for result in both:
        assert result["began"] == result["stopped"]
        assert result["curve"][result["began"] :] == result["rest"]
        assert result["resumed alike"]
        assert result["best"][0] == result["best"][1]


@pytest.mark.long
def test_two_halves_of_a_batch_learn_like_one_whole(both, store, tmp_path):
    alone = [update.loss for update in make_trainer(tmp_path, store, store, steps=STEPS).train()]
    together = both[0]["curve"]
    assert alone != together  # other samples
    assert sum(together) / STEPS == pytest.approx(sum(alone) / STEPS, rel=0.15)
