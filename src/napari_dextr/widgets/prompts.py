"""Marks: from the layers of the viewer into the session, and back."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from ..napari_io.click_layer import CORNER
from ..napari_io.guides import Guides
from ..napari_io.placement import plain
from ..napari_io.planes import Plane, current_plane
from ..objects import KINDS, Mark
from ..prompt import Bounds
from ..session import Session
from .matching import corners_of, settled, take

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
        self._waiting: tuple[Hashable, tuple[Mark, ...]] | None = None  # place and marks of what is to be accepted
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
        if kind not in (self.tool, KINDS[0]) and not self._kept_back():
            self._waiting = None  # what comes next is no extreme point of the next object
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

    def start_over(self) -> None:
        """Begin the next object with the present tool."""
        self._chosen = None

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
            self._bench.arm_box(drawing=self._session.box is None)
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
            self._settle_hold()
        if self.plane is None or self._bench.reshaped:  # then the layers of marks are made anew in a moment
            return
        if not self.hold:
            self._read(self._bench.clicks, self.plane)
        self.settle()

    def write(self) -> None:
        """Show the session's marks and box in the layers."""
        if self.plane is None:
            return
        if self._bench.clicks is None:
            self.arm()  # the user has deleted the layer
        self._bench.make_clicks().write(self.plane, (*self._session.marks, *self._kept_back()))
        box = self._session.box
        if box is not None or self._bench.boxes is not None:
            self._bench.make_boxes().write(self.plane, box)
        self.settle()

    @property
    def hold(self) -> bool:
        """Whether clicks are kept back for the next object: this one is accepted as soon as its mask is there."""
        return self._waiting is not None

    def keep_back(self) -> None:
        """Keep further clicks back for the next object."""
        self._waiting = self._session.place, self._session.marks
        self.settle_kind()

    def release_held(self) -> None:
        """Make the clicks that were kept back the marks of the next object."""
        extra, self._waiting = self._kept_back(), None
        self._session.set_marks(extra)
        self.write()

    def let_go(self) -> bool:
        """Make the clicks that were kept back marks of the present object after all; False if there are none."""
        held, self._waiting = self.hold, None
        before = self._session.marks
        if held and self.plane is not None:
            self._read(self._bench.clicks, self.plane)
        return before != self._session.marks

    def withdraw(self) -> None:
        """Remove the mark that was made last."""
        session, clicks, held = self._session, self._bench.clicks, self._kept_back()
        if held and clicks is not None and self.plane is not None:
            clicks.write(self.plane, (*session.marks, *held[:-1]))
            return
        self._waiting = None
        if clicks is not None and self.plane is not None and clicks.corners(self.plane):
            pass  # a single corner is in the layer only; writing the marks removes it
        elif session.marks:
            session.set_marks(session.marks[:-1])
        elif session.box is not None:
            session.set_box(None)
        self.write()

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

    def _kept_back(self) -> list[Mark]:
        """Clicks that were made since the object is waited for."""
        clicks = self._bench.clicks
        if self._waiting is None or clicks is None or self.plane is None:
            return []
        known = list(self._waiting[1])
        return [mark for mark in clicks.marks(self.plane) if not take(known, mark)]

    def _settle_hold(self) -> None:
        """Wait no more where the answer is void: the plane was left, or the marks of the object are others."""
        if self._waiting is None:
            return
        clicks = self._bench.clicks
        seen = [] if clicks is None or self.plane is None else list(clicks.marks(self.plane))
        there = all(take(seen, mark) is not None for mark in self._waiting[1])
        corrects = any(mark.kind != KINDS[0] for mark in seen)  # such a mark begins no object
        if corrects or not there or self._waiting != (self._session.place, self._session.marks):
            self._waiting = None

    def _next_click(self) -> str:
        if self._chosen in self.taken and not self.hold:  # it was chosen to correct the object that is waited for
            return str(self._chosen)
        box = self._session.box
        if self.tool != "extreme" and box is None and self._session.reopened is None:
            return CORNER if self.tool == "corners" else "box"
        if self.tool == "box" and self._bench.boxes is not None:
            active = plain(self._viewer.layers.selection.active)
            if active is self._bench.boxes.layer:
                return "box"
        if self.hold or (self._session.remaining and self.tool == "extreme"):
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
        """Inside-outside guidance: the first point inside makes the box's corners outside points."""
        had_one = any(mark.kind == "inside" for mark in self._session.marks)
        has_one = any(mark.kind == "inside" for mark in marks)
        if self.tool != "corners" or had_one or not has_one:
            return marks
        return (*corners_of(box), *marks)

    def _make_box(self) -> None:
        """Two corners make a box."""
        clicks = self._bench.clicks
        if clicks is None or self.plane is None:
            return
        corners = clicks.corners(self.plane)[:2]
        if len(corners) < 2:
            return
        (r0, c0), (r1, c1) = corners
        if abs(r1 - r0) < 1 or abs(c1 - c0) < 1:
            clicks.write(self.plane, self._session.marks, corners[:1])
            raise ImageError("The two corners enclose nothing; click the opposite corner of a box around the object.")
        self._session.set_box((min(r0, r1), min(c0, c1), max(r0, r1), max(c0, c1)))
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
