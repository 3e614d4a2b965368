"""What is learned from saved sessions: their objects, on open images or on those of files."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers._source import layer_source as opened_from
from PIL import Image as Picture

from napari_dextr.errors import DataError
from napari_dextr.image import as_plane
from napari_dextr.napari_io.planes import Plane
from napari_dextr.napari_io.saved_session import describe
from napari_dextr.napari_io.training_layers import layer_source
from napari_dextr.napari_io.training_sessions import session_source
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import Session
from napari_dextr.session.autosave import Journal
from napari_dextr.session.patches import SparseLabels
from napari_dextr.training.annotated import file_key
from napari_dextr.training.crops import cut
from napari_dextr.training.joined import JoinedSource
from napari_dextr.training.survey import survey

SHAPE = (90, 100)


def silent(_line):
    pass


def noise(shape=SHAPE, dtype=np.uint8):
    return (np.random.default_rng(0).random(shape) * np.iinfo(dtype).max).astype(dtype)


def accept(session, top, left=10):
    for point in [(top, left + 10), (top + 9, left), (top + 19, left + 10), (top + 9, left + 20)]:
        session.add_point("extreme", point)
    request = session.begin()
    region = (slice(top, top + 20), slice(left, left + 21))
    values = np.ones((20, 21), np.float32)
    session.finish(request.serial, Segmentation(values, region, SHAPE, request.prompt, 0.9, "fake", 0.5))
    session.accept()


def journal_of(folder, image, planes):
    """The journal of a session that accepted two objects on each plane, one of class "cell", and died."""
    session = Session()
    session.go_to((image, planes[0]))
    session.bind(Image(np.zeros(image.data.shape[: image.ndim]), name="mine"), SparseLabels(np.uint16))
    journal = Journal(folder, session, describe)
    number = session.add_class("cell").id
    for plane in planes:
        session.go_to((image, plane))
        session.set_class(None, None)
        accept(session, 5)
        session.set_class(None, number)
        accept(session, 50, left=40)
    return journal.path


def flat(image):
    return [Plane((image.ndim - 2, image.ndim - 1), (0,) * image.ndim)]


def from_file(path, pixels):
    with opened_from(path=str(path)):
        return Image(pixels, name="cells")


def masks():
    first, second = np.zeros((2, *SHAPE), bool)
    first[5:25, 10:31], second[50:70, 40:61] = True, True
    return first, second


@pytest.mark.parametrize("kind", ["grey", "colour", "16 bit"])
def test_objects_lie_on_the_image_of_the_file(tmp_path, kind):
    pixels = noise((*SHAPE, 3)) if kind == "colour" else noise()
    if kind == "16 bit":
        pixels = noise(dtype=np.uint16) // 64
        tifffile.imwrite(tmp_path / "a.tif", pixels)
        image, limits = from_file(tmp_path / "a.tif", pixels), (float(pixels.min()), float(pixels.max()))
    else:
        Picture.fromarray(pixels).save(tmp_path / "a.png")
        image, limits = from_file(tmp_path / "a.png", pixels), None
    source = session_source(journal_of(tmp_path / "sessions", image, flat(image)))
    found = survey(source, model="fake")
    assert (found.objects, found.images, found.untouched) == (2, 1, 2)
    assert found.classes == {"": 1, "cell": 1}
    for crop, mask in zip(source.crops(48, 0, silent), masks(), strict=True):
        expected = cut(as_plane(pixels, limits=limits), mask, None, 48)
        np.testing.assert_array_equal(crop.image, expected.image)
        np.testing.assert_array_equal(crop.mask, expected.mask)


def test_planes_of_a_stack_in_a_file_are_images(tmp_path):
    pixels = noise((5, *SHAPE))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    image = from_file(tmp_path / "a.tif", pixels)
    planes = [Plane((1, 2), (n, 0, 0)) for n in (1, 3)]
    source = session_source(journal_of(tmp_path, image, planes))
    assert {part.key for part in source.images} == {file_key(tmp_path / "a.tif", (n,)) for n in (1, 3)}
    crops = list(source.crops(48, 0, silent))
    expected = [cut(as_plane(pixels[n]), mask, None, 48).image for n in (1, 3) for mask in masks()]
    assert all(any(np.array_equal(crop.image, other) for other in expected) for crop in crops)
    assert len(crops) == 4


def test_an_image_that_is_open_is_taken_as_it_is_shown(tmp_path):
    viewer = ViewerModel()
    image = viewer.add_image(noise(dtype=np.uint16), name="cells", contrast_limits=(100, 20_000))
    journal = journal_of(tmp_path, image, flat(image))
    with pytest.raises(DataError, match="does not say from which file 'cells' was opened"):
        session_source(journal)
    crops = list(session_source(journal, viewer).crops(48, 0, silent))
    expected = [cut(as_plane(image.data, limits=(100, 20_000)), mask, None, 48) for mask in masks()]
    np.testing.assert_array_equal(crops[0].image, expected[0].image)
    np.testing.assert_array_equal(crops[1].image, expected[1].image)
    labels = viewer.add_labels(masks()[0].astype(int))
    joined = JoinedSource([session_source(journal, viewer), layer_source(labels, image)])
    assert survey(joined).objects == 2  # what is in both counts once
    assert survey(joined).images == 1


def test_a_file_that_is_gone_is_a_refusal(tmp_path):
    Picture.fromarray(noise()).save(tmp_path / "a.png")
    image = from_file(tmp_path / "a.png", noise())
    source = session_source(journal_of(tmp_path, image, flat(image)))
    (tmp_path / "a.png").unlink()
    assert "a.png' of the saved session is not there any more" in survey(source).refusal
    with pytest.raises(DataError, match="'cells' cannot be used"):
        list(source.crops(48, 0, silent))


def test_axes_in_another_order_need_the_open_image(tmp_path):
    pixels = noise((*SHAPE, 7))
    image = from_file(tmp_path / "a.tif", pixels.copy())
    journal = journal_of(tmp_path, image, [Plane((0, 1), (0, 0, 2))])
    with pytest.raises(DataError, match="axes in another order"):
        session_source(journal)
    viewer = ViewerModel()
    viewer.add_layer(image)
    crop = next(iter(session_source(journal, viewer).crops(48, 0, silent)))
    np.testing.assert_array_equal(crop.image, cut(as_plane(pixels[..., 2]), masks()[0], None, 48).image)


def test_other_files_and_empty_sessions_are_refused(tmp_path):
    (tmp_path / "a.dextr-session").write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="is no saved session"):
        session_source(tmp_path / "a.dextr-session")
    session = Session()
    journal = Journal(tmp_path, session, describe)
    with pytest.raises(DataError, match="holds no object"):
        session_source(journal.path)


def test_planes_of_a_stack_that_show_the_same_objects_are_one_image(tmp_path):
    pixels = noise((5, *SHAPE))
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    image = from_file(tmp_path / "a.tif", pixels)
    source = session_source(journal_of(tmp_path, image, [Plane((1, 2), (n, 0, 0)) for n in (3, 1, 4)]))
    before = {part.key[2]: part.neighbours for part in source.images}
    assert before == {
        (1,): (None,), (3,): (file_key(tmp_path / "a.tif", (1,)),), (4,): (file_key(tmp_path / "a.tif", (3,)),),
    }  # fmt: skip
