"""What can be asked for, and what is refused."""

from __future__ import annotations

import pytest

from napari_dextr.baselines import BASELINES
from napari_dextr.errors import PromptError
from napari_dextr.evaluation.settings import PROMPTS, Settings, available_baselines


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompts": ("extreme", "magic")}, "no prompt 'magic'"),
        ({"prompts": ()}, "choose among extreme, box"),
        ({"jitters": (0.0, 2.0)}, "jitter"),
        ({"jitters": (float("nan"),)}, "jitter"),
        ({"jitters": ()}, "jitter"),
        ({"corrections": 21}, "0 to 20 correcting clicks, not 21"),
        ({"seed": -1}, "seed"),
        ({"baselines": ("magic",)}, "no baseline 'magic'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(PromptError, match=words):
        Settings(**change)


def test_every_prompt_meets_every_jitter_but_clicks_miss_only_once():
    settings = Settings(prompts=("extreme", "clicks"), jitters=(0, 0.01, 0.04))
    assert list(settings.conditions()) == [
        ("extreme", 0),
        ("extreme", 0.01),
        ("extreme", 0.04),
        ("clicks", 0),
        ("clicks", 0.01),
    ]


def test_names_may_be_written_as_in_python_and_twice():
    settings = Settings(prompts=("inside_outside", "box", "inside-outside"), jitters=(0, 0.0))
    assert settings.prompts == ("inside-outside", "box")
    assert settings.jitters == (0.0,)
    assert set(settings.prompts) <= set(PROMPTS)


def test_without_opencv_grabcut_is_left_out_and_refused_by_name(monkeypatch):
    monkeypatch.setattr("napari_dextr.evaluation.settings.has_grabcut", lambda: False)
    assert "grabcut" not in available_baselines()
    assert len(available_baselines()) == len(BASELINES) - 1
    assert "grabcut" not in Settings().baselines
    with pytest.raises(PromptError, match="pip install opencv-python-headless"):
        Settings(baselines=tuple(BASELINES))
