"""What there is to learn from, and what is doubtful about it, told before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DextrError
from ..objects import ObjectFacts
from ..words import number_of
from .annotated import AnnotatedImage, Choice, Mask, Part, Stopped
from .crops import TOO_THIN, is_too_thin, read_pixels, side_for
from .regions import ENOUGH, choose_images
from .sources import Source
from .stacks import Found, is_stack, kept_together, objects_of

NEARLY_ALL = 0.9
"""Share of its image from which an object is doubted."""

_PIECE = 0.1  # share of an object that a piece must have to be one
_ALIKE = 1.1  # largest and smallest side, where all are as large as each other
_NAMED = 5  # objects that are named
_CROP = side_for(192)  # pixels of a crop for the embedded model
_STEPS = 64  # pixels along a side of an object that are looked at for numbers


@dataclass(frozen=True)
class Survey:
    """What a source holds.

    Attributes
    ----------
    objects : int
        Objects that can be used.
    images : int
        Images that hold them.
    classes : mapping of str to int
        How many objects each class has, the most frequent first; "" for those without a class.
    sides : (int, int, int) or None
        Longer side of the smallest, the median and the largest object, pixels.
    left_out : int
        Objects that cannot be used; `doubts` say why.
    doubts : tuple of str
        Sentences about what may spoil the training, the gravest first.
    refusal : str or None
        Why there can be no training at all, in a sentence.
    untouched : int
        Objects that the model which is to be trained drew, and that were accepted without a correcting mark.
    distinct : int
        Objects where one that several planes of a stack show counts once: so many decide who judges.
    """

    objects: int = 0
    images: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    sides: tuple[int, int, int] | None = None
    left_out: int = 0
    doubts: tuple[str, ...] = ()
    refusal: str | None = None
    untouched: int = 0
    distinct: int = 0

    def sentence(self) -> str:
        """All in one line, e.g. ``"23 objects on 4 images (nucleus 20, debris 3), 18 to 55 pixels long"``."""
        if self.refusal is not None:
            return self.refusal
        named = [f"{kind or 'without a class'} {count}" for kind, count in self.classes.items()]
        classes = f" ({', '.join(named)})" if list(self.classes) != [""] else ""
        sizes = ""
        if self.sides is not None:
            low, _, high = self.sides
            sizes = f", {low} pixels long" if low == high else f", {low} to {high} pixels long"
        return f"{number_of(self.objects, 'object')} on {number_of(self.images, 'image')}{classes}{sizes}"


def survey(source: Source, going: Callable[[float], bool] = lambda _share: True, *, model: str | None = None) -> Survey:
    """Look through a source. Labels are read once, plane by plane; of images only a few pixels, and only of floats.

    Parameters
    ----------
    source : Source
    going : callable
        Called again and again with the share that is done, 0 to 1, also while a large plane is read; where it answers
        False the survey ends, with a refusal that says so.
    model : str, optional
        Name of the model that is to be trained, or the hash of its weights.
    """
    try:
        return _Count(source, going, model).survey()
    except Stopped:
        return Survey(refusal="The survey was stopped before everything was read.")
    except DextrError as error:
        return Survey(refusal=str(error))


class _Count:
    """What is counted on the way."""

    def __init__(self, source: Source, going: Callable[[float], bool], model: str | None) -> None:
        self._source, self._going, self._model = source, going, model
        self._images = source.images
        self._done = 0
        self._found: list[Found] = []
        self._kinds: Counter[str] = Counter()
        self._sides: list[int] = []
        self._border = self._empty = self._thin = self._untouched = 0
        self._scattered: list[int] = []
        self._large: list[tuple[int, float]] = []

    def survey(self) -> Survey:
        choice = Choice(self._images, going=lambda: self._going(self._done / max(1, len(self._images))))
        for number, image, parts in choice:
            seen = [part for part in parts if not is_too_thin(part.region, part.mask, image.shape, _CROP)]
            self._thin += len(parts) - len(seen)
            known = [part for part, has in zip(seen, _have_numbers(image, seen), strict=True) if has]
            self._empty += len(seen) - len(known)
            for part in known:
                self._take(image, part)
            if known:
                self._found.append((number, image, {part.annotation.thing: part.region for part in known}))
            self._done += 1
        objects = len(self._sides)
        left_out = {**choice.left_out}
        if self._empty:
            left_out["on pixels without any number (NaN)"] = self._empty
        if self._thin:
            left_out[TOO_THIN] = self._thin
        lacking = [(image.name, why) for _, image, _ in self._found if (why := image.lack()) is not None]
        refusal = None
        if not objects:
            refusal = _nothing(self._source.name, left_out, self._images)
        elif lacking and (
            len(lacking) == len(self._found) or not all(image.rules.skip_unreadable for _, image, _ in self._found)
        ):
            refusal = lacking[0][1]
        sides, groups = sorted(self._sides), kept_together(self._found, self._source.neighbours)
        return Survey(
            objects=objects,
            images=len({image.key for _, image, _ in self._found}),
            classes=dict(self._kinds.most_common()),
            sides=(sides[0], sides[len(sides) // 2], sides[-1]) if sides else None,
            left_out=sum(left_out.values()),
            doubts=() if refusal else tuple(self._doubts(objects, left_out, lacking, groups)),
            refusal=refusal,
            untouched=self._untouched,
            distinct=sum(map(objects_of, groups)),
        )

    def _take(self, image: AnnotatedImage, part: Part) -> None:
        self._kinds[part.annotation.kind] += 1
        self._sides.append(max(part.mask.shape))
        self._border += any(
            span.start == 0 or span.stop == extent for span, extent in zip(part.region, image.shape, strict=True)
        )
        share = part.area / (image.shape[0] * image.shape[1])
        if share >= NEARLY_ALL:
            self._large.append((part.annotation.label, share))
        if in_pieces(part.mask):
            self._scattered.append(part.annotation.label)
        self._untouched += self._model is not None and drawn_by(part.annotation.facts, self._model)

    def _doubts(
        self, objects: int, left_out: Mapping[str, int], lacking: Sequence[tuple[str, str]],
        groups: Sequence[Sequence[Found]],
    ) -> list[str]:  # fmt: skip
        doubts = []
        if objects < ENOUGH:
            doubts.append(
                f"With fewer than {ENOUGH} objects nothing can be promised: the model may get better or worse, and too "
                "few objects are left to tell; annotate some more."
            )
        if lacking:
            doubts.append(
                f"{number_of(len(lacking), 'image')} cannot be found and will be left out, as '{lacking[0][0]}'."
            )
        for why, count in left_out.items():
            if count:
                doubts.append(_left_out(why, count))
        if self._untouched:
            verb, those = ("was", "that one") if self._untouched == 1 else ("were", "those")
            doubts.append(
                f"{self._untouched} of {objects} {verb} drawn by this model and not corrected by a mark: unless you "
                f"painted there, it learns little from {those}; annotate objects that it gets wrong."
            )
        if self._scattered:
            doubts.append(
                f"{_numbered(self._scattered)} of pieces far apart: perhaps these are several objects with the same "
                "number."
            )
        for label, share in self._large[:_NAMED]:
            doubts.append(f"Object {label} covers {share:.0%} of its image: perhaps it is the background.")
        if self._border:
            verb, it = ("touches", "its outline ends") if self._border == 1 else ("touch", "their outlines end")
            doubts.append(
                f"{number_of(self._border, 'object')} {verb} the border of the image; used all the same, but {it} "
                "there."
            )
        doubts += _about_split(groups)
        if objects >= ENOUGH and max(self._sides) <= _ALIKE * min(self._sides):
            doubts.append(
                f"All objects are about {max(self._sides)} pixels long: the model may get worse at other sizes."
            )
        named = [kind for kind in self._kinds if kind]
        if len(named) == 1 and self._kinds[named[0]] == objects:
            doubts.append(f"All objects are of one class, '{named[0]}': the model may get worse at others.")
        return doubts


def _about_split(groups: Sequence[Sequence[Found]]) -> list[str]:
    if any(map(is_stack, groups)):
        return [
            "Neighbouring planes show the same objects, so objects are held out by region, or where that cannot be "
            "at one end of the stack; they judge the model on this stack, not on new ones."
        ]
    if len(groups) == 1:
        return [
            "All objects are on one image: some are held out by region, and say little about other images; "
            "annotate a second image if you can."
        ]
    if choose_images([objects_of(group) for group in groups], 0.2, 0) is None:
        return [
            "Nearly all objects are on one image, so some are held out by region; annotate more on the others if "
            "you can."
        ]
    return []


def in_pieces(mask: Mask) -> bool:
    """Whether an object has large pieces that lie farther apart than half the longer side of the larger one."""
    from scipy.ndimage import find_objects, label

    pieces, count = label(mask, np.ones((3, 3), int))
    if count < 2:
        return False
    areas = np.bincount(pieces.ravel())[1:]
    boxes = [box for box, area in zip(find_objects(pieces), areas, strict=True) if area >= _PIECE * areas.sum()]
    for place, one in enumerate(boxes):
        nearest = [
            max(max(a.start - b.stop, b.start - a.stop) for a, b in zip(one, other, strict=True))
            for other in boxes[:place] + boxes[place + 1 :]
        ]
        if nearest and min(nearest) > max(span.stop - span.start for span in one) / 2:
            return True
    return False


def drawn_by(facts: ObjectFacts | None, model: str) -> bool:
    """Whether a model drew an object from the marks that began it, without a correcting one.

    Parameters
    ----------
    facts : ObjectFacts or None
    model : str
        Its name, or the hash of its weights. What a brush changed afterwards is not known.
    """
    if facts is None or model not in (facts.model, facts.model_hash):
        return False
    kinds = Counter(mark.kind for mark in facts.marks)
    if kinds["extreme"]:
        return set(kinds) == {"extreme"} and facts.box is None
    return not kinds or (facts.box is not None and kinds == {"inside": 1, "outside": 4})  # a point inside a box


def _have_numbers(image: AnnotatedImage, parts: Sequence[Part]) -> list[bool]:
    """Of which objects some pixel holds a number; images that hold integers are not read."""
    if not parts or not image.at_hand:
        return [True] * len(parts)
    plane: Any = image.plane()
    finest = plane.levels[0]
    if np.dtype(finest.dtype).kind != "f":
        return [True] * len(parts)
    answers = []
    for part in parts:
        steps = [max(1, (span.stop - span.start) // _STEPS) for span in part.region]
        rows, cols = (slice(s.start, s.stop, step) for s, step in zip(part.region, steps, strict=True))
        finite = np.isfinite(read_pixels(plane, (rows, cols)))
        inside = part.mask[:: steps[0], :: steps[1]]
        answers.append(bool(finite[inside].any()) or not inside.any())
    return answers


def _nothing(name: str, left_out: Mapping[str, int], images: Sequence[AnnotatedImage]) -> str:
    found = {why: count for why, count in left_out.items() if count}
    if not found:
        return f"{name} holds no object; annotate some first."
    least = max((image.rules.least_area for image in images), default=0)
    if set(found) == {f"smaller than {least} pixels"}:
        count = sum(found.values())
        return (
            f"{name} holds no object of {least} pixels or more ({number_of(count, 'smaller one')}), and smaller ones "
            "have too few pixels to learn an outline from; annotate larger ones, or an image with more pixels."
        )
    if set(found) == {"covering their whole image"}:
        return f"{name} covers its whole image, so there is no background to tell an object from; label objects only."
    if set(found) == {TOO_THIN}:
        return f"{name} holds only objects {TOO_THIN} ({sum(found.values())}); annotate thicker ones."
    if set(found) == {"on pixels without any number (NaN)"}:
        return "The image holds no numbers (NaN) where the objects are; choose the image that they were drawn on."
    reasons = ", ".join(f"{count} {why}" for why, count in found.items())
    return f"{name} has no usable object (left out: {reasons}); annotate some others."


def _left_out(why: str, count: int) -> str:
    verb = "is" if count == 1 else "are"
    if why.startswith("smaller"):
        return f"{number_of(count, 'object')} {verb} {why} and left out: too few pixels to learn an outline from."
    if why == "drawn twice":
        return f"{number_of(count, 'object')} {verb} there twice with the same pixels and used once."
    if why == "without a mask":
        return f"{number_of(count, 'object')} {'has' if count == 1 else 'have'} no mask and {verb} left out."
    return f"{number_of(count, 'object')} {verb} left out: {why}."


def _numbered(labels: Sequence[int]) -> str:
    shown = ", ".join(map(str, labels[:_NAMED])) + (", …" if len(labels) > _NAMED else "")
    return f"Object {shown} consists" if len(labels) == 1 else f"Objects {shown} consist"
