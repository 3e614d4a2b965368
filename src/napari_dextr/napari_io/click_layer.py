"""The Points layer that takes the clicks: made, styled, read and written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..session import KINDS, Mark
from .placement import follow, placement
from .planes import Plane, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Points

NAME = "Extreme clicks"

STYLES = {
    "extreme": ("disc", "#f0e442"),
    "boundary": ("diamond", "#e69f00"),
    "inside": ("triangle_up", "#35d0a5"),
    "outside": ("triangle_down", "#ff6a4d"),
}
"""Symbol and colour of each kind (after Okabe and Ito: told apart by colour-blind people, and in print)."""

_FINISHED = ("ADDED", "REMOVED", "CHANGED")
# Smallest and largest diameter of a point, screen pixels: zooming in shows the object, not larger points. (vispy draws
# borders at least half as wide as the smaller number.)
_SCREEN_SIZE = (2, 16)


class ClickLayer:
    """The clicks on one image.

    Parameters
    ----------
    image : Image
        The layer that is clicked on; the Points layer gets its axes and its transforms.
    changed : callable
        Called after points were added, moved or removed by the user.

    Attributes
    ----------
    layer : Points
        Add it to the viewer; it is recognised by identity, so it may be renamed.
    """

    def __init__(self, image: Image, changed: Callable[[], None]) -> None:
        from napari.layers import Points

        self.image = image
        self.layer: Points = Points(
            np.empty((0, image.ndim)),
            name=NAME,
            features={"kind": np.empty(0, object)},
            feature_defaults={"kind": KINDS[0]},
            size=_size(image),
            canvas_size_limits=_SCREEN_SIZE,
            border_color="black",
            border_width=0.12,
            opacity=1.0,
            **placement(image),
        )
        self._changed = changed
        self._writing = False
        self.kind = KINDS[0]
        self.layer.events.data.connect(self._on_data)

    def release(self) -> None:
        """Stop listening; the layer stays as it is."""
        self.layer.events.data.disconnect(self._on_data)

    def follow_image(self) -> None:
        """Take over transforms of the image that have changed."""
        follow(self.layer, self.image)

    @property
    def kind(self) -> str:
        """Kind that the next click gets, one of `napari_dextr.session.KINDS`."""
        return str(self.layer.feature_defaults["kind"].iloc[0])

    @kind.setter
    def kind(self, kind: str) -> None:
        symbol, color = STYLES[kind]
        self.layer.selected_data = set()  # napari would apply the new style to the selected points too
        self.layer.feature_defaults = {"kind": kind}
        self.layer.current_symbol = symbol
        self.layer.current_face_color = color

    def marks(self, plane: Plane) -> tuple[Mark, ...]:
        """Marks on a plane of the image, oldest first; points of other planes are left out."""
        kinds = self._kinds()
        placed = ((kind, self._in_image(point)) for kind, point in zip(kinds, self.layer.data, strict=True))
        return tuple(Mark(kind, *plane.row_col(point)) for kind, point in placed if plane.holds(point))

    def write(self, plane: Plane, marks: Iterable[Mark]) -> None:
        """Make ``marks`` the points of a plane; points of other planes stay."""
        data = np.asarray(self.layer.data, np.float64).reshape(-1, self.layer.ndim)
        elsewhere = np.array([not plane.holds(self._in_image(point)) for point in data], np.bool_)
        kinds = [kind for kind, keep in zip(self._kinds(), elsewhere, strict=True) if keep]
        points = list(data[elsewhere])
        for mark in marks:
            kinds.append(mark.kind)
            world = self.image.data_to_world(plane.point(mark.row, mark.col))
            points.append(np.asarray(self.layer.world_to_data(world)))
        self._writing = True
        try:
            self.layer.selected_data = set()
            self.layer.data = np.array(points, np.float64).reshape(-1, self.layer.ndim)
            self._set_kinds(kinds)
            self._style()
        finally:
            self._writing = False

    def _kinds(self) -> list[str]:
        """Kinds of all points; whatever the user typed into the features table that is not a kind counts as extreme."""
        if "kind" not in self.layer.features:
            return [KINDS[0]] * len(self.layer.data)
        return [str(kind) if kind in KINDS else KINDS[0] for kind in self.layer.features["kind"]]

    def _set_kinds(self, kinds: list[str]) -> None:
        self.layer.features = self.layer.features.assign(kind=np.array(kinds, object))

    def _style(self) -> None:
        kinds = self._kinds()
        if kinds:
            self.layer.symbol = [STYLES[kind][0] for kind in kinds]
            self.layer.face_color = [STYLES[kind][1] for kind in kinds]

    def _in_image(self, point: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Data coordinates of the image; through the world, so that a layer moved by hand still means what it shows."""
        return np.asarray(self.image.world_to_data(self.layer.data_to_world(point)), np.float64)

    def _on_data(self, event: Any) -> None:
        # napari announces each operation twice; the data are complete only at the second time.
        action = getattr(event, "action", None)
        if not self._writing and getattr(action, "name", str(action)).upper() in _FINISHED:
            self._changed()


def _size(image: Image) -> float:
    """Diameter of a point in data pixels: 2 % of the image's shorter side."""
    return max(1.0, 0.02 * min(layer_shape(image)[-2:]))
