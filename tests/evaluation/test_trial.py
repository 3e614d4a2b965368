"""One object under one prompt: what is measured, worked out anew."""

from __future__ import annotations

import imageio.v3
import numpy as np
import pytest

from napari_dextr.coco import read_coco
from napari_dextr.evaluation import trial
from napari_dextr.evaluation.trial import MOST_CLICKS, Subject, clicks_needed, correction_marks, measure
from napari_dextr.metrics import boundary_f, iou


@pytest.fixture
def subject(pack):
    """The square of the first image: rows 42 to 68, columns 41 to 79."""
    dataset = read_coco(pack / "a.json")
    obj = dataset.objects[1]
    return Subject(dataset, obj, imageio.v3.imread(pack / "0.png"), dataset.mask(obj), None, seed=0)


def without_left(mask: np.ndarray, columns: int) -> np.ndarray:
    """The mask without the columns that the fake model leaves out at first: from 5 pixels left of the object."""
    cut = mask.copy()
    cut[:, : np.flatnonzero(mask.any(axis=0))[0] - 5 + columns] = False
    return cut


def test_the_first_mask_and_each_correction_are_compared_with_the_annotation(subject, fake):
    model = fake(mistake=0.5)
    outcome = measure(model, subject, "extreme", 0.0, corrections=2, baselines=("box", "ellipse"))
    # The region is 39 + 2 x 5 wide; a half of 49 rounds to 24 columns, 12 and 6 after corrections.
    expected = [without_left(subject.truth, columns) for columns in (24, 12, 6)]
    assert outcome.ious == tuple(iou(mask, subject.truth) for mask in expected)
    assert outcome.iou == outcome.ious[0]
    assert outcome.boundary_f == boundary_f(expected[0], subject.truth)
    assert outcome.score == 0.75
    assert (outcome.object_id, outcome.file_name, outcome.category) == (2, "0.png", "cell")
    assert outcome.area == 27 * 39
    assert outcome.baselines["box"] == 1
    assert 0.7 < outcome.baselines["ellipse"] < 0.85
    assert outcome.seconds > 0
    assert outcome.clicks == ()
    assert len(model.prompts) == 3


def test_a_correction_passes_the_marks_and_the_mask_so_far(subject, fake):
    model = fake(mistake=0.5)
    measure(model, subject, "extreme", 0.0, corrections=2)
    first, second, third = model.prompts
    assert first.previous is None
    for prompt, columns, clicks in ((second, 24, 1), (third, 12, 2)):
        np.testing.assert_array_equal(prompt.extreme_points, first.extreme_points)
        assert len(prompt.inside_points) == clicks
        seen = np.zeros(subject.truth.shape, bool)
        seen[prompt.previous.region] = prompt.previous.probability > 0.5
        np.testing.assert_array_equal(seen & subject.truth, without_left(subject.truth, columns))
        row, col = prompt.inside_points[-1].astype(int)
        assert subject.truth[row, col]
        assert not seen[row, col]


def test_models_get_only_corrections_that_they_take(subject, fake):
    clicks = fake(("extreme", "inside", "outside"), mistake=0.5)
    assert measure(clicks, subject, "extreme", 0.0).ious[1] > 0.6
    assert clicks.prompts[-1].previous is None
    boundary = fake(("extreme", "boundary"), mistake=0.5)
    assert measure(boundary, subject, "extreme", 0.0).ious[1] > 0.6
    assert boundary.prompts[-1].marks == {"extreme", "boundary"}
    alone = fake(("extreme",), mistake=0.5)
    outcome = measure(alone, subject, "extreme", 0.0, corrections=3, noc=True)
    assert len(outcome.ious) == 1
    assert outcome.clicks == ()
    assert [correction_marks(model) for model in (clicks, boundary, alone)] == ["clicks", "boundary", None]


def test_clicks_are_counted_from_those_of_the_prompt(subject, fake):
    # Lacking columns of the object: 39 - 5 and then a half each time: IoUs 0.13, 0.64, 0.87 (9 - 5 of 39 lack), 1
    outcome = measure(fake(mistake=0.8), subject, "extreme", 0.0, corrections=1, noc=True)
    assert len(outcome.ious) == 2
    assert outcome.ious == pytest.approx((1 - 34 / 39, 1 - 14 / 39))
    assert outcome.clicks == (4 + 2, 4 + 3)
    assert measure(fake(mistake=0.8), subject, "box", 0.0, corrections=0, noc=True).clicks == (2 + 2, 2 + 3)
    assert measure(fake(), subject, "extreme", 0.0, corrections=0, noc=True).clicks == (4, 4)


def test_counting_ends_after_twenty_clicks(subject, fake):
    class Stubborn(fake):
        def segment(self, image, prompt):
            self.mistake = 0.5 * 2 ** len(prompt.inside_points)  # corrections do not help it
            return super().segment(image, prompt)

    model = Stubborn()
    outcome = measure(model, subject, "extreme", 0.0, corrections=0, noc=True)
    assert outcome.clicks == (None, None)
    assert len(model.prompts) == 17  # with 4, 5, ... 20 clicks
    assert len(outcome.ious) == 1


def test_clicks_needed():
    assert clicks_needed([0.5, 0.86, 0.84, 0.91], 4, 0.85) == 5
    assert clicks_needed([0.5, 0.86, 0.84, 0.91], 4, 0.9) == 7
    assert clicks_needed([0.95], 1, 0.9) == 1
    assert clicks_needed([0.5, 0.6], 1, 0.9) is None


def test_a_mask_without_error_needs_no_correction(subject, fake):
    model = fake()
    assert measure(model, subject, "extreme", 0.0, corrections=3).ious == (1, 1, 1, 1)
    assert len(model.prompts) == 1


@pytest.mark.parametrize(
    ("kind", "marks"),
    [
        ("extreme", {"extreme"}),
        ("box", {"box"}),
        ("inside-outside", {"box", "inside", "outside"}),
        ("clicks", {"inside"}),
    ],
)
@pytest.mark.parametrize("jitter", [0.0, 0.03])
def test_every_prompt_is_simulated(subject, fake, kind, marks, jitter):
    model = fake()
    outcome = measure(model, subject, kind, jitter, corrections=0, baselines=("box",))
    assert model.prompts[0].marks == marks
    assert bool(outcome.baselines) == (kind != "clicks")


def test_ignored_pixels_count_neither_for_nor_against(subject, fake):
    hidden = np.zeros(subject.truth.shape, bool)
    hidden[:, :60] = True  # where the model is wrong
    blind = Subject(subject.dataset, subject.obj, subject.image, subject.truth, hidden, 0)
    outcome = measure(fake(mistake=0.5), blind, "extreme", 0.0, corrections=1)
    assert outcome.ious == (1, 1)


def test_a_score_that_is_no_number_is_none(subject, fake):
    assert measure(fake(score=float("nan")), subject, "extreme", 0.0).score is None
    assert measure(fake(score=None), subject, "extreme", 0.0).score is None


def test_clicks_beyond_the_limit_do_not_count_as_reached(subject, fake, monkeypatch):
    ious = [0.1] * (MOST_CLICKS - 3) + [0.99] * 4  # reached with click 21
    monkeypatch.setattr(trial, "_correct", lambda *_, **__: ious)
    outcome = measure(fake(mistake=0.5), subject, "extreme", 0.0, corrections=20, noc=True)
    assert outcome.clicks == (None, None)
    assert len(outcome.ious) == 21
