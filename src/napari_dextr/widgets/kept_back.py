"""What is marked for the next object while the present one waits for its answer, to be accepted with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..objects import KINDS, Mark
from .matching import settled, take

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..napari_io.planes import Plane
    from ..napari_io.workbench import Workbench
    from ..prompt import Bounds
    from ..session import Session


class KeptBack:
    """Points, corners and a box in the layers of marks that the session is not told of yet.

    Attributes
    ----------
    on : bool
        Whether marks are kept back now.
    """

    def __init__(self, session: Session, bench: Workbench) -> None:
        self._session, self._bench = session, bench
        self._waiting: tuple[Hashable, tuple[Mark, ...], Bounds | None] | None = None  # what is to be accepted
        self._seen: Bounds | None = None

    @property
    def on(self) -> bool:
        return self._waiting is not None

    def begin(self) -> None:
        """Keep further marks back: those of the session are complete."""
        self._waiting, self._seen = self._present, None

    def end(self) -> None:
        """Keep nothing back any more."""
        self._waiting = None

    def marks(self, plane: Plane | None) -> list[Mark]:
        """Points that were clicked since then, corners aside."""
        clicks = self._bench.clicks
        if self._waiting is None or clicks is None or plane is None:
            return []
        known = list(self._waiting[1])
        return [mark for mark in clicks.marks(plane) if not take(known, mark)]

    def box(self, plane: Plane | None) -> Bounds | None:
        """The box that was drawn since then, the newest where there are several."""
        if self._waiting is None:
            return None
        known = self._waiting[2]
        drawn = [box for box in self._boxes(plane) if settled(box, known) != known]
        return drawn[-1] if drawn else None

    def newly_drawn(self, plane: Plane | None) -> bool:
        """Whether there is a box that was not there when this was asked last."""
        before, self._seen = self._seen, self.box(plane)
        return self._seen is not None and settled(self._seen, before) != before

    def withdraw(self, plane: Plane | None) -> bool:
        """Remove the last point, without any the box; False without either."""
        marks = self.marks(plane)
        if plane is None or (not marks and self.box(plane) is None):
            return False
        if marks:
            self._bench.make_clicks().write(plane, (*self._session.marks, *marks[:-1]))
        else:
            self._bench.make_boxes().write(plane, self._session.box)
        return True

    def settle(self, plane: Plane | None) -> None:
        """Wait no more where the answer is void: the plane was left, or the marks of the object are others."""
        if self._waiting is None:
            return
        clicks, (_, marks, box) = self._bench.clicks, self._waiting
        seen = [] if clicks is None or plane is None else list(clicks.marks(plane))
        there = all(take(seen, mark) is not None for mark in marks)
        there = there and (box is None or any(settled(other, box) == box for other in self._boxes(plane)))
        # Such a mark begins no object.
        corrects = any(mark.kind != KINDS[0] for mark in seen) and self.box(plane) is None
        if corrects or not there or self._waiting != self._present:
            self._waiting = None

    @property
    def _present(self) -> tuple[Hashable, tuple[Mark, ...], Bounds | None]:
        return self._session.place, self._session.marks, self._session.box

    def _boxes(self, plane: Plane | None) -> list[Bounds]:
        boxes = self._bench.boxes
        return [] if boxes is None or plane is None else boxes.all(plane)
