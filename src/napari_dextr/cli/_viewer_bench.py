"""The benchmark of the viewer, started in a program of its own: neither napari nor Qt is imported here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError

if TYPE_CHECKING:
    from rich.table import Table

PROGRAM = "napari_dextr.widgets.viewer_bench"


def has_screen() -> bool:
    """Whether a viewer can be opened: always on macOS and Windows, with a display elsewhere."""
    if os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in {"offscreen", "minimal"}:
        return False
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def measure_viewer(model: str, device: str, *, threads: int | None, quick: bool) -> dict[str, Any]:
    """Run the benchmark of the viewer; its report, as JSON has it.

    Raises
    ------
    OutputError
        Without a screen, or if the viewer ended early.
    """
    if not has_screen():
        raise OutputError(
            "The benchmark of the viewer opens windows and needs a screen; run it on a desktop, or on a virtual one: "
            "xvfb-run -a napari-dextr bench --viewer."
        )
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory(prefix="napari-dextr-") as folder:
        file = Path(folder) / "bench.json"
        command = [sys.executable, "-m", PROGRAM, "--model", model, "--device", device, "--json", str(file)]
        code = subprocess.run([*command, *(["--quick"] if quick else [])], env=environment).returncode
        if code or not file.is_file():
            raise OutputError(
                f"The viewer ended before the benchmark was done (exit code {code}); what it printed above says why."
            )
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return report


def viewer_table(report: dict[str, Any]) -> Table:
    """The timings of a report as a table."""
    from rich.table import Table

    table = Table("", title=f"In the viewer, model {report['model']}", title_justify="left")
    for heading in ("median ms", "95th percentile ms", "runs"):
        table.add_column(heading, justify="right")
    for name, timing in report["timings"].items():
        table.add_row(name, f"{timing['median_ms']:.1f}", f"{timing['p95_ms']:.1f}", str(timing["runs"]))
    return table
