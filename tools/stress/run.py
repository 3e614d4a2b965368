"""The whole suite: each part in a program of its own, results as JSON and as a page of the documentation."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_dextr.files import atomic_write

from .areas import AREAS
from .faults import FAULTS, can_mount, try_all
from .harness import Finding, Result, cap_memory, explore
from .page import write_page

VIEWER = {"layers removed": 30, "long session": 1000}
"""Parts that open a real viewer, and the cases of a full run."""

PATIENCE = 5400.0
"""Seconds for one part; what takes longer hangs."""

SHARES = {
    **{name: area.share for name, area in AREAS.items()},
    **{name: fault[2] for name, fault in FAULTS.items()},
    **VIEWER,
}
"""Cases of a full run, by part."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; returns 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python tools/stress", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of a full run, e.g. 0.01 for a quick look")
    parser.add_argument(
        "--only", action="append", choices=sorted(SHARES), metavar="PART", help=f"one of {', '.join(SHARES)}"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("stress.json"), help="file for the results")
    parser.add_argument("--page", type=Path, help="page to write, e.g. docs/stress.md")
    parser.add_argument("--part", choices=sorted(SHARES), help=argparse.SUPPRESS)  # in the child
    options = parser.parse_args(arguments)
    if options.part:
        cases = max(1, round(SHARES[options.part] * options.scale))
        result = part(options.part, cases, options.seed)
        options.json.write_text(json.dumps(result.to_json()), encoding="utf-8")
        return 0
    started = time.monotonic()
    results = []
    for name in options.only or SHARES:
        print(f"== {name}", file=sys.stderr, flush=True)
        result = in_its_own_program(name, options.scale, options.seed)
        results.append(result)
        print(f"   {result.cases} cases, {result.seconds:.0f} s, {result.outcomes}", file=sys.stderr)
        for finding in result.findings:
            print(
                f"   FOUND {finding.times} x {finding.what}\n   at {finding.where}, case {finding.case}",
                file=sys.stderr,
            )
        write_results(options.json, results, options, time.monotonic() - started)
    if options.page is not None:
        write_page(options.page, json.loads(options.json.read_text(encoding="utf-8")))
    findings = sum(len(result.findings) for result in results)
    print(
        f"{sum(result.cases for result in results)} cases, {findings} findings; results in {options.json}",
        file=sys.stderr,
    )
    return 1 if findings else 0


def part(name: str, cases: int, seed: int) -> Result:
    """Run one part in this program."""
    if name in AREAS:
        explore(AREAS[name], min(cases, 10), seed)  # loads what is loaded once: that does not count
        capped = cap_memory()
        result = explore(AREAS[name], cases, seed)
        return result if capped else replace(result, notes=["This system does not limit memory."])
    if name in FAULTS:
        title, case, _ = FAULTS[name]
        if name == "full volume" and not can_mount():
            return Result(
                name, title, notes=["Not tried: volumes in memory need the rights of an administrator, on Linux."]
            )
        return try_all(name, title, case, cases, seed)
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Result(name, "in a real viewer", notes=["Not tried: there is no screen."])
    from . import viewer

    if name == "layers removed":
        return viewer.layers_go(cases, seed)
    return viewer.soak(max(cases, 20))


def in_its_own_program(name: str, scale: float, seed: int) -> Result:
    """Run one part in a child: what brings that down is a finding, not the end of the suite."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # some parts have children of fewer rights
        file = Path(folder) / "result.json"
        command = [
            sys.executable,
            str(Path(__file__).parent),
            "--part",
            name,
            "--scale",
            str(scale),
            "--seed",
            str(seed),
        ]
        # nobody's own settings, and files of the cases in a place of their own
        environment = {
            **os.environ,
            "TMPDIR": folder,
            "OMP_NUM_THREADS": "1",
            "NAPARI_CONFIG": "",
            "NAPARI_DEXTR_CACHE": folder,
            "NAPARI_DEXTR_DATA": folder,
            "PYTHONFAULTHANDLER": "1",
        }
        try:
            with (Path(folder) / "said.txt").open("w+", encoding="utf-8", errors="replace") as said:
                ended = subprocess.run(
                    [*command, "--json", str(file)], stdout=said, stderr=said, timeout=PATIENCE, env=environment
                )
                said.seek(0)
                tail = said.read()[-3000:]
            what = f"the program ended with code {ended.returncode}"
        except subprocess.TimeoutExpired:
            what, tail = f"the program hung for {PATIENCE:.0f} s", ""
        if not file.exists():
            return Result(name, "", findings=[Finding(what, "", "", tail)])
        record = json.loads(file.read_text(encoding="utf-8"))
    return Result(**{**record, "findings": [Finding(**finding) for finding in record["findings"]]})


def write_results(path: Path, results: Sequence[Result], options: argparse.Namespace, seconds: float) -> None:
    """Write everything as JSON."""
    document: dict[str, Any] = {
        "command": "make stress",
        "scale": options.scale,
        "seed": options.seed,
        "machine": f"{platform.system()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "wall_seconds": seconds,
        "parts": [result.to_json() for result in results],
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")
