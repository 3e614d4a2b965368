"""The Points layer that takes the clicks: made, styled, read and written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..objects import KINDS, Mark
from .placement import placement
from .planes import Plane, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Points

NAME = "Extreme clicks"

CORNER = "corner"
"""Kind of a point that is no mark yet: the first corner of a box that still lacks its opposite one."""

STYLES = {
    "extreme": ("disc", "#f0e442"),
    "boundary": ("diamond", "#e69f00"),
    "inside": ("triangle_up", "#35d0a5"),
    "outside": ("triangle_down", "#ff6a4d"),
    CORNER: ("square", "#9ad1ff"),
}
"""Symbol and colour of each kind (after Okabe and Ito: told apart by colour-blind people, and in print)."""

_FINISHED = ("ADDED", "REMOVED", "CHANGED")
_GESTURES = {"Shift": "outside", "Control": "boundary", "Alt": "inside"}
_LEFT, _RIGHT = 1, 2
# Smallest and largest diameter of a point, screen pixels: zooming in shows the object, not larger points. (vispy draws
# borders at least half as wide as the smaller number.)
_SCREEN_SIZE = (2, 16)


class ClickLayer:
    """The clicks on one image.

    In add mode a click makes a point of the present `kind`; with Shift or the right button it lies outside the object,
    with Ctrl on its outline, with Alt inside. A point that is there already is dragged instead, or selected.

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
    allowed : tuple of str
        Kinds that a gesture may make; where it names another one, the click gets the present kind.
    """

    def __init__(self, image: Image, changed: Callable[[], None]) -> None:
        from napari.layers import Points

        self.image = image
        self.allowed: tuple[str, ...] = KINDS
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
        self._adding = False
        self._gesture: str | None = None
        self._kind = KINDS[0]
        self._style_next()
        self.layer.events.data.connect(self._on_data)
        self.layer.selected_data.events.items_changed.connect(self._on_selected)
        self.layer.mouse_drag_callbacks.insert(0, self._on_press)  # before napari's own, which then acts as it is told

    def release(self) -> None:
        """Stop listening; the layer stays as it is."""
        self.layer.events.data.disconnect(self._on_data)
        self.layer.selected_data.events.items_changed.disconnect(self._on_selected)
        if self._on_press in self.layer.mouse_drag_callbacks:
            self.layer.mouse_drag_callbacks.remove(self._on_press)

    @property
    def kind(self) -> str:
        """Kind that the next click gets: one of `napari_dextr.objects.KINDS`, or `CORNER`."""
        return self._kind

    @kind.setter
    def kind(self, kind: str) -> None:
        if kind != self._kind:
            self._kind = kind
            self._style_next()

    def marks(self, plane: Plane) -> tuple[Mark, ...]:
        """Marks on a plane of the image, oldest first; points of other planes are left out."""
        return tuple(Mark(kind, *plane.row_col(point)) for kind, point in self._placed(plane) if kind != CORNER)

    def corners(self, plane: Plane) -> list[tuple[float, float]]:
        """(row, col) of the corners on a plane that are no box yet."""
        return [plane.row_col(point) for kind, point in self._placed(plane) if kind == CORNER]

    def write(self, plane: Plane, marks: Iterable[Mark], corners: Iterable[tuple[float, float]] = ()) -> None:
        """Make marks and corners the points of a plane; points of other planes stay."""
        data = np.asarray(self.layer.data, np.float64).reshape(-1, self.layer.ndim)
        elsewhere = np.array([not plane.holds(self._in_image(point)) for point in data], np.bool_)
        kinds = [kind for kind, keep in zip(self._kinds(), elsewhere, strict=True) if keep]
        points = list(data[elsewhere])
        wanted = [(mark.kind, mark.row, mark.col) for mark in marks]
        for kind, row, col in (*wanted, *((CORNER, *corner) for corner in corners)):
            kinds.append(kind)
            world = self.image.data_to_world(plane.point(row, col))
            points.append(np.asarray(self.layer.world_to_data(world)))
        wanted_data = np.array(points, np.float64).reshape(-1, self.layer.ndim)
        if kinds == self._kinds() and np.array_equal(wanted_data, data):
            return  # drawing points anew takes a while
        self._writing = True
        try:
            self.layer.selected_data = set()
            self.layer.data = wanted_data
            self._set_kinds(kinds)
        finally:
            self._writing = False

    # -- inside -------------------------------------------------------------------------------------------------

    def _placed(self, plane: Plane) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        for kind, point in zip(self._kinds(), self.layer.data, strict=True):
            place = self._in_image(point)
            if plane.holds(place):
                yield kind, place

    def _kinds(self) -> list[str]:
        """Kinds of all points; whatever the user typed into the features table that is not a kind counts as extreme."""
        if "kind" not in self.layer.features:
            return [KINDS[0]] * len(self.layer.data)
        return [str(kind) if kind in STYLES else KINDS[0] for kind in self.layer.features["kind"]]

    def _set_kinds(self, kinds: list[str]) -> None:
        self.layer.features = self.layer.features.assign(kind=np.array(kinds, object))
        if kinds:
            self.layer.symbol = [STYLES[kind][0] for kind in kinds]
            self.layer.face_color = [STYLES[kind][1] for kind in kinds]

    def _in_image(self, point: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Data coordinates of the image; through the world, so that a layer moved by hand still means what it shows."""
        return np.asarray(self.image.world_to_data(self.layer.data_to_world(point)), np.float64)

    def _on_data(self, event: Any) -> None:
        # napari announces each operation twice; the data are complete only at the second time.
        action = getattr(event, "action", None)
        name = getattr(action, "name", str(action)).upper()
        if self._writing or name not in _FINISHED:
            return
        if name == "ADDED":
            self._settle_kind()
        self._changed()
        # After this napari selects all points that came since the one before, those included that `write` has added.
        self._adding = name == "ADDED"

    def _on_selected(self, added: Any = None, removed: Any = None) -> None:
        """Of a click that made several points, only the last one is selected: Delete removes what was clicked."""
        adding, self._adding = self._adding, False
        if adding and len(self.layer.selected_data) > 1:
            self.layer.selected_data = {len(self.layer.data) - 1}

    def _settle_kind(self) -> None:
        """Give the new point its kind. napari made it like the one that was selected last."""
        gesture, self._gesture = self._gesture, None
        kind = gesture if gesture in self.allowed else self._kind
        kinds = self._kinds()
        if kinds[-1] != kind or str(self.layer.symbol[-1]) != STYLES[str(kind)][0]:
            self._set_kinds([*kinds[:-1], str(kind)])

    def _style_next(self) -> None:
        """Let napari make the next point in the looks of the present kind."""
        symbol, color = STYLES[self._kind]
        self.layer.selected_data = set()  # napari would apply the new style to the selected points too
        self.layer.feature_defaults = {"kind": self._kind}
        self.layer.current_symbol = symbol
        self.layer.current_face_color = color

    def _on_press(self, layer: Any, event: Any) -> Iterator[None]:
        """Before napari adds a point: what kind it will be, or which point is meant instead."""
        self._gesture = None
        if str(layer.mode) != "add":
            return
        modifiers = [str(getattr(modifier, "name", modifier)) for modifier in event.modifiers]
        named = [kind for name, kind in _GESTURES.items() if name in modifiers]
        if event.button == _RIGHT or named:
            self._gesture = named[0] if named else "outside"
            return
        index = layer.get_value(
            event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
        )
        if event.button != _LEFT or index is None:
            return
        layer.mode = "select"  # napari drags the point; its own callback comes after this one
        before = np.array(layer.data)
        yield
        while event.type == "mouse_move":
            yield
        layer.mode = "add"
        if index < len(layer.data):
            layer.selected_data = {index}  # so that Delete removes it
        if not np.array_equal(before, layer.data):
            self._changed()


def _size(image: Image) -> float:
    """Diameter of a point in data pixels: 2 % of the image's shorter side."""
    return max(1.0, 0.02 * min(layer_shape(image)[-2:]))
