"""Sliders of the mask, and what objects may write over."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from napari_dextr.errors import PromptError
from napari_dextr.postprocess import PostProcess
from napari_dextr.session import AcceptPolicy
from napari_dextr.widgets.mask_panel import MaskPanel, read_labels


@pytest.fixture
def panel(qtbot: Any) -> MaskPanel:
    made = MaskPanel()
    qtbot.addWidget(made)
    return made


def test_threshold_follows_the_model_until_it_is_moved(panel: MaskPanel) -> None:
    spec = SimpleNamespace(threshold=0.8)
    panel.show_default(spec)
    assert panel.threshold is None
    assert panel.slider.value() == 80
    panel.slider.setValue(35)
    assert panel.threshold == 0.35
    panel.show_default(spec)
    panel.show_default(SimpleNamespace(threshold=0.5))
    assert panel.threshold == 0.35
    panel.show_default(None)


def test_the_users_preferred_threshold_comes_first(panel: MaskPanel) -> None:
    panel.prefer(0.0)
    assert panel.threshold is None
    panel.prefer(0.3)
    panel.show_default(SimpleNamespace(threshold=0.5))
    assert panel.threshold == 0.3


def test_a_moving_slider_is_followed_once_it_rests(qtbot: Any, panel: MaskPanel) -> None:
    told: list[PostProcess] = []
    panel.tuned.connect(lambda: told.append(panel.post))
    for value in (2, 5, panel.holes.maximum()):
        panel.holes.setValue(value)
    panel.islands.setValue(1)
    panel.keep_marked.setChecked(True)
    assert told == []
    qtbot.waitUntil(lambda: bool(told))
    assert told == [PostProcess(fill_holes=math.inf, remove_islands=4, keep_marked=True)]


def test_undo_brings_the_sliders_back_quietly(panel: MaskPanel) -> None:
    told: list[int] = []
    panel.tuned.connect(lambda: told.append(1))
    post = PostProcess(fill_holes=256, remove_islands=16, keep_marked=True)
    panel.show_tuning(0.25, post)
    assert (panel.threshold, panel.post) == (0.25, post)
    panel.show_tuning(None, None)
    assert (panel.threshold, panel.post) == (None, PostProcess())
    assert not panel._timer.isActive()
    assert told == []


def test_policies(qtbot: Any, panel: MaskPanel) -> None:
    assert panel.policy() == AcceptPolicy("background")
    assert panel.protected.isHidden()
    with qtbot.waitSignal(panel.policy_changed):
        panel.policies.setCurrentIndex(2)
    assert not panel.protected.isHidden()
    panel.protected.setText("1, 4-6")
    with qtbot.waitSignal(panel.policy_changed):
        panel.keep_painted.setChecked(True)
    assert panel.policy() == AcceptPolicy("protect", frozenset({1, 4, 5, 6}), True)
    panel.policies.setCurrentIndex(1)
    assert panel.policy() == AcceptPolicy("overwrite", frozenset(), True)


@pytest.mark.parametrize(("text", "labels"), [("", set()), ("3", {3}), ("1, 4-6;9", {1, 4, 5, 6, 9}), ("5-4", set())])
def test_labels_are_read(text: str, labels: set[int]) -> None:
    assert read_labels(text) == labels


@pytest.mark.parametrize("text", ["a", "1-", "-3", "1-999999999"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match="write labels"):
        read_labels(text)
