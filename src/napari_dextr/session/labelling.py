"""Writing objects into label pixels: who may write over what, what lay beneath, which label comes next.

Nothing is written here. Each method reads the pixels around one object and returns the edits that would do it, for
`napari_dextr.session.history` to make and to take back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import OutputError, PromptError
from ..objects import AnnotatedObject
from ..prompt import Region
from .history import Edit, Paint, Put, State
from .patches import (
    LabelImage,
    Labels,
    Mask,
    OutsideError,
    PackedMask,
    Patch,
    SparseLabels,
    cut,
    join,
    meet,
    placed,
    wider,
    within,
)

_BY_HAND, _LOOSE = np.uint8(1), np.uint8(2)  # pixels painted by hand; others that no object of the session accounts for


@dataclass(frozen=True)
class AcceptPolicy:
    """What an accepted object may write over. It always replaces its own earlier pixels.

    Attributes
    ----------
    kind : {"background", "overwrite", "protect"}
        Only pixels without a label; every pixel; every pixel but those of ``protected`` labels.
    protected : frozenset of int
    keep_painted : bool
        Pixels that were painted or erased by hand stay as they are.
    """

    kind: Literal["background", "overwrite", "protect"] = "background"
    protected: frozenset[int] = frozenset()
    keep_painted: bool = False

    def allows(self, present: Labels) -> Mask:
        """Where labels may be written over."""
        if self.kind == "overwrite":
            return np.ones(present.shape, bool)
        if self.kind == "background":
            return np.asarray(present == 0)
        return ~np.isin(present, list(self.protected))


@dataclass(frozen=True, eq=False)
class Stroke:
    """What a person painted by hand on one plane: a brush stroke, a fill, a polygon, erased pixels.

    Attributes
    ----------
    place : hashable
    region : two slices
    changed : (h, w) bool
    before, after : (h, w) int, or one int
        Labels on ``region``; they count where ``changed``.
    """

    place: Hashable
    region: Region
    changed: Mask
    before: Labels | int
    after: Labels | int


class LabelTarget:
    """The objects of one label image.

    Parameters
    ----------
    key : hashable
        Names the target.
    state : State
        Where objects and pixels are kept.
    image : LabelImage
    spot_of : callable, optional
        What names the pixels of a place: places of two channels can show the same ones.

    Attributes
    ----------
    next_label : int
        Never smaller than it was: no label is given twice.
    """

    def __init__(
        self,
        key: Hashable,
        state: State,
        image: LabelImage,
        spot_of: Callable[[Hashable], Hashable] = lambda place: place,
    ) -> None:
        self.key = key
        self.next_label = max(0, image.highest()) + 1
        self._state = state
        self._spot_of = spot_of
        self._areas: dict[int, int] = {}
        self._adopted: dict[int, AnnotatedObject] = {}
        self._painted = SparseLabels(np.uint8)  # by spots
        self._places: dict[Hashable, Hashable] = {}  # of these spots
        state.images["painted", key] = self._painted
        self.image = image

    @property
    def image(self) -> LabelImage:
        """The pixels."""
        return self._state.images["labels", self.key]

    @image.setter
    def image(self, image: LabelImage) -> None:
        self._state.images["labels", self.key] = image
        self._areas.clear()

    @property
    def objects(self) -> Mapping[int, AnnotatedObject]:
        """Objects by label."""
        return MappingProxyType(self._state.slot(("object", self.key)))

    def object(self, label: int) -> AnnotatedObject:
        """The object of a label; a `PromptError` if there is none."""
        found = self.objects.get(label)
        if found is None:
            raise PromptError(f"There is no object {label} in this Labels layer; choose one of the table.")
        return found

    def take_label(self, label: int) -> None:
        """Note that a label is in use."""
        self.next_label = max(self.next_label, int(label) + 1)

    def free_label(self) -> int:
        """The next label; an `OutputError` where the target cannot hold it."""
        largest = self.image.largest
        if self.next_label > largest:
            raise OutputError(
                f"The Labels layer holds values up to {largest} only, and label {self.next_label} comes next; "
                "right-click the layer and convert its data type, or choose a new layer."
            )
        return self.next_label

    # -- reading ------------------------------------------------------------------------------------------------

    def own(self, item: AnnotatedObject) -> tuple[Region, Mask]:
        """The pixels that an object has now."""
        return item.region, np.asarray(self.image.read(item.place, item.region) == item.label)

    def whole(self, label: int) -> AnnotatedObject:
        """The object of a label, with all its pixels in its region; a `PromptError` if there is none.

        Of an object from a file only the marks say where it lies, and corrections may have gone beyond them: the region
        is widened as long as its border cuts through pixels of the object.
        """
        item = self.object(label)
        region, own = self.own(item)
        if not cut(region, own):
            return item
        while cut(region, own):
            region = wider(region)
            own = np.asarray(self.image.read(item.place, region) == label)
        region = join(item.region, PackedMask.of(own, region).region)
        if region == item.region:
            return item
        found = replace(item, region=region)
        if self._adopted.get(label) is item:
            self._adopted[label] = found
        self._state.put(("object", self.key), label, found)
        return found

    def painted(self) -> Iterator[tuple[Hashable, Region, Mask]]:
        """Piece by piece, the pixels painted by hand and those of `keep_loose`: place, region, and where they are."""
        for spot in self._painted.places:
            for region, _, mask in self._painted.written(spot):
                yield self._places[spot], region, mask

    def area(self, label: int) -> int:
        """Number of pixels that an object has now. Read again only after they may have changed."""
        if label not in self._areas:
            self._areas[label] = int(self.own(self.whole(label))[1].sum())
        return self._areas[label]

    def touched(self, labels: frozenset[int]) -> None:
        """Note that objects may have other pixels than before."""
        for label in labels:
            self._areas.pop(label, None)

    def only_adopted(self, item: AnnotatedObject) -> bool:
        """Whether an object is as the image and its record held it: a file has it, and nothing was done to it."""
        return self._adopted.get(item.label) is item

    def held(self, label: int) -> bool:
        """Whether the image held an object of this label before, with its record."""
        return label in self._adopted

    # -- taking over ----------------------------------------------------------------------------------------------

    def adopt(self, item: AnnotatedObject, *, safe: bool = True) -> None:
        """Take over an object that the image held before; ``safe``: with its record it can be found there again."""
        before = self.objects.get(item.label)
        if before is not None and self._spot_of(before.place) != self._spot_of(item.place):
            # A label on several planes: from now on it stands for this plane's pixels. What lay beneath the others is
            # no longer its concern, but they may be of this session.
            self._state.put(("claim", self.key), item.label, None)
            if not self.only_adopted(before):
                with suppress(OutsideError):
                    self.keep_loose(before.place, *self.own(before))
        if safe:
            self._adopted[item.label] = item
        self._state.put(("object", self.key), item.label, item)
        self.take_label(item.label)
        self.touched(frozenset((item.label,)))

    def keep_loose(self, place: Hashable, region: Region, mask: Mask) -> None:
        """Note pixels that a journal must hold, though no object accounts for them and nobody paints them now."""
        spot = self._spot(place)
        noted = self._painted.read(spot, region) > 0
        self._painted.write(spot, region, np.full(mask.shape, _LOOSE), mask & ~noted)

    # -- planning -----------------------------------------------------------------------------------------------

    def accept(
        self,
        place: Hashable,
        region: Region,
        mask: Mask,
        policy: AcceptPolicy,
        earlier: AnnotatedObject | None,
        reopened: PackedMask | None = None,
    ) -> tuple[int, Region, tuple[Edit, ...]]:
        """Edits that write a ``(h, w)`` mask as a new object, or in place of an earlier state of it.

        Where the earlier state had other pixels when it was ``reopened``, and a hand has changed them, they stay.

        Returns
        -------
        label : int
        region : two slices
            Holds the object's pixels, those outside the mask that it kept included.
        edits : tuple of Edit
            Of pixels and of what is known about them; not of the object itself.

        Raises
        ------
        OutputError
            If there is nothing to write, or the target cannot take it.
        """
        if not mask.any():
            raise OutputError("The mask is empty; lower the threshold or move the points.")
        _ = self.image.largest  # refuses where no object may be written: reading does not
        packed = PackedMask.of(mask, region)
        mask, region = packed.mask(), packed.region
        frame = region if earlier is None else join(region, earlier.region)
        frame = frame if reopened is None else join(frame, reopened.region)
        present = np.array(self.image.read(place, frame))
        height, width = present.shape
        label = self._unseen_label(present) if earlier is None else earlier.label
        wanted = placed(mask, region, frame)[:height, :width]  # a target may end before the image does
        was = None if reopened is None else placed(reopened.mask(), reopened.region, frame)[:height, :width]
        frame = slice(frame[0].start, frame[0].start + height), slice(frame[1].start, frame[1].start + width)
        painted = self._painted.read(self._spot_of(place), frame) == _BY_HAND
        own = np.zeros(present.shape, bool) if earlier is None else present == label
        changed = np.zeros(own.shape, bool) if was is None else own != was
        held = painted if policy.keep_painted else painted & changed
        won = wanted & ~own & policy.allows(present) & ~held
        lost = own & ~wanted & ~held
        final = (own & ~lost) | won
        if not final.any():
            raise OutputError(
                "The object lies wholly on pixels that must stay; discard it, or choose to write over earlier objects."
            )
        beneath = self._beneath(label, place, frame, present.dtype)
        values = present.copy()
        values[lost] = beneath[lost]
        values[won] = label
        beneath = np.where(won, present, beneath)
        claim = Patch.of(frame, beneath, np.full_like(present, label), final)
        assert claim is not None
        edits = [*self._pixels(place, frame, present, values), self._put_claim(label, claim)]
        return label, claim.region, tuple(edits)

    def delete(self, label: int) -> tuple[Edit, ...]:
        """Edits that take an object away; what lay beneath comes back where it is known, else 0."""
        item = self.whole(label)
        present = np.array(self.image.read(item.place, item.region))
        own = present == label
        beneath = self._beneath(label, item.place, item.region, present.dtype)
        values = np.where(own, beneath, present)
        return (
            *self._pixels(item.place, item.region, present, values),
            self._put_claim(label, None),
            Put(("object", self.key), label, item, None),
            Put(("deleted", self.key), label, None, True),
        )

    def strokes(self, strokes: Sequence[Stroke]) -> tuple[Edit, ...]:
        """Edits for what was painted by hand just now."""
        edits: list[Edit] = []
        grown: dict[int, AnnotatedObject] = {}
        for stroke in strokes:
            before, after = (
                np.broadcast_to(np.asarray(v), stroke.changed.shape) for v in (stroke.before, stroke.after)
            )
            patch = Patch.of(stroke.region, before, after, stroke.changed & np.asarray(before != after))
            if patch is None:
                continue
            edits.append(Paint("labels", self.key, stroke.place, patch, done=True))
            edits += self._paint(stroke.place, stroke.region, stroke.changed)
            for label in patch.labels:
                item = grown.get(label, self.objects.get(label))
                if item is None or _holds(item.region, patch.region):
                    continue
                if self._spot_of(item.place) == self._spot_of(stroke.place):
                    grown[label] = replace(item, region=join(item.region, patch.region))
        edits += [Put(("object", self.key), label, self.objects[label], item) for label, item in grown.items()]
        return tuple(edits)

    # -- inside -------------------------------------------------------------------------------------------------

    def _unseen_label(self, present: Labels) -> int:
        """The next label that none of these pixels has: other programs write labels without telling us."""
        while bool((present == self.free_label()).any()):
            self.take_label(self.next_label)
        return self.next_label

    def _pixels(self, place: Hashable, region: Region, before: Labels, after: Labels) -> list[Edit]:
        """Edits that change pixels, which then are no longer painted by hand."""
        patch = Patch.of(region, before, after)
        if patch is None:
            return []
        edits: list[Edit] = [Paint("labels", self.key, place, patch)]
        spot = self._spot_of(place)
        painted = self._painted.read(spot, region)
        if painted.any():
            clean = Patch.of(region, painted, np.where(before != after, np.uint8(0), painted))
            edits += [] if clean is None else [Paint("painted", self.key, spot, clean)]
        return edits

    def _paint(self, place: Hashable, region: Region, changed: Mask) -> list[Edit]:
        spot = self._spot(place)
        painted = self._painted.read(spot, region)
        patch = Patch.of(region, painted, np.where(changed, _BY_HAND, painted))
        return [] if patch is None else [Paint("painted", self.key, spot, patch)]

    def _spot(self, place: Hashable) -> Hashable:
        """The spot of a place on which something is about to be noted."""
        spot = self._spot_of(place)
        self._places.setdefault(spot, place)
        return spot

    def _put_claim(self, label: int, claim: Patch | None) -> Put:
        """Edit that remembers which pixels an object took, and what lay beneath them."""
        slot = ("claim", self.key)
        return Put(slot, label, self._state.get(slot, label), claim)

    def _beneath(self, label: int, place: Hashable, frame: Region, dtype: npt.DTypeLike) -> Labels:
        """What lay beneath an object, on ``frame``: 0 where that is unknown, or has gone in the meantime."""
        beneath = np.zeros([part.stop - part.start for part in frame], dtype)
        claims, deleted = self._state.slot(("claim", self.key)), self._state.slot(("deleted", self.key))
        claim = claims.get(label)
        if claim is None or not _holds(frame, claim.region):
            return beneath
        mask, values = claim.values(forward=False)
        part = beneath[within(claim.region, frame)]
        part[mask] = values
        for other in claim.labels - {label}:
            there = claims.get(other)
            if other in deleted:
                part[part == other] = 0
            elif there is not None:  # it may have given up these pixels itself since then
                now = np.zeros(part.shape, bool)
                if meet(there.region, claim.region):
                    whole = join(there.region, claim.region)
                    now = placed(there.where.mask(), there.region, whole)[within(claim.region, whole)]
                part[(part == other) & ~now] = 0
        return beneath


def _holds(outer: Region, inner: Region) -> bool:
    return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(outer, inner, strict=True))
