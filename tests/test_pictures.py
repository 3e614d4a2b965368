"""Pictures of the documentation, what makes them, and the README that shows them where links must be absolute."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

PROJECT = Path(__file__).parent.parent
IMAGES = PROJECT / "docs" / "images"
FILM = IMAGES / "tour.gif"


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of ``docs/pictures``, imported as the script does."""
    monkeypatch.syspath_prepend(str(PROJECT / "docs"))
    yield importlib.import_module
    for name in [name for name in sys.modules if name.split(".")[0] == "pictures"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def pypi() -> Any:
    spec = importlib.util.spec_from_file_location("pypi_readme", PROJECT / "tools" / "pypi_readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(shade: int, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    picture = np.full((*size, 3), shade, np.uint8)
    picture[10:20, 10:30] = (200, 30, 30)
    return picture


# -- what is in docs/images -------------------------------------------------------------------------------------------


def test_every_picture_is_shown_somewhere() -> None:
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    unused = [file.name for file in IMAGES.iterdir() if f"images/{file.name}" not in text]
    assert not unused


def test_every_picture_is_made_by_a_scene() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (PROJECT / "docs" / "pictures").glob("*.py"))
    made = {file.name for file in IMAGES.iterdir() if f'"{file.name}"' in code}
    assert made == {file.name for file in IMAGES.iterdir()}


def test_the_film_is_light_and_short_enough_to_watch() -> None:
    assert FILM.stat().st_size <= 3_000_000
    with Image.open(FILM) as film:
        seconds = sum(frame.info["duration"] for frame in ImageSequence.Iterator(film)) / 1000
        assert film.info["loop"] == 0
        assert film.n_frames > 50
        assert film.width <= 1000
    assert 8 <= seconds <= 16


# -- writing them -----------------------------------------------------------------------------------------------------


def test_a_picture_that_shows_the_same_is_left_alone(pictures: Any, tmp_path: Path) -> None:
    files = pictures("pictures.files")
    assert files.save_png(plain(100), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    nearly = plain(103)
    nearly[0, :5] = 255  # a time in milliseconds
    assert not files.save_png(nearly, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    assert files.save_png(plain(160), tmp_path / "a.png")
    assert files.save_png(plain(160, (50, 60)), tmp_path / "a.png")


def test_a_film_comes_back_as_it_was_taken(pictures: Any, tmp_path: Path) -> None:
    files = pictures("pictures.files")
    frames = [plain(60), plain(60), plain(180)]
    frames[1][25:30, 25:30] = (30, 30, 220)
    assert files.save_gif(frames, [60, 500, 80], tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        shown = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(film)]
    assert [duration for _, duration in shown] == [60, 500, 80]
    assert all(files.same(frame, picture) for frame, (picture, _) in zip(frames, shown, strict=True))
    assert not files.save_gif(frames, [60, 500, 80], tmp_path / "film.gif")
    assert not files.save_gif([frames[0], *frames], [10, 50, 500, 80], tmp_path / "film.gif")
    assert files.save_gif(frames[::-1], [60, 500, 80], tmp_path / "film.gif")
    assert files.save_gif(frames[:2], [60, 500], tmp_path / "film.gif")


def test_a_film_shows_cursor_click_and_caption(pictures: Any) -> None:
    film = pictures("pictures.film").Film(lambda: np.full((120, 400, 3), 90, np.uint8), (200, 120))
    film.take((50, 30))
    film.take((50, 30))
    assert (len(film.frames), film.durations) == (1, [120])
    film.caption = "Click"
    film.take((50, 30), ring=12)
    first, second = film.frames
    assert (first[32:50, 50:60] == 255).any()
    assert (first[70:] == 90).all()
    assert (second[70:, 150:250] == 255).any()
    assert not np.array_equal(first[18:30, 38:50], second[18:30, 38:50])


# -- the README on the package index ----------------------------------------------------------------------------------


def test_links_become_absolute(pypi: Any) -> None:
    text = "![Four clicks](docs/a.gif) [card](src/CARD.md#terms)\n[web](https://napari.org) [here](#install)\n"
    assert pypi.absolute(text, "https://github.com/lab/plugin/", "v1") == (
        "![Four clicks](https://github.com/lab/plugin/raw/v1/docs/a.gif) "
        "[card](https://github.com/lab/plugin/blob/v1/src/CARD.md#terms)\n"
        "[web](https://napari.org) [here](#install)\n"
    )


def test_code_keeps_its_brackets(pypi: Any) -> None:
    text = "```python\nmasks[0](image)\n```\n[card](CARD.md)\n"
    assert "masks[0](image)" in pypi.absolute(text, "https://github.com/lab/plugin", "v1")


def test_nothing_relative_is_left_in_the_readme(pypi: Any) -> None:
    text = pypi.absolute((PROJECT / "README.md").read_text(encoding="utf-8"), "https://github.com/lab/plugin", "v1")
    assert re.findall(r"\]\((?!https://|#)([^)]+)\)", text) == []
    assert text.count("https://github.com/lab/plugin/raw/v1/docs/images/") >= 1


def test_the_package_index_is_told_the_projects_pages(pypi: Any) -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    named = pypi.with_addresses(text, "https://github.com/lab/plugin.git", "v1")
    table = named.partition("[project.urls]")[2].partition("[project.scripts]")[0]
    assert 'Issues = "https://github.com/lab/plugin/issues"' in table
    assert 'Changelog = "https://github.com/lab/plugin/blob/v1/CHANGELOG.md"' in table
    assert named.replace(f"[project.urls]{table}", "") == text
    for unfit in (named, "[project]\n"):
        with pytest.raises(ValueError, match="addresses already, or no"):
            pypi.with_addresses(unfit, "https://github.com/lab/plugin", "v1")
