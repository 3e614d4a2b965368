"""Look inside the built wheel: `python tools/check_wheel.py dist`.

A wheel without its manifest or its weights installs without complaint and then does nothing. So this compares its files
with those of the source tree, unpacks it away from there, has npe2 check its manifest and import all that it names, and
runs the main job.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
REQUIRED = (
    "napari_dextr/napari.yaml",
    "napari_dextr/py.typed",
    "napari_dextr/models/weights/embedded.safetensors",
    "napari_dextr/models/weights/MODEL_CARD.md",
    "napari_dextr/training/recipes/embedded.toml",
)
LARGEST = 25 * 2**20  # bytes; people install it over a hotel's network


def main(folder: str = "dist") -> int:
    wheels = sorted(Path(folder).glob("*.whl"))
    if len(wheels) != 1:
        print(f"{folder} holds {len(wheels)} wheels; there must be one.")
        return 1
    wheel = wheels[0]
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as unpacked:
        names = archive.namelist()
        problems = what_is_wrong(names, wheel.stat().st_size, package_files())
        if problems:
            print("\n".join(f"{wheel.name}: {problem}" for problem in problems))
            return 1
        archive.extractall(unpacked)
        check_manifest(unpacked)
        run_demo(unpacked)
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 2**20:.1f} MiB, complete, and its demo runs.")
    return 0


def package_files() -> set[str]:
    """Files of the package in the source tree, as a wheel names them."""
    return {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "napari_dextr").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__" and not path.name.startswith(".")
    }


def what_is_wrong(names: Iterable[str], size: int, expected: set[str]) -> list[str]:
    """What is wrong with a wheel of these files and this size (bytes), a sentence each."""
    packaged = {name for name in names if not name.startswith("napari_dextr-")}
    problems = []
    if missing := sorted({*REQUIRED, *expected} - packaged):
        problems.append(f"missing {missing}")
    if strangers := sorted(packaged - expected):
        problems.append(f"does not belong there {strangers}")
    if size > LARGEST:
        problems.append(f"{size / 2**20:.0f} MiB; the limit is {LARGEST / 2**20:.0f}")
    return problems


def check_manifest(unpacked: str) -> None:
    """Have npe2 read the unpacked manifest, and import every object that it names from the unpacked package."""
    program = (
        f"import sys; sys.path.insert(0, {unpacked!r}); import napari_dextr; "
        f"assert napari_dextr.__file__.startswith({unpacked!r}), napari_dextr.__file__; "
        "from npe2 import PluginManifest; "
        f"manifest = PluginManifest.from_file({unpacked + '/napari_dextr/napari.yaml'!r}); manifest.validate_imports()"
    )
    screenless = {} if sys.platform != "linux" or os.environ.get("DISPLAY") else {"QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-I", "-c", program], check=True, env={**os.environ, **screenless})
    file = f"{unpacked}/napari_dextr/napari.yaml"
    subprocess.run([sys.executable, "-m", "npe2", "validate", file], check=True)


def run_demo(unpacked: str) -> None:
    """Run the demo of the unpacked package."""
    # -I keeps the source tree off the path; the wheel's own folder is put in front of the editable install.
    program = (
        f"import sys; sys.path.insert(0, {unpacked!r}); import napari_dextr; "
        f"assert napari_dextr.__file__.startswith({unpacked!r}), napari_dextr.__file__; "
        "from napari_dextr.cli import main; sys.argv[0] = 'napari-dextr'; main()"
    )
    subprocess.run([sys.executable, "-I", "-c", program, "demo", "--out", f"{unpacked}/out"], check=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
