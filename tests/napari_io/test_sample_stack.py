"""The drawn stack."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_dextr.napari_io.sample_stack import SHAPE, SPACING, draw_stack


def test_a_seed_gives_a_stack() -> None:
    stack = draw_stack()
    assert stack.shape == SHAPE
    assert stack.dtype == np.uint16
    np.testing.assert_array_equal(stack, draw_stack())
    assert (stack != draw_stack(seed=1)).any()


def test_nuclei_reach_over_several_planes_and_stay_apart() -> None:
    stack = draw_stack().astype(float)
    smooth = ndimage.gaussian_filter(stack, (0.5, 1, 1))
    parts, count = ndimage.label(smooth > stack.min() + 0.3 * np.ptp(stack))
    boxes = [box for box in ndimage.find_objects(parts) if all(0 < side.start for side in box)]
    assert count >= 6
    assert sum(box[0].stop - box[0].start >= 4 for box in boxes) >= 5
    extents = [[(side.stop - side.start) * step for side, step in zip(box, SPACING, strict=True)] for box in boxes]
    assert max(max(extent) for extent in extents) < 28  # micrometres: no two nuclei have become one
