"""Batches: the pixels that the frame says, on any device, with objects that move to other images whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dextr.frame import Frame, resample
from napari_dextr.guidance import CHANNELS
from napari_dextr.models.house import normalise
from napari_dextr.models.triton import without_triton
from napari_dextr.training import batch as module
from napari_dextr.training.augment import Photometric
from napari_dextr.training.batch import Batch, Marks, assemble, damaged
from napari_dextr.training.store import IGNORE, OBJECT, OUTSIDE, CropStore

STILL = Photometric().times(0)
NONE = np.zeros((0, 2))


def no_marks(count):
    return [Marks(NONE, NONE, NONE, None) for _ in range(count)]


def generator():
    return torch.Generator().manual_seed(3)


def small_store(count=4):
    side = 96
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:side, :side]
    masks = np.zeros((count, side, side), np.uint8)
    images = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    for index in range(count):
        masks[index][np.hypot(rows - 48, cols - 40 - 3 * index) < 18] = OBJECT
    masks[1, :20] |= IGNORE
    masks[2:3, :, 80:] |= OUTSIDE
    return CropStore(images, masks, np.zeros(count, np.int64), ("a",))


def frames(size, store, zoom=1.0):
    angle = 0.5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    bounds = np.array([20, 20, 76, 76], float)
    corners = np.array([(bounds[i], bounds[j]) for i in (0, 2) for j in (1, 3)]) @ turn.T
    box = (*corners.min(axis=0), *corners.max(axis=0))
    side = store.masks.shape[-1]
    plain = Frame.around((20, 20, 76, 76), size, (side, side), margin=0.1 * zoom)
    return [plain, Frame.around(box, size, (side, side), margin=0.1 * zoom, turn=turn)] * (len(store) // 2)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_pixels_are_those_that_a_frame_reads(size):
    """As at inference: `Frame.read` resamples with the same blocks where the canvas is coarser."""
    store = small_store()
    seen = frames(size, store)
    batch = assemble(store, [0, 1, 2, 3], seen, no_marks(4), STILL, generator())
    for index in (0, 1, 3):
        source = torch.from_numpy(store.images[index]).permute(2, 0, 1).float()
        expected = resample(source, seen[index].inverse, (size, size))
        inside = seen[index].covers_image()
        expected = normalise(expected[None], inside[None])[0]
        both = inside & (batch.images[index] != 0).any(dim=0)
        assert both.float().mean() > 0.5
        close = ((batch.images[index] - expected).abs().amax(dim=0) < 0.02)[both]
        assert close.float().mean() > 0.99


def test_masks_labels_and_borders_follow_the_pixels():
    store = small_store()
    size = 64
    seen = frames(size, store)
    batch = assemble(store, [0, 1, 2, 3], seen, no_marks(4), STILL, generator())
    for index in range(4):
        grid = np.stack(np.mgrid[:size, :size], axis=-1).reshape(-1, 2)
        at = seen[index].to_image(grid)
        rows, cols = np.round(at).astype(int).T
        on = (rows >= 0) & (rows < 96) & (cols >= 0) & (cols < 96)
        flags = store.masks[index][rows.clip(0, 95), cols.clip(0, 95)]
        target = batch.target[index, 0].numpy().ravel() > 0
        weight = batch.weight[index, 0].numpy().ravel() > 0
        assert (target == ((flags & OBJECT > 0) & on)).mean() > 0.985
        assert (weight == ((flags & (IGNORE | OUTSIDE) == 0) & on)).mean() > 0.97
        if index == 2:
            outside = batch.images[index].numpy().reshape(3, -1)[:, (flags & OUTSIDE > 0) & ~weight]
            assert not outside.any()


def test_a_crop_alone_and_in_company_is_the_same():
    store = small_store()
    seen = frames(64, store)
    together = assemble(store, [0, 1, 2, 3], seen, no_marks(4), STILL, generator())
    for index in range(4):
        alone = assemble(store, [index], [seen[index]], no_marks(1), STILL, generator())
        torch.testing.assert_close(alone.images[0], together.images[index])
        torch.testing.assert_close(alone.weight[0], together.weight[index])


def test_a_pasted_object_stands_on_the_image_before():
    store = small_store()
    grey = np.zeros((4, 96, 96, 3), np.uint8)
    for index, level in enumerate((40, 90, 140, 190)):
        grey[index] = level
        grey[index][store.masks[index] & OBJECT > 0] = level + 20
    store = CropStore(grey, store.masks, store.groups, store.names)
    seen = [Frame.around((20, 20, 76, 76), 96, (96, 96), margin=0.1)] * 4
    pasted = np.array([True, False, True, True])
    batch = assemble(store, [0, 1, 2, 3], seen, no_marks(4), STILL, generator(), pasted)
    plain = assemble(store, [0, 1, 2, 3], seen, no_marks(4), STILL, generator())
    torch.testing.assert_close(batch.target, plain.target)
    torch.testing.assert_close(batch.images[1], plain.images[1])
    # the object keeps its shade of grey and the ground takes that of the sample before: the first, of the last
    for index, before in ((0, 190), (2, 90), (3, 140)):
        levels = batch.images[index, 0]
        inside, ground = levels[46:50, 45:50].mean(), levels[2:10, 2:10].mean()  # both away from the soft seam
        own = (40, 90, 140, 190)[index] + 20
        assert (inside > ground) == (own > before)
    assert set(batch.weight.unique().tolist()) <= {0.0, 1.0}


def test_where_a_pasted_object_has_no_ground_the_object_counts():
    store = small_store()
    seen = [Frame.around((20, 20, 76, 76), 64, (96, 96), margin=0.3)] * 4
    batch = assemble(store, [0, 1, 2, 3], seen, no_marks(4), STILL, generator(), np.array([False, False, False, True]))
    ground = assemble(store, [2], [seen[0]], no_marks(1), STILL, generator()).weight[0] > 0
    expected = ground | (batch.target[3] > 0)
    assert ((batch.weight[3] > 0) == expected).float().mean() > 0.98


def test_inputs_hold_image_and_marks_beside_each_other():
    store = small_store(2)
    batch = assemble(store, [0, 1], frames(64, store), no_marks(2), STILL, generator())
    batch.marks[1] = Marks(np.array([[10.0, 20.0]]), NONE, NONE, (5.0, 5.0, 50.0, 50.0))
    inputs = batch.inputs()
    assert inputs.shape == (2, 3 + CHANNELS, 64, 64)
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(inputs[:, :3], batch.images)
    assert not inputs[0, 3:].any()
    assert inputs[1, 3, 10, 20] == 1
    assert inputs[1, 9, 25, 25] > 0.99
    batch.marks[1].add("inside", np.array([30.0, 31.0]))
    assert batch.inputs()[1, 5, 30, 31] == 1


def test_a_batch_where_it_is_already_is_not_copied():
    store = small_store(2)
    batch = assemble(store, [0, 1], frames(64, store), no_marks(2), STILL, generator())
    assert batch.to("cpu") is batch


def test_everything_stays_on_the_batch_device():
    """Tensors that only pretend to lie on a GPU: a mixture of devices, or asking one for a value, raises."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    if torch.__version__.startswith("2.6.") and not torch.cuda.is_available():
        pytest.skip("PyTorch 2.6 asks for a driver even where tensors only pretend")
    store = small_store(4)
    seen = frames(64, store)
    marks = [Marks(np.array([[10.0, 20.0], [5.0, 6.0]]), NONE, NONE, (5.0, 5.0, 50.0, 50.0)), *no_marks(3)]
    all_on = Photometric(1, 1, 1, 1, 1, 1, 1, 1)
    changes = all_on.plan(4, generator())
    with without_triton(), FakeTensorMode(allow_non_fake_inputs=True):
        images = torch.empty(4, 3, 64, 64, device="cuda")
        changed = normalise(changes.apply(images), torch.ones(4, 64, 64, dtype=torch.bool, device="cuda"))
        assert changed.device.type == "cuda"
        planes = torch.empty(4, 1, 64, 64, device="cuda")
        batch = Batch(changed, planes, planes, marks, torch.zeros(4, 64, 64, device="cuda"))
        inputs = batch.inputs()
        assert inputs.device.type == "cuda"
        assert inputs.shape == (4, 11, 64, 64)
        assert batch.to("cpu").previous.device.type == "cpu"
        parts = module._sample(store, 1, seen[1], torch.device("cuda"))
        assert {part.device.type for part in parts} == {"cuda"}


def test_damaged_masks_resemble_the_true_one():
    mask = torch.zeros(64, 64)
    mask[20:40, 15:45] = 1
    for seed in range(10):
        soft = damaged(mask, np.random.default_rng(seed))
        assert 0 <= soft.min()
        assert soft.max() <= 1
        hard = soft > 0.5
        assert (hard & (mask > 0)).sum() / (hard | (mask > 0)).sum() > 0.5
