"""What is learned from layers: which belong together, and that crops are what Annotate shows the network."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import DataError
from napari_dextr.image import as_plane
from napari_dextr.napari_io.label_layers import new_preview
from napari_dextr.napari_io.planes import current_plane, read_plane, shown_limits
from napari_dextr.napari_io.training_layers import found_pairs, layer_source
from napari_dextr.training.annotated import Choice, file_key
from napari_dextr.training.crops import IGNORE, OBJECT, cut
from napari_dextr.training.survey import survey

SHAPE = (80, 100)


def silent(_line):
    pass


def squares(shape=SHAPE):
    labels = np.zeros(shape, np.uint16)
    labels[..., 8:28, 10:30], labels[..., 45:70, 50:80] = 1, 2
    return labels


def noise(shape=SHAPE, dtype=np.uint8, seed=0):
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (np.random.default_rng(seed).random(shape) * top).astype(dtype)


def crops_of(source, side=48):
    return list(source.crops(side, 0, silent))


def as_annotate_sees_it(image, viewer, mask, side=48):
    """A crop cut from what Annotate hands to the model."""
    plane = as_plane(read_plane(image, current_plane(image, viewer.dims)), limits=shown_limits(image))
    return cut(plane, mask, None, side)


# -- which layers ---------------------------------------------------------------------------------------------------


def test_labels_find_their_images_and_previews_are_no_labels():
    viewer = ViewerModel()
    below = viewer.add_image(noise(), name="below")
    viewer.add_image(noise((50, 50)), name="small")
    mine = viewer.add_labels(squares())
    viewer.add_layer(new_preview(below))
    lonely = viewer.add_labels(squares((30, 30)), translate=(500, 500))
    viewer.add_points(np.zeros((1, 2)))
    assert found_pairs(viewer) == [(mine, below), (lonely, None)]
    mine.name = "DEXTR preview"  # a user may call it so
    assert found_pairs(viewer)[0] == (mine, below)


def test_labels_that_cover_a_part_of_an_image_belong_to_it():
    viewer = ViewerModel()
    image = viewer.add_image(noise((200, 200)), scale=(0.5, 0.5))
    part = viewer.add_labels(squares(), scale=(0.5, 0.5), translate=(20, 30))
    viewer.add_labels(squares(), scale=(0.4, 0.4))
    assert [pair[1] for pair in found_pairs(viewer)] == [image, None]
    assert len(crops_of(layer_source(part, image))) == 2


def test_labels_of_annotate_are_taken(annotate):
    _, image, labels = annotate()
    source = layer_source(labels, image)
    found = survey(source, model="embedded")
    assert found.classes == {"nucleus": 2, "debris": 1}
    assert (found.objects, found.images, found.untouched) == (3, 2, 0)  # one was corrected, two have no model


def test_classes_come_from_a_table_that_somebody_else_made():
    viewer = ViewerModel()
    image = viewer.add_image(noise())
    labels = viewer.add_labels(squares(), features={"index": [0, 1, 2], "class": [None, "cell", "cell"]})
    assert survey(layer_source(labels, image)).classes == {"cell": 2}


# -- pixels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "rgb", "rgba", "pyramid", "dask", "zarr", "bool"])
def test_crops_are_what_annotate_shows_the_network(kind, tmp_path):
    viewer, labels = ViewerModel(), squares()
    if kind in ("uint8", "uint16", "float32"):
        image = viewer.add_image(noise(dtype=kind))
        low, high = image.contrast_limits
        image.contrast_limits = (low + 0.2 * (high - low), high - 0.3 * (high - low))
    elif kind in ("rgb", "rgba"):
        image = viewer.add_image(noise((*SHAPE, len(kind))), rgb=True)
    elif kind == "pyramid":
        fine = noise((800, 1000), np.uint16)
        labels = np.kron(labels, np.ones((10, 10), np.uint16))
        image = viewer.add_image([fine, fine[::4, ::4], fine[::8, ::8]], multiscale=True)
    elif kind == "dask":
        da = pytest.importorskip("dask.array")
        image = viewer.add_image(da.from_array(noise(dtype=np.uint16), chunks=(32, 32)))
    elif kind == "zarr":
        zarr = pytest.importorskip("zarr")
        stored = zarr.open(str(tmp_path / "a.zarr"), mode="w", shape=SHAPE, chunks=(32, 32), dtype="uint16")
        stored[:] = noise(dtype=np.uint16)
        image = viewer.add_image(stored)
    else:
        image = viewer.add_image(noise() > 100)
    layer = viewer.add_labels(labels)
    for label, crop in enumerate(crops_of(layer_source(layer, image, viewer)), start=1):
        expected = as_annotate_sees_it(image, viewer, labels == label)
        np.testing.assert_array_equal(crop.mask, expected.mask)
        np.testing.assert_array_equal(crop.image, expected.image)
        assert crop.image.std() > 4  # of a picture that is nothing but noise, most is averaged away


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)])
def test_planes_are_taken_along_the_axes_on_the_screen(order):
    viewer = ViewerModel()
    stack = np.zeros((60, 70, 80), np.uint8)
    stack[10:40, 20:50, 30:70] = 1
    image = viewer.add_image(noise(stack.shape))
    layer = viewer.add_labels(stack)
    viewer.dims.order = order
    viewer.dims.set_point(order[0], 35)
    source = layer_source(layer, image, viewer)
    assert len(source.images) == stack.shape[order[0]]
    axes = sorted(order[1:])
    assert {plane.shape for plane in source.images} == {tuple(stack.shape[axis] for axis in axes)}
    mask = np.take(stack, 35, order[0]) > 0
    expected = as_annotate_sees_it(image, viewer, mask)
    shown = [plane for plane in source.images if plane.name.endswith("plane 35")]
    ((_, at, own, _),) = [part for _, _, parts in Choice(shown) for part in parts]
    np.testing.assert_array_equal(cut(shown[0].plane(), own, None, 48, at).image, expected.image)
    assert len(crops_of(source)) == (stack > 0).any(axis=tuple(axes)).sum()


def test_without_a_viewer_and_in_3d_planes_are_the_last_two_axes():
    viewer = ViewerModel()
    image = viewer.add_image(noise((3, 4, *SHAPE)))
    layer = viewer.add_labels(np.stack([np.stack([squares()] * 4)] * 3))
    assert len(layer_source(layer, image).images) == 12
    viewer.dims.ndisplay = 3
    assert layer_source(layer, image, viewer).images[0].shape == SHAPE


def test_each_plane_of_a_stack_of_pictures_is_an_image():
    viewer = ViewerModel()
    image = viewer.add_image(noise((5, *SHAPE)))
    planes = [np.roll(squares(), 4 * n, axis=1) * (n != 2) for n in range(5)]
    planes[1], planes[4] = planes[1][::-1], planes[4][::-1]
    layer = viewer.add_labels(np.stack(planes))
    source = layer_source(layer, image)
    assert survey(source).images == 4
    kept, held = source.split(0.25, 0)
    assert not {plane.key for plane in kept.images} & {plane.key for plane in held.images}
    assert len(crops_of(kept)) + len(crops_of(held)) == 8


def test_shifted_labels_lie_on_the_right_pixels():
    viewer = ViewerModel()
    pixels = noise((200, 240))
    image = viewer.add_image(pixels, scale=(2, 2), translate=(7, 7))
    layer = viewer.add_labels(squares(), scale=(2, 2), translate=(7 + 2 * 30, 7 + 2 * 41))
    whole = np.zeros((200, 240), np.uint16)
    whole[30:110, 41:141] = squares()
    for label, crop in enumerate(crops_of(layer_source(layer, image)), start=1):
        np.testing.assert_array_equal(crop.image, cut(as_plane(pixels), whole == label, None, 48).image)
    over = viewer.add_labels(squares(), scale=(2, 2), translate=(7 - 2 * 15, 7 + 2 * 200))
    (crop,) = crops_of(layer_source(over, image, least_area=10))
    assert (crop.mask & OBJECT).any()  # the one that still lies on the image, in part


def test_layers_that_do_not_fit_are_refused():
    viewer = ViewerModel()
    image, stack = viewer.add_image(noise(), name="cells"), viewer.add_image(noise((3, *SHAPE)), name="stack")
    layer = viewer.add_labels(squares(), name="mine")
    with pytest.raises(DataError, match="No image lies under 'mine'"):
        layer_source(layer, None)
    with pytest.raises(DataError, match="'mine' has 2 axes, but 'stack' has 3"):
        layer_source(layer, stack)
    layer.rotate = 10
    with pytest.raises(DataError, match="do not lie on those of 'cells'"):
        layer_source(layer, image)
    with pytest.raises(DataError, match="lies beside"):
        layer_source(viewer.add_labels(np.zeros((2, *SHAPE), int), translate=(9, 0, 0)), stack)


def test_pixels_without_numbers_are_unknown():
    viewer = ViewerModel()
    pixels = noise(dtype=np.float32)
    pixels[:12] = np.nan
    image, layer = viewer.add_image(pixels), viewer.add_labels(squares())
    first, second = crops_of(layer_source(layer, image))
    assert (first.mask & IGNORE).any()
    assert first.image.std() > 10
    assert not (second.mask & IGNORE).any()
    empty = viewer.add_image(np.full(SHAPE, np.nan, np.float32))
    assert "no numbers (NaN)" in survey(layer_source(layer, empty)).refusal


def test_crowds_of_a_coco_file_count_for_nothing():
    viewer = ViewerModel()
    image, layer = viewer.add_image(noise()), viewer.add_labels(squares())
    layer.metadata["napari_dextr"] = {"coco": {"crowds": [2]}}
    assert len(crops_of(layer_source(layer, image))) == 1


# -- what happens meanwhile -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("accident", ["removed", "replaced", "labels erased", "limits changed"])
def test_what_was_taken_is_used_whatever_happens_to_the_layers(accident):
    viewer = ViewerModel()
    image, layer = viewer.add_image(noise(dtype=np.uint16)), viewer.add_labels(squares())
    expected = crops_of(layer_source(layer, image))
    source = layer_source(layer, image)
    assert survey(source).objects == 2
    if accident == "removed":
        viewer.layers.clear()
    elif accident == "replaced":
        layer.data, image.data = np.zeros((5, 5), int), noise((5, 5))
    elif accident == "labels erased":
        layer.data[:] = 0
    else:
        image.contrast_limits = (0, 10)
    for one, other in zip(crops_of(source), expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_a_background_thread_touches_no_layer(monkeypatch):
    viewer = ViewerModel()
    image, layer = viewer.add_image(noise(dtype=np.uint16)), viewer.add_labels(squares())
    source = layer_source(layer, image, viewer)
    for owner in (type(image), type(layer)):
        monkeypatch.setattr(owner, "data", property(lambda _self: pytest.fail("a layer was touched")))
    found = []
    thread = threading.Thread(target=lambda: found.append((survey(source), crops_of(source), source.facts())))
    thread.start()
    thread.join(60)
    assert found[0][0].objects == len(found[0][1]) == 2


def test_pixels_that_cannot_be_read_any_more_say_so():
    da = pytest.importorskip("dask.array")

    there = [True]

    def gone(block):
        if not there:
            raise OSError("the drive is not there")
        return block

    viewer = ViewerModel()
    lost = da.map_blocks(
        gone, da.zeros(SHAPE, chunks=SHAPE, dtype=np.uint8), dtype=np.uint8, meta=np.zeros((0, 0), np.uint8)
    )
    image = viewer.add_image(lost, name="lost", contrast_limits=(0, 255))
    source = layer_source(viewer.add_labels(squares(), name="mine"), image)
    there.clear()
    assert survey(source).refusal is None  # the image is not read
    with pytest.raises(DataError, match="'lost' cannot be used: .*the drive is not there"):
        crops_of(source)


# -- identity -------------------------------------------------------------------------------------------------------


def test_images_of_files_are_known_by_their_file(tmp_path):
    from napari.layers import Image
    from napari.layers._source import layer_source as opened_from

    with opened_from(path=str(tmp_path / "a.png")):
        image, stack = Image(noise(), name="a"), Image(noise((3, *SHAPE)))
    viewer = ViewerModel()
    layer, deep = viewer.add_labels(squares()), viewer.add_labels(np.stack([squares()] * 3))
    assert [plane.key for plane in layer_source(layer, image).images] == [file_key(tmp_path / "a.png")]
    assert [plane.key for plane in layer_source(deep, stack).images] == [
        file_key(tmp_path / "a.png", (n,)) for n in range(3)
    ]
    one, other = viewer.add_image(noise()), viewer.add_image(noise())
    keys = {layer_source(layer, image).images[0].key for image in (one, one, other)}
    assert len(keys) == 2


def test_planes_of_a_coco_file_are_known_by_their_pictures(tmp_path):
    viewer = ViewerModel()
    entries = [{"index": [n], "file_name": f"{n}.png", "height": 60, "width": 90} for n in range(2)]
    coco = {"coco": {"root": str(tmp_path), "images": entries}}
    image = viewer.add_image(noise((2, *SHAPE)), metadata={"napari_dextr": coco})
    layer = viewer.add_labels(np.stack([squares()] * 2), metadata={"napari_dextr": coco})
    layer.data[:, 65:, 85:] = 3  # where the stack is filled up, beyond the pictures
    source = layer_source(layer, image)
    assert [plane.key for plane in source.images] == [file_key(tmp_path / f"{n}.png") for n in range(2)]
    assert {plane.shape for plane in source.images} == {(60, 90)}
    assert len(crops_of(source)) == 4


def test_facts_are_plain_and_tell_limits_apart():
    viewer = ViewerModel()
    image, layer = viewer.add_image(noise(dtype=np.uint16)), viewer.add_labels(squares(), name="mine")
    facts = layer_source(layer, image).facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["annotations"] == "mine"
    image.contrast_limits = (0, 900)
    assert layer_source(layer, image).facts() != facts


def test_objects_that_stay_over_time_are_on_one_side():
    viewer = ViewerModel()
    image = viewer.add_image(noise((3, 2, *SHAPE)))
    depths = np.stack([squares(), np.roll(squares(), 40, axis=1)])
    layer = viewer.add_labels(np.stack([depths] * 3))
    kept, held = layer_source(layer, image).split(0.5, 0)
    sides = [{plane.name[-1] for plane in part.images} for part in (kept, held)]
    assert sorted(map(sorted, sides)) == [["0"], ["1"]]
