"""The Labels layer that accepted objects are written into, bound to the session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from ..objects import AnnotatedObject, ObjectFacts, region_of
from ..session.patches import PackedMask
from .belonging import belongs_to
from .label_layers import check_target
from .label_pixels import LayerPixels
from .label_scan import LabelScan, highest_of, is_small, known_highest
from .label_storage import check_editable, finest, needs_copy, read_block
from .object_table import given_highest, note_highest, record
from .placement import plain, same_place
from .planes import Plane, current_plane, hidden_axes, hidden_index, layer_shape, plane_at
from .strokes import UnknownStrokeError, strokes_of

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..session import Session
    from .workbench import Workbench

_MOST_SEARCHED = 1 << 26  # pixels of a plane that are searched for one label in a moment


class Target:
    """Where objects go. What the user paints there by hand goes into the session's history and label counter.

    Parameters
    ----------
    bench : Workbench
    session : Session
    scanned : callable, optional
        Called **in another thread** when the labels in use of a large layer are known; see `settle`.
    changed : callable, optional
        Called with the layer before, or None, when another one is taken, or none.

    Attributes
    ----------
    layer : Labels or None
        None until the first object is accepted, unless the user chose a layer.
    """

    def __init__(
        self,
        bench: Workbench,
        session: Session,
        *,
        scanned: Callable[[], None] = lambda: None,
        changed: Callable[[Any], None] = lambda before: None,
    ) -> None:
        self.layer: Labels | None = None
        self._bench = bench
        self._session = session
        self._scanned = scanned
        self._changed = changed
        self._scan: LabelScan | None = None

    @property
    def scanning(self) -> bool:
        """Whether the labels in use of the layer are not known yet; until then no object can be accepted."""
        return self._scan is not None and self._scan.running

    def choose(self, layer: Any) -> None:
        """Write the next objects into ``layer``; None makes a new one when it is needed (`ensure`)."""
        layer = plain(layer)
        if layer is self.layer:
            return
        self.release()
        if layer is not None:
            self._take(layer)

    def _take(self, layer: Labels, *, empty: bool = False) -> None:
        self.layer = layer
        layer.events.paint.connect(self._on_painted)
        layer.events.data.connect(self._on_replaced)
        self._changed(None)
        highest = 0 if empty else self._look_for_labels()
        pixels = LayerPixels(layer, self._bench.viewer.dims, highest=lambda: highest, check=partial(self._check, layer))
        _, classes = record(layer)
        self._session.bind(layer, pixels, classes=classes or None)
        self._session.note_label(highest)
        self.adopt()

    def adopt(self) -> None:
        """Take over objects and classes that the layer's record names; those that the session knows stay as they are.

        Objects of an image that was closed come to the one that lies in its place now: the same one, opened again.
        """
        layer, image = self.layer, self._bench.image
        if layer is None or image is None:
            return
        self._bench.use(layer)
        found, axes = [], self._axes()
        noted, classes = record(layer)
        for label, facts in noted.items():
            region = region_of(facts)
            if label not in self._session.objects and region is not None:
                found.append(AnnotatedObject(label, (image, self._plane_of(facts, axes)), region, facts))
        known = {entry.id for entry in self._session.classes}
        fresh = [entry for entry in classes if entry.id not in known]  # somebody else has written objects of these
        self._session.adopt(found, [*self._session.classes, *fresh] if fresh else None)
        if same_place(layer, image):
            objects = [item for item in self._session.objects.values() if not self._bench.holds(_image_of(item))]
            left = [item for item in objects if _plane_in(item).ndim == image.ndim]
            self._session.adopt([replace(item, place=(image, _plane_in(item))) for item in left], safe=False)

    def adopt_label(self, label: int, *, pointed: bool = False) -> None:
        """Take over an object of which only the pixels are known: of a file of others, or painted.

        Nothing happens where there are none, where nobody could correct it there, or where the plane is too large to be
        searched while somebody waits.

        Parameters
        ----------
        label : int
        pointed : bool
            The pixels on the shown plane are meant, whatever plane the session or the record names.

        Raises
        ------
        ImageError
            In the 3-D view.
        OutputError
            If the layer cannot be read.
        """
        layer, image = self.layer, self._bench.image
        if layer is None or image is None or not same_place(layer, image):
            return
        facts, extents = record(layer)[0].get(label, ObjectFacts()), layer_shape(layer)
        noted = self._plane_of(facts, self._axes())
        plane = current_plane(image, self._bench.viewer.dims) if pointed or not facts.prompts else noted
        known = self._session.objects.get(label)
        if known is not None and _plane_in(known) == plane:
            return
        height, width = (extents[axis] for axis in plane.axes)
        if height * width > _MOST_SEARCHED or any(
            at >= extent for at, extent in zip(plane.index, extents, strict=True)
        ):
            return
        values = read_block(layer, plane.block((slice(0, height), slice(0, width))))
        mask = values.reshape([values.shape[axis] for axis in plane.axes]) == label
        if mask.any():
            if plane != noted:  # the marks are those of another plane's pixels
                facts = ObjectFacts(class_id=facts.class_id)
            facts = replace(facts, plane=hidden_index(plane), axes=hidden_axes(plane))
            region = PackedMask.of(mask, (slice(0, height), slice(0, width))).region
            self._session.adopt([AnnotatedObject(label, (image, plane), region, facts)])

    def ensure(self) -> Labels:
        """The layer, made now where there is none.

        Raises
        ------
        OutputError
            If objects cannot be written into it, or not yet.
        """
        if self.layer is None:
            self._take(self._bench.make_target(), empty=True)
        assert self.layer is not None
        self._check(self.layer)
        if self._bench.image is not None:
            belongs_to(self.layer, self._bench.image)
        self._session.note_label(given_highest(self.layer))  # somebody else may have written objects in the meantime
        return self.layer

    def settle(self) -> None:
        """Take over the labels in use once they are known. In the main thread, after ``scanned`` was called."""
        scan, layer = self._scan, self.layer
        if scan is not None and layer is not None and not scan.running:
            self._session.note_label(scan.result(layer.name))
            self._scan = None

    def release(self) -> None:
        """Stop listening to the layer, which stays as it is."""
        self._stop_scan()
        if self.layer is not None:
            self.layer.events.paint.disconnect(self._on_painted)
            self.layer.events.data.disconnect(self._on_replaced)
            before, self.layer = self.layer, None
            self._session.bind(None, None)
            self._changed(before)

    def forget(self, layer: Any) -> None:
        """Let go of a layer that was removed from the viewer."""
        if layer is self.layer:
            self.release()
        self._session.forget_target(layer)

    # -- labels in use --------------------------------------------------------------------------------------------

    def _look_for_labels(self) -> int:
        """Highest label that is known now; large layers are read in a thread, which ends in `settle`."""
        assert self.layer is not None
        self._stop_scan()
        known, array = known_highest(self.layer), finest(self.layer)
        if is_small(array):
            return max(known, highest_of(array))
        if not needs_copy(self.layer):
            self._scan = LabelScan(self.layer, self._scanned)
        return known

    def _stop_scan(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None

    def _check(self, layer: Labels) -> None:
        """Raise where no object can be written into a layer now."""
        if self._bench.image is None:
            check_editable(layer)
        else:
            check_target(layer, self._bench.image)
        name, scan = layer.name, self._scan
        if scan is not None and layer is self.layer:
            scan.result(name)
            self.settle()

    def _plane_of(self, facts: ObjectFacts, shown: tuple[int, int]) -> Plane:
        """The plane that facts name; where they do not say which axes it has, those on the screen are meant."""
        assert self.layer is not None
        axes, ndim = facts.axes, self.layer.ndim
        return plane_at(facts.plane, shown if axes is None or axes[1] >= ndim else axes, ndim)

    # -- what the user does to the layer ----------------------------------------------------------------------------

    def _axes(self) -> tuple[int, int]:
        """Axes of the layer that are on the screen; the last two in the 3-D view."""
        assert self.layer is not None
        try:
            return current_plane(self.layer, self._bench.viewer.dims).axes
        except ImageError:
            return self.layer.ndim - 2, self.layer.ndim - 1

    def _on_painted(self, event: Any) -> None:
        layer, image = self.layer, self._bench.image
        if layer is None or image is None:
            return
        self._session.note_label(int(layer.selected_label))
        note_highest(layer, int(layer.selected_label))
        # What cannot be read is no step: napari's own record of it is of no use here, as it holds our writing too.
        with suppress(UnknownStrokeError):
            self._session.note_painted(strokes_of(event.value, image, self._axes()))

    def _on_replaced(self, event: Any = None) -> None:
        if self.layer is not None:
            self._session.note_label(self._look_for_labels())


def _image_of(item: AnnotatedObject) -> Any:
    assert isinstance(item.place, tuple)
    return item.place[0]


def _plane_in(item: AnnotatedObject) -> Plane:
    assert isinstance(item.place, tuple)
    plane = item.place[1]
    assert isinstance(plane, Plane)
    return plane
