"""Open napari with a sample image and the Annotate widget: ``python -m napari_dextr.widgets.launch``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ..napari_io.samples import SAMPLES


def open_viewer(sample: str | None = "astronaut", images: Sequence[str] = ()) -> tuple[Any, Any]:
    """A viewer and its docked `AnnotateWidget`; with images from files, or a sample where there are none."""
    import napari

    from .annotate import AnnotateWidget

    viewer = napari.Viewer(title="napari-dextr")
    if images:
        viewer.open(list(images))
    elif sample is not None:
        for data, options, kind in SAMPLES[sample]():
            getattr(viewer, f"add_{kind}")(data, **options)
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Annotate", area="right")
    return viewer, widget


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m napari_dextr.widgets.launch", description=__doc__)
    parser.add_argument("images", nargs="*", help="image files; without any, a sample is opened")
    parser.add_argument("--sample", choices=sorted(SAMPLES), default="astronaut", help="image to open")
    options = parser.parse_args(arguments)
    open_viewer(options.sample, options.images)
    import napari

    napari.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
