"""What the choice of a step lends to the objects that validated. The stages are tested in test_finetune.py."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_dextr.training.crossfit import highest, lent
from napari_dextr.training.finetune_run import _lent_by_steps
from napari_dextr.training.optimisation import Best


def trained(judged, best, most=0):
    return SimpleNamespace(judged=judged, best=Best(0.8, best), config=SimpleNamespace(validate_most=most))


@pytest.fixture
def judges(store):
    return replace(store, groups=np.zeros(len(store), np.int64), names=("own",), places=None, things=None)


def validations(objects, steps=(0, 4, 8)):
    rng = np.random.default_rng(3)
    return {step: rng.normal(0.8, 0.05, objects).tolist() for step in steps}


def test_every_validation_is_a_candidate(judges):
    judged = validations(len(judges))
    values = np.array([judged[step] for step in (0, 4, 8)])
    found = _lent_by_steps(trained(judged, 4 * highest(values.mean(axis=1))), judges)
    assert found == pytest.approx(lent(values, range(len(judges)), highest))
    assert found > 0.001


def test_objects_that_did_not_look_lent_nothing(judges):
    judged = validations(5)
    best = 4 * highest(np.array([np.mean(judged[step]) for step in (0, 4, 8)]))
    found = _lent_by_steps(trained(judged, best, most=5), judges)
    assert found == pytest.approx(lent(np.array([judged[step] for step in (0, 4, 8)]), range(5), highest) * 5 / 18)


@pytest.mark.parametrize("judged", [{}, validations(18, (4, 8)), {0: [0.5] * 17, 4: [0.6] * 18}])
def test_a_run_that_does_not_know_its_validations_is_judged_as_before(judges, judged):
    assert _lent_by_steps(trained(judged, 0), judges) == 0
