"""Look inside the built wheel: `python tools/check_wheel.py dist`.

A wheel without its manifest or its weights installs without complaint and then does nothing, so this asserts what
must be in it, unpacks it away from the source tree and runs the main job from there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIRED = (
    "napari_dextr/napari.yaml",
    "napari_dextr/py.typed",
    "napari_dextr/models/weights/embedded.safetensors",
    "napari_dextr/models/weights/MODEL_CARD.md",
)
LARGEST = 25 * 2**20  # bytes; people install it over a hotel's network


def main(folder: str) -> int:
    wheels = sorted(Path(folder).glob("*.whl"))
    if len(wheels) != 1:
        print(f"{folder} holds {len(wheels)} wheels; there must be one.")
        return 1
    wheel = wheels[0]
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as unpacked:
        names = archive.namelist()
        missing = [name for name in REQUIRED if name not in names]
        strangers = [name for name in names if not name.startswith(("napari_dextr/", "napari_dextr-"))]
        if missing or strangers:
            print(f"{wheel.name}: missing {missing}, does not belong there {strangers}")
            return 1
        if wheel.stat().st_size > LARGEST:
            print(f"{wheel.name} has {wheel.stat().st_size / 2**20:.0f} MiB; the limit is {LARGEST / 2**20:.0f}.")
            return 1
        archive.extractall(unpacked)
        # -I keeps the source tree off the path; the wheel's own folder is put in front of the editable install.
        program = (
            f"import sys; sys.path.insert(0, {unpacked!r}); import napari_dextr; "
            f"assert napari_dextr.__file__.startswith({unpacked!r}), napari_dextr.__file__; "
            "from napari_dextr.cli import main; sys.argv[0] = 'napari-dextr'; main()"
        )
        subprocess.run([sys.executable, "-I", "-c", program, "demo", "--out", f"{unpacked}/out"], check=True)
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 2**20:.1f} MiB, complete, and its demo runs.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
