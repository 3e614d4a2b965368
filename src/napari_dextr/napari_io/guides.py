"""Guide lines for the two corners and the middle of a box: a cross under the cursor, then the box's middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError
from ..prompt import Bounds
from .placement import placement, plain
from .planes import Plane, current_plane, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Shapes

NAME = "Guide lines"

_COLOR = "#9ad1ff"


class Guides:
    """Lines that show where a corner of a box lies with respect to the object.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
        The layer that is clicked on.
    """

    def __init__(self, viewer: Any, image: Image) -> None:
        from napari.layers import Shapes

        self.image = image
        self.layer: Shapes = Shapes(ndim=image.ndim, name=NAME, edge_color=_COLOR, opacity=0.8, **placement(image))
        self._viewer = viewer
        self._box: Bounds | None = None
        active = plain(viewer.layers.selection.active)
        mode = getattr(active, "mode", None)
        viewer.add_layer(self.layer)
        viewer.layers.move(len(viewer.layers) - 1, 1 + [plain(layer) for layer in viewer.layers].index(image))
        self.layer.editable = False
        viewer.layers.selection.active = active
        if active is not None and mode is not None:
            active.mode = mode
        viewer.mouse_move_callbacks.append(self._on_move)

    def show_middle(self, box: Bounds | None) -> None:
        """Show the middle of a box; None: the cross that follows the cursor."""
        self._box = box
        if box is None:
            return
        plane = self._plane()
        if plane is None:
            return
        row, col = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        self._draw(plane, [((row, box[1]), (row, box[3])), ((box[0], col), (box[2], col))])

    def release(self) -> None:
        """Take the lines away."""
        if self._on_move in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_move)
        if any(plain(layer) is self.layer for layer in self._viewer.layers):
            self._viewer.layers.remove(self.layer)

    def _on_move(self, viewer: Any, event: Any) -> None:
        plane = self._plane() if self._box is None else None
        if plane is None:
            return
        row, col = plane.row_col(self.image.world_to_data(event.position))
        height, width = (layer_shape(self.image)[axis] for axis in plane.axes)
        self._draw(plane, [((row, -0.5), (row, width - 0.5)), ((-0.5, col), (height - 0.5, col))])

    def _plane(self) -> Plane | None:
        """The plane on the screen; None in the 3-D view, and where the image is not shown as a plane."""
        try:
            return current_plane(self.image, self._viewer.dims)
        except ImageError:
            return None

    def _draw(self, plane: Plane, lines: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
        camera = getattr(self._viewer, "scene", self._viewer).camera
        ends = [np.array([plane.point(*start), plane.point(*end)]) for start, end in lines]
        scale = float(np.min(np.abs(np.asarray(self.image.scale)[-2:])))
        self.layer.data = []
        self.layer.add_lines(ends, edge_width=1.0 / max(float(camera.zoom) * scale, 1e-6), edge_color=_COLOR)
