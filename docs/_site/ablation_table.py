"""The table of what the choices of a recipe are worth, from the results that ``tools/ablate.py`` kept."""

from __future__ import annotations

import json
import sys

from links import DOCS, PROJECT

sys.path.insert(0, str(PROJECT / "tools"))

import ablate


def table() -> str:
    """Every variant that was tried, in the order it was tried in."""
    text = (DOCS / "benchmarks" / "ablation.jsonl").read_text(encoding="utf-8")
    return ablate.table([json.loads(line) for line in text.splitlines()])
