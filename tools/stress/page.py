"""The page of the documentation that a run writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_dextr.files import atomic_write

_HEAD = """# Stress

<!-- Written by `make stress`; what is written here by hand is lost at the next run. -->

`make stress` throws hostile inputs at the program and interrupts its work. A case may end in two ways: with a right
answer of the right shape (checked: region, shape, finite probabilities, the same labels back), or with one of the
plugin's own errors, in a sentence that says what to do. Everything else is a finding: another error, a crash, more than
30 s of processor time for one case, more than 3 GB of memory, a file left behind, an object lost that had been
accepted. Inputs are made by [hypothesis](https://hypothesis.readthedocs.io), which also makes a finding as small as it
can.
"""

_HOW = """## How to read it

*Memory* is by how much the program became larger at its peak while the part ran. *refused* names the error that was
raised. Damaged files are refused mostly, as they should be; what is read all the same was damaged where it does not
matter, or is read without the objects that are broken.

`python tools/stress --only PART --scale 0.1` runs one part with a tenth of its cases; `--seed` chooses others. A few
cases of every part run with the tests, so that the suite itself stays whole.
"""


def write_page(path: Path, run: Mapping[str, Any]) -> None:
    """Write the results of a run as a page."""
    with atomic_write(path) as temporary:
        temporary.write_text(page(run), encoding="utf-8", newline="\n")


def page(run: Mapping[str, Any]) -> str:
    """Text of the page."""
    parts = run["parts"]
    cases = sum(part["cases"] for part in parts)
    seconds = sum(part["seconds"] for part in parts)
    found = sum(len(part["findings"]) for part in parts)
    lines = [
        _HEAD,
        f"**{cases:,} cases, {found or 'no'} finding{'' if found == 1 else 's'}**, {seconds / 60:.0f} minutes of one "
        f"processor (`{run['command']}`, seed {run['seed']}; {run['machine']}).",
        "",
        "| part | cases | what came of them | processor seconds | memory, MB | findings |",
        "|---|---:|---|---:|---:|---:|",
    ]
    lines += [_row(part) for part in parts]
    notes = [f"* **{part['name']}**: {note}" for part in parts for note in part["notes"]]
    if notes:
        lines += ["", "## Notes", "", *notes]
    findings = [_finding(part["name"], finding) for part in parts for finding in part["findings"]]
    if findings:
        lines += ["", "## Findings", "", *findings]
    lines += ["", _HOW]
    return "\n".join(lines)


def _row(part: Mapping[str, Any]) -> str:
    total = max(1, part["cases"])
    shares = (f"{name} {_share(count / total)}" for name, count in part["outcomes"].items())
    memory = "" if part["memory"] is None else f"{part['memory']:.0f}"
    cells = (
        f"**{part['name']}**: {part['title'] or part['name']}",
        f"{part['cases']:,}",
        ", ".join(shares) or "not tried",
        f"{part['seconds']:.0f}",
        memory,
        str(len(part["findings"])),
    )
    return f"| {' | '.join(cells)} |"


def _share(share: float) -> str:
    return "under 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _finding(name: str, finding: Mapping[str, Any]) -> str:
    what, case = (str(finding[key]).replace("`", "'").replace("\n", " ") for key in ("what", "case"))
    place = f" at `{finding['where']}`" if finding["where"] else ""  # a program that died can name neither
    smallest = f", smallest: `{case}`" if case else ""
    return f"* **{name}**, {finding['times']} {'case' if finding['times'] == 1 else 'cases'}: `{what}`{place}{smallest}"
