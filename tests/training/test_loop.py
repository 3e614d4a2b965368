"""The loop: it learns, it resumes on the same curve bit for bit, and no accident loses what was learned."""

from __future__ import annotations

import errno
import json
import zipfile
from functools import cache
from pathlib import Path

import pytest
import torch

from napari_dextr.errors import DataError, ModelError, OutputError
from napari_dextr.training import checkpoints
from napari_dextr.training.checkpoints import BEST, CHECKPOINT, EARLIER
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.crops import CropStore
from napari_dextr.training.run_folder import read_metrics

from .child import make_network, make_trainer, settings

CHILD = Path(__file__).with_name("child.py")


def state_of(trainer):
    return {name: value.clone() for name, value in trainer.learner.network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def start_child(start_python, store):
    def start(run, pause, steps=6):
        return start_python(CHILD, run, Path(store.images.filename).parent, steps, pause)

    return start


def kill(child):
    """Kill a process once it says that it is there; returns what it had reported."""
    lines = []
    for line in child.stdout:
        if line == "here\n":
            break
        lines.append(json.loads(line))
    child.kill()
    child.communicate()
    return lines


def test_updates_tell_what_happened(store, tmp_path):
    updates = list(make_trainer(tmp_path, store, store).train())
    assert [update.step for update in updates] == [1, 2, 3, 4, 5, 6]
    assert [update.validation is not None for update in updates] == [False, False, True, False, False, True]
    assert set(updates[-1].validation) == {"upright", "turning"}
    assert all(0 <= update.outside_network <= 1 and update.seconds_left >= 0 for update in updates)
    assert updates[0].learning_rate == pytest.approx(1.5e-3)
    assert updates[-1].learning_rate < updates[1].learning_rate
    assert [update.ended for update in updates] == [""] * 5 + ["finished"]
    assert updates[2].improved
    assert updates[-1].best == max(sum(u.validation.values()) / 2 for u in updates if u.validation)
    written = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert TrainConfig.from_mapping(written) == settings()


def test_it_learns(store, tmp_path):
    updates = list(make_trainer(tmp_path, store, steps=60, batch=8, validate_every=60, corrections=(1.0,)).train())
    first, last = (sum(u.loss for u in part) / 10 for part in (updates[:10], updates[-10:]))
    assert last < 0.75 * first


@pytest.mark.parametrize("ahead", [0, 2])
def test_batches_drawn_ahead_change_nothing(store, tmp_path, ahead):
    from napari_dextr.training.loop import Trainer
    from napari_dextr.training.sampling import Sampler

    config = settings(steps=4)
    plain = [update.loss for update in make_trainer(tmp_path / "plain", store, steps=4).train()]
    trainer = Trainer(make_network(), Sampler.of(store, config), config, tmp_path / "ahead", ahead=ahead)
    assert [update.loss for update in trainer.train()] == plain


# -- resuming -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole_run(store, tmp_path_factory):
    """Runs that nothing cut short, by their settings, and their curves: each is trained once."""

    @cache
    def train(**changes):
        trainer = make_trainer(tmp_path_factory.mktemp("whole"), store, store, **changes)
        return trainer, [update.loss for update in trainer.train()]

    return train


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_run_closed_at_any_step_resumes_bit_for_bit(store, tmp_path, stop, precision, whole_run):
    changes = {"precision": precision, "corrections": (0.5, 0.5)}
    whole, curve = whole_run(**changes)
    updates = make_trainer(tmp_path / "cut", store, store, **changes).train()
    losses = [next(updates).loss for _ in range(stop)]
    updates.close()
    network = make_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    resumed = make_trainer(tmp_path / "cut", store, store, network, **changes)
    assert resumed.step == stop
    assert losses + [update.loss for update in resumed.train()] == curve
    assert same(state_of(resumed), state_of(whole))
    assert same(resumed.best_state(), whole.best_state())
    assert (resumed.best.iou, resumed.best.step) == (whole.best.iou, whole.best.step)
    record = read_metrics(tmp_path / "cut")
    assert [line["step"] for line in record] == [1, 2, 3, 4, 5, 6]
    assert [line["loss"] for line in record] == curve


@pytest.mark.parametrize("pause", ["step:4", "fsync:1", "replace:1", "replace:2"])
def test_a_killed_run_resumes_on_the_same_curve(store, tmp_path, pause, start_child, whole_run):
    """Killed between steps, while the checkpoint is written, before it replaces the last, and between both moves."""
    whole, curve = whole_run(checkpoint_every=1)
    run = tmp_path / "killed"
    reported = kill(start_child(run, pause))
    assert [line["loss"] for line in reported] == curve[: len(reported)]
    resumed = make_trainer(run, store, store, checkpoint_every=1)
    assert resumed.step in (len(reported) - 1, len(reported))
    assert resumed.step > 0
    began = resumed.step
    updates = list(resumed.train())
    assert not any(update.notices for update in updates)
    assert [update.loss for update in updates] == curve[began:]
    assert same(state_of(resumed), state_of(whole))
    assert [line["loss"] for line in read_metrics(run)] == curve
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]  # no half-written files stay


def test_a_finished_run_has_nothing_left_to_do(store, tmp_path):
    list(make_trainer(tmp_path, store).train())
    again = make_trainer(tmp_path, store)
    assert list(again.train()) == []
    assert again.step == 6


def test_a_damaged_checkpoint_falls_back_to_the_one_before(store, tmp_path):
    whole = [update.loss for update in make_trainer(tmp_path, store, checkpoint_every=1, steps=4).train()]
    path = tmp_path / CHECKPOINT
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        weights = max((archive.read(name) for name in archive.namelist()), key=len)
    content[content.index(weights) + len(weights) // 2] ^= 0xFF  # not between two of them, where it does no harm
    path.write_bytes(content)
    resumed = make_trainer(tmp_path, store, checkpoint_every=1, steps=4)
    assert resumed.step == 3
    updates = list(resumed.train())
    assert "last.pt" in updates[0].notices[0]
    assert "step 3" in updates[0].notices[0]
    assert [update.loss for update in updates] == whole[3:]
    assert checkpoints.load(tmp_path)[1] is None


def test_without_any_whole_checkpoint_it_says_so(store, tmp_path):
    for name in (CHECKPOINT, EARLIER):
        (tmp_path / name).write_bytes(b"half a file")
    with pytest.raises(ModelError, match=r"cannot be resumed.*Move it away"):
        make_trainer(tmp_path, store)


def test_a_checkpoint_of_another_network_is_refused(store, tmp_path):
    list(make_trainer(tmp_path, store, steps=1).train())
    torch.manual_seed(0)
    other = type(make_network())(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), decoder=8, pools=(1,))
    with pytest.raises(ModelError, match="another network"):
        make_trainer(tmp_path, store, network=other)


def test_checkpoints_come_between_validations(store, tmp_path):
    updates = make_trainer(tmp_path, store, checkpoint_every=2, validate_every=100).train()
    next(updates)
    assert not (tmp_path / CHECKPOINT).exists()
    next(updates)
    assert checkpoints.read(tmp_path / CHECKPOINT)["step"] == 2
    by_time = make_trainer(tmp_path / "time", store, checkpoint_seconds=1e-9, validate_every=100).train()
    next(by_time)
    assert checkpoints.read(tmp_path / "time" / CHECKPOINT)["step"] == 1


# -- ends -----------------------------------------------------------------------------------------------------


def test_stop_ends_after_the_step_and_keeps_the_best(store, tmp_path):
    trainer = make_trainer(tmp_path, store, store, validate_every=2, steps=50)
    seen = []
    for update in trainer.train():
        seen.append(update)
        if update.step == 4:
            trainer.stop()
    assert [update.step for update in seen] == [1, 2, 3, 4, 5]
    assert seen[-1].ended == "stopped"
    assert checkpoints.read(tmp_path / CHECKPOINT)["step"] == 5
    best = checkpoints.read(tmp_path / BEST)
    assert best["step"] == trainer.best.step
    assert best["iou"] == max(sum(u.validation.values()) / 2 for u in seen if u.validation)
    assert same(best["averaged"], trainer.best_state())


def test_without_validation_the_averaged_weights_are_kept(store, tmp_path):
    trainer = make_trainer(tmp_path, store, validate_every=100)
    updates = trainer.train()
    next(updates)
    updates.close()
    best = checkpoints.read(tmp_path / BEST)
    assert best["step"] == 1
    assert same(best["averaged"], trainer.averaged.state_dict())


def test_it_ends_once_validation_no_longer_improves(store, tmp_path):
    trainer = make_trainer(tmp_path, store, store, steps=40, validate_every=2, patience=2, learning_rate=1e-7)
    updates = list(trainer.train())
    assert updates[-1].ended == "settled"
    assert updates[-1].step < 40
    assert trainer.best.waited == 2
    again = make_trainer(tmp_path, store, store, steps=40, validate_every=2, patience=2, learning_rate=1e-7)
    assert again.settled()
    assert list(again.train()) == []  # however often the command is repeated
    assert make_trainer(tmp_path, store, store, steps=40, validate_every=2, patience=9).settled() is False


def test_the_start_is_the_best_until_something_better_comes(store, tmp_path):
    trainer = make_trainer(tmp_path, store, store, learning_rate=0.9, steps=3, warm_up=0, decay=0, average=0.0)
    before = trainer.validate_before()
    start = trainer.best_state()
    after = sum(list(trainer.train())[-1].validation.values()) / 2
    assert trainer.best.iou == max(after, sum(before.values()) / 2)
    if after < trainer.best.iou:
        assert same(trainer.best_state(), start)
        assert trainer.best.step == 0
    assert make_trainer(tmp_path, store, store, steps=3).validate_before() == before


def test_the_average_follows_the_weights(store, tmp_path):
    trainer = make_trainer(tmp_path, store, average=0.5)
    name = "stages.0.0.conv1.weight"
    before = trainer.averaged.state_dict()[name].clone()
    list(trainer.train())
    moved, now = trainer.averaged.state_dict()[name], state_of(trainer)[name]
    assert (moved - now).abs().mean() < (before - now).abs().mean()


# -- accidents ------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_the_run_and_spoils_nothing(store, tmp_path):
    trainer = make_trainer(tmp_path, store, store, validate_every=2)
    updates = trainer.train()
    next(updates)
    next(updates)
    good = trainer.best_state()
    with torch.no_grad():
        trainer.learner.network.mask_head[1].bias.fill_(float("nan"))
    with pytest.raises(DataError, match=r"loss became nan at step 3.*lower learning rate"):
        next(updates)
    kept, notice = checkpoints.load(tmp_path)
    assert notice is None
    assert kept["step"] == 2
    assert all(bool(torch.isfinite(value).all()) for value in kept["network"].values())
    assert same(checkpoints.read(tmp_path / BEST)["averaged"], good)


def test_an_infinite_gradient_never_reaches_the_weights(store, tmp_path):
    trainer = make_trainer(tmp_path, store)
    updates = trainer.train()
    next(updates)
    before = state_of(trainer)
    trainer.learner.network.top[0].weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DataError, match="gradient became infinite"):
        next(updates)
    learned = dict(trainer.learner.network.named_parameters())
    assert all(torch.equal(before[name], value) for name, value in learned.items())


def test_a_full_disk_costs_no_checkpoint_and_no_run(store, tmp_path, monkeypatch):
    whole = [update.loss for update in make_trainer(tmp_path / "whole", store, checkpoint_every=1).train()]
    updates = make_trainer(tmp_path / "full", store, checkpoint_every=1).train()
    losses = [next(updates).loss, next(updates).loss]
    monkeypatch.setattr(checkpoints.os, "fsync", _full_disk)
    for _ in range(2):
        update = next(updates)
        losses.append(update.loss)
        assert any("disk is full" in notice and "goes on" in notice for notice in update.notices)
    assert checkpoints.load(tmp_path / "full")[0]["step"] == 2
    assert not list((tmp_path / "full").glob(".last-*"))
    monkeypatch.undo()
    update = next(updates)
    losses.append(update.loss)
    assert not update.notices
    assert checkpoints.load(tmp_path / "full")[0]["step"] == 5
    assert [*losses, next(updates).loss] == whole


def test_a_disk_that_stays_full_is_told_at_the_end(store, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints.os, "fsync", _full_disk)
    updates = make_trainer(tmp_path, store, steps=2).train()
    next(updates)
    assert next(updates).notices
    with pytest.raises(OutputError, match="disk is full"):
        next(updates)


def test_two_trainings_never_share_a_folder(store, tmp_path, start_child):
    child = start_child(tmp_path, "lock")
    try:
        assert child.stdout.readline() == "here\n"
        with pytest.raises(OutputError, match=rf"Another training \(process {child.pid} on .*\) runs in"):
            next(make_trainer(tmp_path, store).train())
    finally:
        child.kill()
        child.communicate()
    assert next(make_trainer(tmp_path, store).train()).step == 2  # the killed process's lock is stale


def test_float16_needs_a_graphics_card(store, tmp_path):
    with pytest.raises(DataError, match="float16 needs a CUDA"):
        make_trainer(tmp_path, store, precision="float16")


def test_a_canvas_that_the_network_cannot_halve_is_refused(store, tmp_path):
    network = make_network()
    network.check_canvas = lambda side: (_ for _ in ()).throw(DataError(f"no canvas of {side}"))
    with pytest.raises(DataError, match="no canvas of 64"):
        make_trainer(tmp_path, store, network=network)


# -- pictures -------------------------------------------------------------------------------------------------


def test_validations_leave_pictures(store, tmp_path):
    from PIL import Image

    list(make_trainer(tmp_path, store, store, pictures=3).train())
    assert sorted(path.name for path in (tmp_path / "overlays").iterdir()) == ["step_0000003.png", "step_0000006.png"]
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 400


def test_without_validation_crops_the_pictures_show_training_crops(store, tmp_path):
    list(make_trainer(tmp_path, store, CropStore(store.images, store.masks, store.groups[:0], ()), pictures=2).train())
    assert (tmp_path / "overlays" / "step_0000006.png").is_file()


def _full_disk(_file):
    raise OSError(errno.ENOSPC, "No space left on device")
