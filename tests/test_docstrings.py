"""The examples in docstrings and in the README are promises; here they run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent.parent / "src"
WITH_EXAMPLES = [
    path.relative_to(SOURCE).with_suffix("")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_do_what_they_say(path: Path) -> None:
    module = importlib.import_module(".".join(part for part in path.parts if part != "__init__"))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed


def test_the_example_of_the_readme_runs() -> None:
    text = (SOURCE.parent / "README.md").read_text(encoding="utf-8")
    example = text.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)
    mask = names["result"].full_mask()
    (rows, cols), points = mask.nonzero(), names["points"]
    assert mask.shape == names["image"].shape[:2]
    # The mask is about as large as the four clicks say.
    assert rows.max() - rows.min() == pytest.approx(points[2][0] - points[0][0], rel=0.2)
    assert cols.max() - cols.min() == pytest.approx(points[3][1] - points[1][1], rel=0.2)
