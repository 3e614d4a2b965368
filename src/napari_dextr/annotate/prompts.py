"""From an annotation to the prompt that it stands for: recorded marks, extreme points, or its box."""

from __future__ import annotations

from collections.abc import Collection

from ..coco import CocoObject
from ..coco.dataset import extreme_marks, facts_of
from ..errors import DataError, PromptError
from ..objects import ObjectFacts
from ..prompt import Prompt

PROMPTS = ("auto", "marks", "extreme", "box")
"""What to start from; "auto" takes the first that an annotation has and the model takes, in this order."""


def prompt_of(obj: CocoObject, kind: str = "auto", marks: Collection[str] = ("extreme", "box")) -> Prompt:
    """The prompt of an annotated object.

    Parameters
    ----------
    obj : CocoObject
    kind : str
        One of `PROMPTS`: "marks" are those that this project recorded, "extreme" the key ``extreme_points`` (x and
        y of pixels, as DEXTR and ExtremeNet write them), "box" is ``bbox``.
    marks : collection of str
        Kinds of mark that the model takes (`ModelSpec.marks`).

    Raises
    ------
    DataError
        When the annotation has nothing of the kind, or nothing that the model takes.
    PromptError
        When its marks enclose nothing.
    """
    if kind not in PROMPTS:
        raise PromptError(f"There is no prompt '{kind}'; choose one of {', '.join(PROMPTS)}.")
    missing: list[str] = []
    for candidate in PROMPTS[1:] if kind == "auto" else (kind,):
        prompt = _MAKERS[candidate](obj)
        if prompt is None:
            continue
        if prompt.marks <= set(marks):
            return prompt
        missing += sorted(prompt.marks - set(marks))
    if missing:
        names = " and ".join(dict.fromkeys(missing))
        raise DataError(f"it has {names} marks only, which this model does not take; choose another model.")
    raise DataError(f"it has no {'marks, extreme points or box' if kind == 'auto' else kind.replace('_', ' ')} to use.")


def prompt_of_box(x: float, y: float, width: float, height: float) -> Prompt:
    """Prompt of a COCO box: x, y of the upper left edge, width and height, pixels.

    COCO measures to the edges of pixels, prompts to the centres of the outermost ones. A box
    narrower than two pixels is widened to two, because marks cannot lie closer.

    Raises
    ------
    PromptError
        When width or height is not positive, or a number is not finite.
    """
    if not (width > 0 and height > 0):
        raise PromptError(f"The box has a width of {width:g} and a height of {height:g}; both must be positive.")
    grow = [max(0.0, 2.0 - side) / 2 for side in (height, width)]  # such a box has no extent between centres
    return Prompt.box(y - grow[0], x - grow[1], y + height - 1 + grow[0], x + width - 1 + grow[1])


def _from_marks(obj: CocoObject) -> Prompt | None:
    facts = facts_of({key: value for key, value in obj.extra.items() if key != "extreme_points"})
    if not facts.marks and facts.box is None:
        return None
    return prompt_of_facts(facts)


def prompt_of_facts(facts: ObjectFacts) -> Prompt:
    """The prompt that recorded marks and a recorded box make.

    Raises
    ------
    PromptError
        When they enclose nothing.
    """
    points = {
        kind: [(mark.row, mark.col) for mark in facts.marks if mark.kind == kind]
        for kind in ("extreme", "boundary", "inside", "outside")
    }
    if facts.box is not None and not points["extreme"]:
        prompt = Prompt.box(*facts.box)
    elif points["extreme"]:
        prompt = Prompt.extreme(points["extreme"])
    else:
        prompt = Prompt.clicks(points["inside"])
        points["inside"] = []
    for kind, add in _ADDITIONS:
        if points[kind]:
            prompt = add(prompt, points[kind])
    return prompt


def _from_extreme_points(obj: CocoObject) -> Prompt | None:
    points = obj.extra.get("extreme_points")
    if not points:
        return None
    return Prompt.extreme([(mark.row, mark.col) for mark in extreme_marks(points)])


def _from_box(obj: CocoObject) -> Prompt | None:
    return None if obj.bbox is None else prompt_of_box(*obj.bbox)


_ADDITIONS = (("boundary", Prompt.with_boundary), ("inside", Prompt.with_inside), ("outside", Prompt.with_outside))
_MAKERS = {"marks": _from_marks, "extreme": _from_extreme_points, "box": _from_box}
