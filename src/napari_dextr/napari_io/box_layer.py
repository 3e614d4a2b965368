"""The Shapes layer on which a box is drawn around an object, and edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..prompt import Bounds
from .placement import placement
from .planes import Plane

if TYPE_CHECKING:
    from napari.layers import Image, Shapes

NAME = "Object box"

_COLOR = "#9ad1ff"
_FINISHED = ("ADDED", "REMOVED", "CHANGED")
_BOX_MODES = ("add_rectangle", "select", "direct", "pan_zoom", "transform")  # not those that draw other shapes
_SMALLEST = 1.0  # pixels; anything less was a click, not a drag


class BoxLayer:
    """The boxes on one image, one for each plane.

    Parameters
    ----------
    image : Image
        The layer that the box is drawn on.
    changed : callable
        Called after the user drew, changed or removed a box.

    Attributes
    ----------
    layer : Shapes
        Add it to the viewer; it is recognised by identity, so it may be renamed.
    """

    def __init__(self, image: Image, changed: Callable[[], None]) -> None:
        from napari.layers import Shapes

        self.image = image
        self.layer: Shapes = Shapes(
            ndim=image.ndim, name=NAME, edge_color=_COLOR, face_color="transparent", opacity=1.0, **placement(image)
        )
        self.layer.current_edge_color = _COLOR
        self.layer.current_face_color = "transparent"
        self._changed = changed
        self._writing = False
        self._dragging = False
        self.layer.events.data.connect(self._on_data)
        self.layer.mouse_drag_callbacks.insert(0, self._on_press)  # so that it has ended when napari's own ends

    def release(self) -> None:
        """Stop listening; the layer stays as it is."""
        self.layer.events.data.disconnect(self._on_data)
        if self._on_press in self.layer.mouse_drag_callbacks:
            self.layer.mouse_drag_callbacks.remove(self._on_press)

    def arm(self, drawing: bool) -> None:
        """Draw a new box with the next drag, or edit the one that is there."""
        self.layer.visible = True
        self.layer.mode = "add_rectangle" if drawing or not self.layer.nshapes else "select"

    def box(self, plane: Plane) -> Bounds | None:
        """The box on a plane, the newest where there are several; None without one. Rotated boxes are enclosed."""
        boxes = self.all(plane)
        return boxes[-1] if boxes else None

    def all(self, plane: Plane) -> list[Bounds]:
        """The boxes on a plane, oldest first."""
        found = []
        for vertices in self.layer.data:
            points = np.array([self._in_image(vertex) for vertex in vertices])
            if len(points) and all(plane.holds(point) for point in points):
                corners = np.array([plane.row_col(point) for point in points])
                (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
                if bottom - top >= _SMALLEST and right - left >= _SMALLEST:
                    found.append((float(top), float(left), float(bottom), float(right)))
        return found

    def write(self, plane: Plane, *boxes: Bounds | None) -> None:
        """Make ``boxes`` the only ones of a plane, None aside; those of other planes stay."""
        kept = [
            vertices
            for vertices in self.layer.data
            if not all(plane.holds(self._in_image(point)) for point in vertices)
        ]
        for r0, c0, r1, c1 in (drawn := [box for box in boxes if box is not None]):
            corners = [plane.point(*corner) for corner in ((r0, c0), (r0, c1), (r1, c1), (r1, c0))]
            kept.append(np.array([self.layer.world_to_data(self.image.data_to_world(corner)) for corner in corners]))
        self._writing = True
        try:
            self.layer.data = []
            if kept:
                self.layer.add_rectangles(kept, edge_width=self._width(), edge_color=_COLOR, face_color="transparent")
            if drawn and str(self.layer.mode) == "select":
                self.layer.selected_data = {len(kept) - 1}
        finally:
            self._writing = False

    def fit_width(self, zoom: float) -> None:
        """Draw new edges two pixels of the screen wide, at ``zoom`` screen pixels for each pixel of the image."""
        self.layer.current_edge_width = max(2.0 / max(zoom, 1e-6), 1e-3)

    def _width(self) -> float:
        return float(self.layer.current_edge_width)

    def _in_image(self, point: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.asarray(self.image.world_to_data(self.layer.data_to_world(point)), np.float64)

    def _on_press(self, layer: Any, event: Any) -> Iterator[None]:
        """While the mouse drags, napari tells of every step; only the last one counts."""
        self._dragging = True
        yield
        while event.type == "mouse_move":
            yield
        self._dragging = False

    def _on_data(self, event: Any) -> None:
        if self._writing or self._dragging or str(self.layer.mode) not in _BOX_MODES:
            return
        action = getattr(event, "action", None)
        if getattr(action, "name", str(action)).upper() in _FINISHED:
            self._changed()
