"""What is said of a training: a sentence for each way in which it can end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from napari_dextr.cli._training import conclude, conclude_unbegun, follow, keep_if_it_helps
from napari_dextr.training.finetune import Outcome
from napari_dextr.training.update import Update
from napari_dextr.training.verdict import Verdict

HELPS = Verdict.of([0.6] * 8, [0.7, 0.72, 0.74, 0.7, 0.72, 0.74, 0.7, 0.72], range(8))


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=200)


def outcome(**changes):
    plain = {"steps": 9, "best_step": 4, "before": {}, "after": {}, "threshold": 0.5, "ended": "finished"}
    return Outcome(Path("best.safetensors"), **{**plain, **changes})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (outcome(verdict=HELPS), HELPS.sentence()),
        (outcome(ended="stopped"), "Stopped at step 9; the same command goes on"),
        (outcome(ended="stopped", steps=0), "Stopped during the rounds of judging"),
        (outcome(ended="settled", after={"a": 0.5, "b": 0.7}), "Validation IoU 0.600 (step 4)"),
        (outcome(), "Nothing judged the model"),
    ],
)
def test_every_end_is_said(screen, found, words):
    conclude(found, 3.2, screen)
    said = screen.file.getvalue()
    assert words in said
    assert "The model is in best.safetensors, after 3 minutes." in said


def test_a_stop_before_anything_was_learned_names_no_model(screen):
    conclude_unbegun(screen)
    said = screen.file.getvalue()
    assert "nothing was learned; the same command begins anew" in said
    assert "model" not in said


@pytest.mark.parametrize("found", [outcome(verdict=Verdict.impossible()), outcome(ended="stopped")])
def test_what_does_not_help_is_not_kept(screen, found):
    assert keep_if_it_helps(found, "mine", screen) is None
    assert "not put into the library" in screen.file.getvalue()
    assert keep_if_it_helps(found, None, screen) is None


def test_validations_and_notices_are_shown_with_their_stage(screen):
    update = Update(2, 8, 0.5, 1e-3, 0.6, {"own": 0.7}, 5.0, 0.1, 60.0, notices=("No room.",), stage="Round 1")
    assert follow(iter([update]), screen) == [{"step": 2, "loss": 0.5, "iou": {"own": 0.7}}]
    said = screen.file.getvalue()
    assert "No room." in said
    assert "Round 1: step 2 of 8: loss 0.500, IoU own 0.700" in said
