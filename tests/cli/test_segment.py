"""``napari-dextr segment``: images in, masks out, and one sentence where that cannot be."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import tifffile

from napari_dextr import Prompt, load_model

POINTS = "5,25 20,8 34,26 19,41"
CORNERS = [(5, 25), (20, 8), (34, 26), (19, 41)]


def test_the_mask_is_that_of_the_python_call(call, photo, weights):
    out = photo.with_name("mask.npy")
    result = call("segment", photo, "--points", POINTS, "-o", out, "-m", weights, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    expected = load_model(weights).segment(imageio.v3.imread(photo), Prompt.extreme(CORNERS))
    np.testing.assert_array_equal(np.load(out), expected.full_mask())
    rows, cols = expected.region
    assert facts["region"] == [rows.start, cols.start, rows.stop, cols.stop]
    assert facts["area"] == expected.mask.sum()
    assert facts["score"] == pytest.approx(expected.score, abs=1e-5)
    assert facts["shape"] == [40, 50]
    assert facts["device"] in ("cpu", "cuda:0", "mps", "cuda")


@pytest.mark.parametrize(
    ("marks", "noted"),
    [
        (("--points", "5,25 20,8 34,26"), True),
        (("--points", "5,25 20,8 34,26", "--boundary", "19,41"), False),
        (("--points", POINTS), False),
        (("--box", "5,8,34,41"), False),
    ],
)
def test_a_fourth_point_that_is_missing_is_noted_beside_the_results(call, photo, weights, marks, noted):
    result = call("segment", photo, *marks, "-o", photo.with_name("mask.npy"), "-m", weights, "--json")
    assert result.exit_code == 0, result.output
    assert ("the mask may be cut off there" in result.stderr) is noted
    assert json.loads(result.stdout)["shape"] == [40, 50]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_suffix_chooses_the_format(call, photo, weights, suffix):
    out = photo.with_name(f"mask{suffix}")
    assert call("segment", photo, "--box", "5,8,34,41", "--outside", "6,9", "-o", out, "-m", weights).exit_code == 0
    mask = imageio.v3.imread(out)
    assert mask.shape == (40, 50)
    assert set(np.unique(mask)) <= {0, 255}


def test_threshold_and_cleaning_are_applied(call, photo, weights):
    out = photo.with_name("mask.npy")
    base = ("segment", photo, "--points", POINTS, "-o", out, "-m", weights)
    assert call(*base, "--threshold", "0").exit_code == 0
    everything = np.load(out)
    assert call(*base, "--threshold", "0", "--clip", "1").exit_code == 0
    clipped = np.load(out)
    assert call(*base, "--threshold", "1").exit_code == 0
    assert not np.load(out).any()
    assert clipped.sum() == (34 - 5 + 3) * (41 - 8 + 3)
    assert everything.sum() > clipped.sum()


def test_channels_and_limits_choose_what_is_seen(call, tmp_path, weights):
    data = np.random.default_rng(1).integers(0, 4000, (5, 40, 50), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "CYX"})
    out = tmp_path / "m.npy"
    words = ("segment", tmp_path / "a.tif", "--points", POINTS, "-o", out, "-m", weights, "--threshold", "0.48")
    assert call(*words, "--channels", "3,1", "--limits", "100,3000").exit_code == 0
    result = load_model(weights).segment(
        np.moveaxis(data, 0, -1), Prompt.extreme(CORNERS), channels=(3, 1), limits=(100, 3000)
    )
    np.testing.assert_array_equal(np.load(out), result.with_threshold(0.48).full_mask())


def bad(photo: Path, weights: Path, **changes: object) -> list[object]:
    words = {"--points": POINTS, "-o": photo.with_name("mask.png"), "-m": weights, "image": photo, **changes}
    image = words.pop("image")
    return ["segment", image, *(word for pair in words.items() for word in pair)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--points": "5,25 20,8"}, "at least 3 are needed"),
        ({"--points": "5,25 nan,8 34,26 19,41"}, "not a finite number"),
        ({"--points": "5,5 6,6 7,7 8,8"}, "on one line"),
        ({"--points": "5,5 5,5 5,5 5,5"}, "coincide"),
        ({"--points": "900,900 900,950 950,920 940,910"}, "outside the image"),
        ({"--box": "1,2,3,4"}, "either --points or --box"),
        ({"--channels": "7"}, "channels between 0 and 2"),
        ({"--limits": "9,1"}, "contrast limits"),
        ({"-m": "no-such-model"}, "no model or file 'no-such-model'"),
        ({"-m": "gone.safetensors"}, "gone.safetensors"),
        ({"image": "gone.png"}, "no file 'gone.png'"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_file(refused, photo, weights, changes, words):
    assert words in refused(*bad(photo, weights, **changes))
    assert {path.name for path in photo.parent.iterdir()} == {"photo.png"}


@pytest.mark.parametrize(
    ("name", "words"),
    [("mask.jpg", "must end in"), ("no/mask.png", "does not exist"), ("photo.png", "the image itself")],
)
def test_bad_output_is_refused_before_the_work(refused, photo, weights, name, words, monkeypatch):
    monkeypatch.setattr("napari_dextr.models.load_model", lambda *a, **k: pytest.fail("too late"))
    before = photo.read_bytes()
    assert words in refused(*bad(photo, weights, **{"-o": photo.parent / name}))
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"), [(b"no image at all", "cannot be read"), (b"", "cannot be read"), (None, "zarr")]
)
def test_unreadable_images_are_named(refused, photo, weights, content, words):
    strange = photo.with_name("strange.png")
    strange.mkdir() if content is None else strange.write_bytes(content)
    assert words in refused(*bad(photo, weights, image=strange))
    assert not photo.with_name("mask.png").exists()


@pytest.mark.parametrize("shape", [(1, 1), (1, 30)])
def test_images_without_extent_are_refused(refused, photo, weights, shape):
    tiny = photo.with_name("tiny.png")
    imageio.v3.imwrite(tiny, np.zeros(shape, np.uint8))
    assert "pixels" in refused(*bad(photo, weights, image=tiny))


def test_truncated_weights_are_named(refused, photo, weights, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:2000])
    assert "cut.safetensors" in refused(*bad(photo, weights, **{"-m": cut}))


def test_marks_that_a_model_does_not_take_are_named(refused, photo, weights, monkeypatch):
    model = load_model(weights)
    object.__setattr__(model.spec, "marks", ("extreme",))
    monkeypatch.setattr("napari_dextr.models.load_model", lambda *a, **k: model)
    assert "does not take outside marks" in refused(*bad(photo, weights, **{"--outside": "1,1"}))


def test_a_full_disk_leaves_the_old_mask(refused, photo, weights, monkeypatch):
    out = photo.with_name("mask.png")
    out.write_bytes(b"old")

    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    assert "disk is full" in refused(*bad(photo, weights))
    assert out.read_bytes() == b"old"
    assert {path.name for path in photo.parent.iterdir()} == {"photo.png", "mask.png"}
