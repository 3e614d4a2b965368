from __future__ import annotations

import subprocess
import sys

import pytest

import napari_dextr


@pytest.mark.parametrize("name", napari_dextr.__all__)
def test_every_public_name_can_be_had_and_is_listed(name: str) -> None:
    assert getattr(napari_dextr, name) is not None
    assert name in dir(napari_dextr)


def test_names_are_the_ones_of_their_modules() -> None:
    from napari_dextr.errors import UnsupportedMarkError
    from napari_dextr.prompt import Prompt

    assert napari_dextr.Prompt is Prompt
    assert napari_dextr.UnsupportedMarkError is UnsupportedMarkError


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Promt'"):
        _ = napari_dextr.Promt


def test_star_import_gives_the_public_names() -> None:
    space: dict[str, object] = {}
    exec("from napari_dextr import *", space)
    assert set(napari_dextr.__all__) <= set(space)


def test_the_prompt_can_be_had_without_torch() -> None:
    program = "import sys; from napari_dextr import Prompt, DextrError; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
