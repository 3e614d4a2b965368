"""The verdict: what is said, shown and offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from napari_dextr.widgets.fine_tune_verdict import FOUND, TRUTH, Comparisons, VerdictPanel, outlined


@dataclass(frozen=True)
class Pair:
    image: Any
    truth: Any
    before: Any
    after: Any
    iou_before: float
    iou_after: float


def disc(radius: float, size: int = 64) -> np.ndarray:
    rows, cols = np.mgrid[:size, :size]
    return np.hypot(rows - size / 2, cols - size / 2) < radius


def pairs(count: int) -> list[Pair]:
    image = np.full((64, 64, 3), 128, np.uint8)
    return [Pair(image, disc(20), disc(10), disc(19), 0.25, 0.9) for _ in range(count)]


@pytest.fixture
def panel(qtbot: Any) -> VerdictPanel:
    made = VerdictPanel()
    qtbot.addWidget(made)
    return made


def colours(picture: Any) -> np.ndarray:
    bits = picture.constBits().asstring(picture.sizeInBytes())
    return (
        np.frombuffer(bits, np.uint8)
        .reshape(picture.height(), picture.bytesPerLine())[:, : 3 * picture.width()]
        .reshape(picture.height(), picture.width(), 3)
    )


def test_outlines_are_where_the_masks_end() -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    picture = colours(outlined(image, disc(24), disc(12)))
    middle = picture[picture.shape[0] // 2]
    scale = picture.shape[1] / 64
    for colour, radius in ((TRUTH, 24), (FOUND, 12)):
        places = np.flatnonzero((middle == colour).all(axis=1)) / scale - 32
        assert places.size
        assert np.abs(np.abs(places) - radius).max() < 2
    assert (picture[4, 4] == 128).all()


def test_two_outlines_in_one_place_are_both_seen() -> None:
    picture = colours(outlined(np.full((64, 64, 3), 128, np.uint8), disc(20), disc(20)))
    for colour in (TRUTH, FOUND):
        assert (picture == colour).all(axis=2).any()


def test_masks_without_an_outline_are_no_trouble() -> None:
    image = np.full((40, 40, 3), 128, np.uint8)
    for mask in (np.zeros((40, 40), bool), np.ones((40, 40), bool)):
        picture = colours(outlined(image, mask, mask))
        assert (picture == 128).all()


def test_some_rows_are_shown_and_give_the_widget_its_height(qtbot: Any) -> None:
    shown = Comparisons()
    qtbot.addWidget(shown)
    shown.show_comparisons([])
    assert shown.isHidden()
    shown.show_comparisons(pairs(1))
    one = shown.heightForWidth(250)
    shown.show_comparisons(pairs(6))
    assert 2.5 * one < shown.heightForWidth(250) < 3.1 * one
    shown.resize(250, shown.heightForWidth(250))
    assert not shown.grab().isNull()


def test_a_model_that_helps(panel: VerdictPanel, qtbot: Any) -> None:
    panel.show_verdict("Helps: 0.71 → 0.86.", True, "Stopped at step 40.", pairs(2))
    panel.show_model("cells")
    assert panel.verdict.kind == "done"
    assert panel.facts.text() == "Stopped at step 40."
    assert not panel.use.isHidden()
    assert panel.keep.isHidden()
    assert panel.use.isEnabled()
    assert not panel.revert.isEnabled()
    for button, signal in (
        (panel.use, panel.used),
        (panel.export, panel.exported),
        (panel.drop, panel.dropped),
        (panel.anew, panel.again),
    ):
        with qtbot.waitSignal(signal):
            button.click()
    panel.show_model("cells", in_use=True, old="embedded")
    assert not panel.use.isEnabled()
    assert panel.revert.text() == "Back to 'embedded'"
    with qtbot.waitSignal(panel.reverted):
        panel.revert.click()


def test_a_model_that_does_not_help_is_only_kept_on_purpose(panel: VerdictPanel, qtbot: Any) -> None:
    panel.show_verdict("Does not help: keeping the old model.", False, "", [])
    panel.show_model(None)
    assert panel.verdict.kind == "warning"
    assert panel.use.isHidden()
    assert panel.name.isHidden()
    assert not panel.drop.isHidden()
    with qtbot.waitSignal(panel.kept):
        panel.keep.click()


def test_renaming_needs_another_name(panel: VerdictPanel, qtbot: Any) -> None:
    panel.show_model("cells")
    assert not panel.rename.isEnabled()
    panel.name.setText("  ")
    assert not panel.rename.isEnabled()
    panel.name.setText(" nuclei ")
    with qtbot.waitSignal(panel.renamed) as caught:
        panel.rename.click()
    assert caught.args == ["nuclei"]
