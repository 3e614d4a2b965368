"""The table of what the choices of a recipe are worth, from the results that ``tools/ablate.py`` kept."""

from __future__ import annotations

import json
import sys

from links import DOCS, PROJECT

sys.path.insert(0, str(PROJECT / "tools"))

import ablate


def table(name: str = "ablation.jsonl") -> str:
    """Every variant whose result stands in a file under ``docs/benchmarks``, in the order of the variants."""
    text = (DOCS / "benchmarks" / name).read_text(encoding="utf-8")
    return ablate.table([json.loads(line) for line in text.splitlines()])
