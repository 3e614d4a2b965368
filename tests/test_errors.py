from __future__ import annotations

import copy
import pickle

import pytest

from napari_dextr import errors
from napari_dextr.errors import DextrError, OutputError, PromptError, UnsupportedMarkError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_can_be_caught_as_one(kind: type[Exception]) -> None:
    assert issubclass(kind, DextrError)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [("PromptError", ValueError), ("ImageError", ValueError), ("DataError", ValueError), ("OutputError", OSError)],
)
def test_errors_are_also_what_python_would_raise(kind: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, kind), builtin)


def test_an_output_error_reads_as_its_sentence() -> None:
    # OSError treats two arguments as errno and text; one must stay the message.
    assert str(OutputError("The disk is full; free some space.")) == "The disk is full; free some space."


def test_unsupported_mark_names_the_mark_and_the_models_that_take_it() -> None:
    error = UnsupportedMarkError("inside", "dextr-pascal", ["embedded", "house-resnet"])
    assert isinstance(error, PromptError)
    assert (error.mark, error.model, error.models) == ("inside", "dextr-pascal", ("embedded", "house-resnet"))
    assert str(error) == (
        "The model 'dextr-pascal' does not take inside marks; models that do: 'embedded', 'house-resnet'."
    )


def test_unsupported_mark_without_any_model_that_takes_it() -> None:
    assert str(UnsupportedMarkError("mask", "dextr-coco")).endswith("models that do: none of the registered models.")


@pytest.mark.parametrize("move", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_unsupported_mark_survives_the_way_from_another_process(move) -> None:
    error = move(UnsupportedMarkError("stroke", "dextr-coco", ("embedded",)))
    assert (error.mark, error.model, error.models) == ("stroke", "dextr-coco", ("embedded",))
    assert str(error) == str(UnsupportedMarkError("stroke", "dextr-coco", ("embedded",)))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError(), "ValueError"),
        (ValueError("\n"), "ValueError"),
        (KeyError("a"), "'a'"),
    ],
)
def test_the_first_line_of_somebody_elses_message(error: Exception, line: str) -> None:
    assert errors.first_line(error) == line
