"""A card that runs out of memory: halves, then the processor, each time with a sentence."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.errors import ModelError
from napari_dextr.training import loop
from napari_dextr.training.learner import Learner
from napari_dextr.training.room import Room

from .child import make_trainer


def test_batches_are_halved_until_they_are_too_small_and_then_the_card_is_left():
    room = Room(torch.device("cuda"))
    assert room.of(16) == 16
    assert "8 samples" in room.make(16, 4)
    assert "4 samples" in room.make(16, 4)
    sentence = room.make(16, 4)
    assert "goes on, more slowly, on the processor" in sentence
    assert (room.device.type, room.of(16)) == ("cpu", 16)
    for _ in range(2):
        room.make(16, 4)
    with pytest.raises(ModelError, match="not enough memory"):
        room.make(16, 4)


@pytest.fixture
def narrow(monkeypatch):
    """A device that has room for so many samples only; what it was given is kept."""

    def make(most, on=None):
        real, seen = Learner.learn, []

        def learn(learner, batch, step, asked=False):
            seen.append(len(batch.marks))
            if len(batch.marks) > most and (on is None or learner.device.type == on):
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return real(learner, batch, step, asked)

        monkeypatch.setattr(Learner, "learn", learn)
        return seen

    return make


def test_a_run_goes_on_with_smaller_batches(tmp_path, store, narrow):
    seen = narrow(4)
    trainer = make_trainer(tmp_path, store, store, batch=16, steps=3)
    updates = list(trainer.train())
    assert seen == [16, 8, 4, 4, 4]
    assert [update.step for update in updates] == [1, 2, 3]
    assert [len(update.notices) for update in updates] == [2, 0, 0]
    assert updates[-1].ended == "finished"


def test_a_run_leaves_the_card_where_not_even_the_smallest_batch_fits(tmp_path, store, monkeypatch, narrow):
    trainer = make_trainer(tmp_path, store, batch=8, steps=2)
    trainer._room = Room(torch.device("cuda"))  # there is none here: what matters is that it is left
    real, moved = Learner.to, []

    def to(learner, device):
        moved.append(device.type)
        real(learner, device)

    monkeypatch.setattr(Learner, "to", to)
    real_learn = Learner.learn

    def learn(learner, batch, step, asked=False):
        if not moved:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real_learn(learner, batch, step, asked)

    monkeypatch.setattr(Learner, "learn", learn)
    trainer.device = torch.device("cuda")
    monkeypatch.setattr(loop.Trainer, "_draw", _drawn_on_the_processor)
    updates = list(trainer.train())
    assert moved == ["cpu"]
    assert trainer.device.type == "cpu"
    assert any("on the processor" in notice for notice in updates[0].notices)
    assert updates[-1].step == 2


def _drawn_on_the_processor(trainer, step):
    config = trainer.config
    return trainer.sampler.draw(trainer._room.of(config.batch), config.canvas_at(step), (0, step, 0), "cpu")


def test_a_validation_without_room_is_done_in_smaller_parts(tmp_path, store, monkeypatch):
    real, sizes = loop.validation_ious, []

    def validation_ious(network, crops, showing, **options):
        sizes.append(showing.at_once)
        if showing.at_once > 16:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(network, crops, showing, **options)

    monkeypatch.setattr(loop, "validation_ious", validation_ious)
    trainer = make_trainer(tmp_path, store, store, batch=8, steps=1)
    (update,) = trainer.train()
    assert sizes == [32, 16]
    assert update.validation
    assert update.notices


def test_a_processor_without_memory_is_one_sentence(tmp_path, store, monkeypatch):
    def learn(learner, batch, step, asked=False):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Learner, "learn", learn)
    with pytest.raises(ModelError, match="not enough memory"):
        list(make_trainer(tmp_path, store, batch=8, steps=2).train())


def test_batches_are_small_only_on_the_device_that_was_full(tmp_path, store):
    trainer = make_trainer(tmp_path, store, batch=16, steps=1)
    trainer._room.shrunk = 4
    list(trainer.train())
    assert make_trainer(tmp_path, store, batch=16, steps=2)._room.shrunk == 4
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save({**state, "shrunk_on": "cuda"}, tmp_path / "last.pt")
    assert make_trainer(tmp_path, store, batch=16, steps=2)._room.shrunk == 1
