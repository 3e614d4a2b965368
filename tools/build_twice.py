"""Build the sdist and the wheel, and build them again elsewhere: `python tools/build_twice.py dist`.

The second build starts from the first one's sdist, in a folder of another name, in another time zone, with other rights
on new files. Both must be the same to the last byte, so that anybody can build a release anew and compare. That also
shows that the sdist holds everything that a build needs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main(folder: str = "dist") -> int:
    first = Path(folder)
    build(PROJECT, first)
    with tempfile.TemporaryDirectory() as elsewhere:
        (sdist,) = first.glob("*.tar.gz")
        umask = os.umask(0o077)  # whoever builds may keep files to themselves
        try:
            with tarfile.open(sdist) as archive:
                archive.extractall(elsewhere, filter="data")
            (source,) = Path(elsewhere).iterdir()
            second = Path(elsewhere) / "again"
            build(source, second, {"TZ": "Pacific/Apia", "PYTHONHASHSEED": "1"})
        finally:
            os.umask(umask)
        problems = differences(first, second)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"Built twice, the same to the last byte: {', '.join(sorted(hashes(first)))}")
    return 1 if problems else 0


def build(source: Path, target: Path, environment: Mapping[str, str] | None = None) -> None:
    """Build the sdist, and the wheel from it."""
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(source)]
    said = subprocess.DEVNULL if environment else None  # the same once more
    subprocess.run(command, check=True, env={**os.environ, **(environment or {})}, stdout=said)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def differences(first: Path, second: Path) -> list[str]:
    """What differs between two folders of built files, a sentence each."""
    ours, theirs = hashes(first), hashes(second)
    return [
        f"{name} differs between two builds of the same source: {ours.get(name)} and {theirs.get(name)}."
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
