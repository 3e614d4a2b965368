"""An object that a session accepts, from a box and without a model."""

from __future__ import annotations

import numpy as np

from napari_dextr.segmentation import Segmentation
from napari_dextr.session import Session


def accept(session: Session, left: int) -> None:
    """Accept a square of ten pixels, ``left`` columns from the border."""
    session.set_box((0, left, 9, left + 9))
    request = session.begin()
    assert request is not None
    region = (slice(0, 10), slice(left, left + 10))
    values = np.ones((10, 10), np.float32)
    session.finish(request.serial, Segmentation(values, region, (10, 500), request.prompt, None, "fake", 0.5))
    session.accept()
