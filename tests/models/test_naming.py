"""Names of models: files on every system, words to every command."""

from __future__ import annotations

import ntpath
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_dextr.errors import ModelError
from napari_dextr.models.naming import RESERVED, check_name, composed, folded, tidy_name

# Python 3.13 has moved it
reserved = getattr(ntpath, "isreserved", None) or (lambda name: PureWindowsPath(name).is_reserved())


@pytest.mark.parametrize("name", ["nuclei", "Zellen, 20×", "cells v1.2", "核", "day 7 (repeat)", "console", "nul2"])
def test_ordinary_names_are_taken_as_they_are(name):
    assert check_name(name) == tidy_name(name) == name
    assert check_name(f"  {name} ") == name


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("3/4 cells", "3-4 cells"),
        ("what?", "what-"),
        ("cells.", "cells"),
        ("..cells", "cells"),
        ("--cells", "cells"),
        ("~cells", "cells"),
        ("a\tb\nc", "a b c"),
        ("a\x00b", "ab"),
        ("CON", "model CON"),
        ("lpt1.old", "model lpt1.old"),
        ("nuclei.safetensors", "nuclei"),
        ("nuclei.pth", "nuclei"),
        ("?", "model"),
        ("...", "model"),
        ("x" * 300, "x" * 60),
        ("核" * 60, "核" * 40),
    ],
)
def test_names_that_some_system_refuses_are_refused_with_a_suggestion(name, suggested):
    assert tidy_name(name) == suggested
    with pytest.raises(ModelError) as caught:
        check_name(name)
    assert f"e.g. '{suggested}'" in str(caught.value)


@pytest.mark.parametrize("name", [*RESERVED, "EMBEDDED", " Scratch "])
def test_names_with_a_meaning_are_refused_with_a_suggestion(name):
    with pytest.raises(ModelError, match="e.g. 'my ") as caught:
        check_name(name)
    suggestion = str(caught.value).rpartition("e.g. '")[2].removesuffix("'.")
    assert check_name(suggestion) == suggestion


@pytest.mark.parametrize("name", ["", "   "])
def test_no_name_is_refused(name):
    with pytest.raises(ModelError, match="needs a name"):
        check_name(name)


def test_accents_are_one_character_and_case_is_no_difference():
    apart = unicodedata.normalize("NFD", "Pérez")
    assert composed(apart) == "Pérez" != apart
    assert folded(apart) == folded("PÉREZ")


@given(st.text(max_size=80))
@example("con ")
@example("-.~ aux")
@example("a.pt.bin ")
@example(". .safetensors")
@example("nul\u00a0.x")
def test_every_text_has_a_tidy_name_that_is_a_file_name_anywhere(text):
    name = tidy_name(text)
    assert tidy_name(name) == name
    assert name == name.strip()
    assert 0 < len(f"{name}.safetensors".encode()) < 200
    assert PurePosixPath(name).name == PureWindowsPath(name).name == name
    assert not reserved(f"{name}.safetensors")
    assert not name.startswith((".", "-", "~"))
    assert not name.endswith(".")
