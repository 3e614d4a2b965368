"""Make the pictures of the README and the documentation: real clicks in a real viewer, with the embedded model.

    make screenshots                       # all of them
    make screenshots ARGS="film stack"     # some

Without make, on a screen or a virtual one: ``sh tools/with_screen.sh python docs/screenshots.py``. A picture that would
show the same as the file already does is not written again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile

from pictures import fine_tuning, tour, tutorials
from pictures.stage import nobodys_home

SCENES = {
    "film": tour.film,
    "annotate": tour.annotate,
    "corrections": tour.corrections,
    "photo": tutorials.photo,
    "stack": tutorials.stack,
    "fluorescence": tutorials.fluorescence,
    "coco": tutorials.coco,
    "fine_tuning": fine_tuning.fine_tuning,
    "own_objects": fine_tuning.own_objects,
}


def main() -> int:
    """Write the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)}; all by default")
    chosen = parser.parse_args().scenes or list(SCENES)
    for name in chosen:
        if name not in SCENES:
            parser.error(f"there is no scene '{name}'; there are {', '.join(SCENES)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        nobodys_home(folder)
        for name in chosen:
            SCENES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
