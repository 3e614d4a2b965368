"""Marks: from the layers of the viewer into the session, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from ..napari_io.click_layer import CORNER
from ..napari_io.guides import Guides
from ..napari_io.placement import plain
from ..napari_io.planes import Plane, current_plane
from ..objects import KINDS, Mark
from ..prompt import Bounds
from ..session import Session
from .kept_back import KeptBack
from .matching import box_between, corners_of, settled, take, with_corners

if TYPE_CHECKING:
    from ..napari_io.click_layer import ClickLayer
    from ..napari_io.workbench import Workbench

TOOLS = ("extreme", "box", "corners")
"""Ways to begin an object: extreme points; a box; two corners and a point inside."""

CHOICES = (*KINDS, "box", "corners")
"""What the user can choose for the next mark."""


class Prompts:
    """Keeps session, click layer and box layer the same, and knows what the next mark is.

    Attributes
    ----------
    plane : Plane or None
        The plane on the screen; None where none can be annotated.
    tool : str
        One of `TOOLS`.
    taken : tuple of str
        Kinds of mark that the model takes.
    """

    def __init__(self, viewer: Any, session: Session, bench: Workbench) -> None:
        self.plane: Plane | None = None
        self.tool = TOOLS[0]
        self.taken: tuple[str, ...] = (*KINDS, "box")
        self._viewer = viewer
        self._session = session
        self._bench = bench
        self._chosen: str | None = None
        self._guides: Guides | None = None
        self._ahead = KeptBack(session, bench)
        self._turning = False

    # -- what comes next ----------------------------------------------------------------------------------------

    @property
    def choices(self) -> tuple[str, ...]:
        """Those of `CHOICES` that the model takes."""
        possible = {kind: kind in self.taken for kind in (*KINDS, "box")}
        possible["corners"] = all(kind in self.taken for kind in ("box", "inside", "outside"))
        return tuple(kind for kind in CHOICES if possible[kind])

    @property
    def kind(self) -> str:
        """What the next mark is, one of `CHOICES`."""
        kind = self._next_click()
        return "corners" if kind == CORNER else kind

    def choose(self, kind: str) -> None:
        """Make marks of a kind from now on. Extreme points, box and corners begin objects; the others correct them."""
        if kind not in self.choices:
            return
        if kind not in TOOLS and not self._ahead.marks(self.plane) and self._ahead.box(self.plane) is None:
            self._ahead.end()  # what comes next begins no object
        self._chosen = None if kind in TOOLS else kind
        if kind in TOOLS:
            self.tool = kind
        self.arm(box=kind == "box")

    @property
    def next_kind(self) -> str:
        """The choice after the present one, in a circle."""
        choices = self.choices
        place = choices.index(self.kind) if self.kind in choices else -1
        return choices[(place + 1) % len(choices)]

    def start_over(self) -> bool:
        """Begin the next object with the present tool, and with the marks that were kept back; False without such."""
        self._chosen, held = None, self.hold
        marks, box = self._ahead.marks(self.plane), self._ahead.box(self.plane)
        self._ahead.end()
        if held:
            self._session.set_prompt(self._with_corners(tuple(marks), box), box)
            self.write()
        return held

    def arm(self, *, box: bool = False) -> None:
        """Make the layer active that takes the next mark; make it anew where the user has deleted it.

        Parameters
        ----------
        box : bool
            Go to the box even where there is one, to edit it.
        """
        if self._bench.image is None:
            return
        self._bench.make_clicks()
        if box or self.kind == "box":
            self._bench.make_boxes().fit_width(self._bench.zoom)
            self._bench.arm_box(drawing=self._box is None)
        else:
            self._bench.arm()
        self.settle()

    def settle(self) -> None:
        """Let the click layer and the guide lines follow what comes next."""
        self.settle_kind()
        self._settle_guides()

    def settle_kind(self) -> None:
        """Let the click layer follow what comes next. Changes no layers of the viewer."""
        clicks = self._bench.clicks
        if clicks is not None:
            clicks.allowed = self.taken
            kind = self._next_click()
            clicks.kind = KINDS[0] if kind == "box" else kind

    # -- between layers and session -------------------------------------------------------------------------------

    def look(self) -> None:
        """Read plane, points and box from the viewer.

        Raises
        ------
        ImageError
            In the 3-D view and where the image is not shown as a plane; there are no marks then.
        """
        if self._turning:
            return
        image, self.plane = self._bench.image, None
        try:
            if image is not None:
                self.plane = current_plane(image, self._viewer.dims)
        finally:
            self._session.go_to(None if self.plane is None else (image, self.plane))
            self._ahead.settle(self.plane)
        if self.plane is None or self._bench.reshaped:  # then the layers of marks are made anew in a moment
            return
        if not self.hold:
            self._read(self._bench.clicks, self.plane)
        else:
            self._make_box()
            if self._ahead.newly_drawn(self.plane):
                self.write()
                self._bench.arm()
        self.settle()

    def write(self) -> None:
        """Show the session's marks and box in the layers."""
        if self.plane is None:
            return
        if self._bench.clicks is None:
            self.arm()  # the user has deleted the layer
        clicks, session, ahead = self._bench.make_clicks(), self._session, self._ahead.box(self.plane)
        corners = clicks.corners(self.plane) if self.tool == "corners" and self._box is None else []
        clicks.write(self.plane, (*session.marks, *self._ahead.marks(self.plane)), corners)
        if session.box is not None or self._bench.boxes is not None:
            self._bench.make_boxes().write(self.plane, session.box, ahead)
        self.settle()

    @property
    def hold(self) -> bool:
        """Whether marks are kept back for the next object: this one is accepted as soon as its mask is there."""
        return self._ahead.on

    def keep_back(self) -> None:
        """Keep further marks back for the next object."""
        self._ahead.begin()
        if self.kind == "box" and self._bench.armed:
            self.arm()
        self.settle_kind()

    def let_go(self) -> bool:
        """Make the marks that were kept back those of the present object after all; False if there are none."""
        held, before = self.hold, (self._session.marks, self._session.box)
        self._ahead.end()
        if held and self.plane is not None:
            self._read(self._bench.clicks, self.plane)
            if self._session.box is not None and self._bench.armed:
                self._bench.arm()  # no other box is drawn now
        return before != (self._session.marks, self._session.box)

    def withdraw(self) -> None:
        """Remove the mark that was made last."""
        session = self._session
        if not self.drop_corners() and not self._ahead.withdraw(self.plane):
            self._ahead.end()
            if session.marks:
                session.set_marks(session.marks[:-1])
            elif session.box is not None:
                session.set_box(None)
        self.write()

    def drop_corners(self) -> bool:
        """Remove corners that are no box yet; False without any."""
        clicks, plane = self._bench.clicks, self.plane
        if clicks is None or plane is None or not clicks.corners(plane):
            return False
        clicks.write(plane, (*self._session.marks, *self._ahead.marks(plane)))
        return True

    def turn_to(self, place: Any) -> None:
        """Show the plane of a place of the session in the viewer."""
        if not isinstance(place, tuple) or place == (self._bench.image, self.plane):
            return
        self._turning = True
        try:
            self._bench.turn_to(*place)
            self.plane = place[1]
        finally:
            self._turning = False

    def release(self) -> None:
        """Take away what only this object needs."""
        if self._guides is not None:
            self._guides.release()
            self._guides = None

    # -- inside ---------------------------------------------------------------------------------------------------

    @property
    def _box(self) -> Bounds | None:
        """The box of the object that is marked now, which may be the next one."""
        return self._ahead.box(self.plane) if self.hold else self._session.box

    def _next_click(self) -> str:
        if self._chosen in self.taken and not self.hold:  # it was chosen to correct the object that is waited for
            return str(self._chosen)
        if self.tool != "extreme" and self._box is None and (self.hold or self._session.reopened is None):
            return CORNER if self.tool == "corners" else "box"
        if self.tool == "box" and self._bench.boxes is not None:
            active = plain(self._viewer.layers.selection.active)
            if active is self._bench.boxes.layer:
                return "box"
        if self._box is None if self.hold else self._session.remaining and self.tool == "extreme":
            return KINDS[0]
        return next((kind for kind in ("inside", "boundary") if kind in self.taken), KINDS[0])

    def _read(self, clicks: ClickLayer | None, plane: Plane) -> None:
        """Take over what has changed in the click layer and in the box layer, as one step."""
        session, boxes = self._session, self._bench.boxes
        seen = () if clicks is None else clicks.marks(plane)
        known = list(session.marks)
        marks = tuple(take(known, mark) or mark for mark in seen)  # the session's own, where rounding differs only
        box = session.box if boxes is None else settled(boxes.box(plane), session.box)
        if box is not None and session.box is not None and box != session.box:
            moved = dict(zip(corners_of(session.box), corners_of(box), strict=True))
            marks = tuple(moved.get(mark, mark) for mark in marks)
        drawn = box != session.box
        session.set_prompt(self._with_corners(marks, box), box)
        if drawn or session.marks != marks:
            self.write()
        if drawn and box is not None:
            self._bench.arm()  # clicks correct from now on
        self._make_box()

    def _with_corners(self, marks: tuple[Mark, ...], box: Bounds | None) -> tuple[Mark, ...]:
        return with_corners(marks, box, self._session.marks) if self.tool == "corners" else marks

    def _make_box(self) -> None:
        """Two corners make a box."""
        clicks = self._bench.clicks
        if clicks is None or self.plane is None:
            return
        corners = clicks.corners(self.plane)[:2]
        if len(corners) < 2:
            return
        box = box_between(*corners)
        if box is None:
            clicks.write(self.plane, (*self._session.marks, *self._ahead.marks(self.plane)), corners[:1])
            raise ImageError("The two corners enclose nothing; click the opposite corner of a box around the object.")
        if self.hold:
            self._bench.make_boxes().write(self.plane, self._session.box, box)
        else:
            self._session.set_box(box)
        self.write()

    def _settle_guides(self) -> None:
        wanted = self.tool == "corners" and self._bench.image is not None and self.plane is not None
        if self._guides is not None and (not wanted or self._guides.image is not self._bench.image):
            self.release()
        if wanted:
            assert self._bench.image is not None
            if self._guides is None:
                self._guides = Guides(self._viewer, self._bench.image)
            inside = any(mark.kind == "inside" for mark in self._session.marks)
            self._guides.show_middle(None if inside else self._session.box)
