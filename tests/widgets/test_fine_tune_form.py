"""Base model, preset, custom settings, name."""

from __future__ import annotations

from typing import Any

import pytest

from napari_dextr.training.config import FROZEN, TrainConfig
from napari_dextr.training.presets import PRESETS
from napari_dextr.widgets.fine_tune_form import CUSTOM, FineTuneForm, in_words


@pytest.fixture
def form(qtbot: Any) -> FineTuneForm:
    made = FineTuneForm("embedded", "cpu")
    qtbot.addWidget(made)
    return made


def choose(form: FineTuneForm, preset: str) -> None:
    form.presets.setCurrentIndex(form.presets.findData(preset))


def test_at_first_the_quick_preset_on_the_preferred_model(form: FineTuneForm) -> None:
    choices = form.choices()
    assert (choices.initial, choices.device, choices.preset) == ("embedded", "cpu", "quick")
    assert choices.settings == {}
    assert choices.hold_out is None
    assert choices.any_angle is None


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_offered_and_explained(form: FineTuneForm, name: str) -> None:
    choose(form, name)
    assert form.choices().preset == name
    assert PRESETS[name].explanation in form.explanation.text()
    assert form.custom.isHidden()


def test_custom_settings_begin_as_thorough(form: FineTuneForm) -> None:
    choose(form, CUSTOM)
    assert not form.custom.isHidden()
    settings = form.choices().settings
    for name in ("steps", "learning_rate", "batch", "anchor", "validate_every"):
        assert settings[name] == PRESETS["thorough"].settings[name]


def test_every_custom_setting_reaches_the_training(form: FineTuneForm) -> None:
    choose(form, CUSTOM)
    custom = form.custom
    custom.steps.setValue(90)
    custom.rate.setValue(1e-3)
    custom.batch.setValue(3)
    custom.anchor.setValue(0.5)
    custom.frozen.setCurrentIndex(custom.frozen.findData(FROZEN[2]))
    custom.turning.setCurrentIndex(custom.turning.findData(False))
    assert form.choices().hold_out is None  # few objects judge in turns here, too
    custom.hold_out.setValue(30)
    choices = form.choices()
    config = TrainConfig.from_mapping({**PRESETS[choices.preset].settings, **choices.settings})
    assert (config.steps, config.learning_rate, config.batch) == (90, 1e-3, 3)
    assert (config.anchor, config.frozen) == (0.5, FROZEN[2])
    assert 0 < config.validate_every <= 90
    assert choices.any_angle is False
    assert choices.hold_out == pytest.approx(0.3)


@pytest.mark.parametrize("steps", [5, 7, 20_000])
def test_validations_fit_into_any_number_of_steps(form: FineTuneForm, steps: int) -> None:
    choose(form, CUSTOM)
    form.custom.steps.setValue(steps)
    assert 1 <= form.choices().settings["validate_every"] <= steps


def test_changes_of_the_settings_are_told(form: FineTuneForm, qtbot: Any) -> None:
    choose(form, CUSTOM)
    for act in (
        lambda: form.custom.steps.setValue(33),
        lambda: form.custom.frozen.activated.emit(1),
        lambda: choose(form, "thorough"),
        lambda: form.models.chosen.emit("embedded", "cpu"),
    ):
        with qtbot.waitSignal(form.costs_changed):
            act()


def test_the_learning_rate_is_stepped_by_factors(form: FineTuneForm) -> None:
    rate = form.custom.rate
    rate.setValue(1e-4)
    rate.stepBy(6)
    assert rate.value() == pytest.approx(1e-3)
    assert rate.text() == "0.001"
    rate.setValue(3e-6)
    assert float(rate.text()) == pytest.approx(3e-6)


def test_of_a_long_name_the_beginning_is_seen(form: FineTuneForm) -> None:
    form.propose("glioma nuclei of the second series, stained and scanned anew in spring")
    assert form.name.cursorPosition() == 0


def test_a_name_is_proposed_until_one_is_typed(form: FineTuneForm) -> None:
    form.propose("cells")
    form.propose("nuclei")
    assert form.choices().name == "nuclei"
    form.name.setText("mine")
    form.propose("other")
    assert form.choices().name == "mine"


def test_the_estimate_belongs_to_the_settings_it_was_made_for(form: FineTuneForm) -> None:
    form.show_estimate(130.0)
    assert "2 minutes" in form.explanation.text()
    choose(form, "thorough")
    assert "Here it takes" not in form.explanation.text()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "5 seconds"),
        (41, "40 seconds"),
        (60, "1 minute"),
        (170, "3 minutes"),
        (9000, "2.5 hours"),
        (float("nan"), "an unknown time"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
