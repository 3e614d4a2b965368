"""What packaging promises: one version, one manifest, licences and entry points that exist."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import napari_dextr

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_has_one_place() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    stated = (PROJECT / PYPROJECT["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.search(r'^__version__ = "(.+)"$', stated, re.MULTILINE)[1] == napari_dextr.__version__


def test_the_manifest_is_where_the_entry_point_says() -> None:
    module, file = PYPROJECT["project"]["entry-points"]["napari.manifest"]["napari-dextr"].split(":")
    folder = Path(importlib.import_module(module).__file__).parent
    assert re.search(r"^name: napari-dextr$", (folder / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_top_level_manifest_is_a_link_to_the_packaged_one() -> None:
    link, packaged = PROJECT / "napari.yaml", PROJECT / "src" / "napari_dextr" / "napari.yaml"
    # Where git makes no links (Windows) the file holds the path instead.
    assert link.samefile(packaged) or link.read_text(encoding="utf-8") == "src/napari_dextr/napari.yaml"


def test_the_console_script_exists() -> None:
    module, function = PYPROJECT["project"]["scripts"]["napari-dextr"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_no_qt_binding_is_forced_on_users() -> None:
    required = " ".join(PYPROJECT["project"]["dependencies"]).lower()
    assert not re.search(r"pyqt|pyside|napari\[", required)


def test_the_hub_finds_the_plugin() -> None:
    assert "Framework :: napari" in PYPROJECT["project"]["classifiers"]
    assert PYPROJECT["project"]["license"] == "BSD-3-Clause"
