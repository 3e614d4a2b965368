"""Marks as they are typed: ``"r,c r,c r,c r,c"``."""

from __future__ import annotations

import math
import re

from ..errors import PromptError
from ..prompt import Prompt

_SEPARATORS = re.compile(r"\s*;\s*|\s+")


def parse_points(text: str, option: str) -> list[tuple[float, float]]:
    """Rows and columns from text such as ``"12,40 80.5,3"``; pairs stand apart by spaces or semicolons.

    Raises
    ------
    PromptError
        When it is written in another way.
    """
    joined = re.sub(r"\s*,\s*", ",", text.strip().replace("(", "").replace(")", ""))
    points = []
    for pair in filter(None, _SEPARATORS.split(joined)):
        try:
            row, col = (float(number) for number in pair.split(","))
        except ValueError:
            raise PromptError(f"{option} must be written as \"row,col row,col\", but holds '{pair}'.") from None
        points.append((row, col))
    return points


def parse_numbers(text: str, option: str, count: int | None = None) -> list[float]:
    """Numbers from text such as ``"12,40,80"``.

    Raises
    ------
    PromptError
        When they are not numbers, or not `count` of them.
    """
    try:
        numbers = [float(number) for number in text.replace(";", ",").split(",")]
    except ValueError:
        raise PromptError(f"{option} must be numbers with commas between them, but is '{text}'.") from None
    if count is not None and len(numbers) != count:
        raise PromptError(f"{option} must be {count} numbers with commas between them, but is '{text}'.")
    if not all(map(math.isfinite, numbers)):
        raise PromptError(f"{option} must be finite numbers, but is '{text}'.")
    return numbers


def parse_whole(text: str, option: str) -> list[int]:
    """Whole numbers from such text; raises `PromptError` where one is none."""
    numbers = parse_numbers(text, option)
    if any(number != int(number) for number in numbers):
        raise PromptError(f"{option} must be whole numbers with commas between them, but is '{text}'.")
    return [int(number) for number in numbers]


def parse_prompt(
    points: str | None, box: str | None, inside: str | None, outside: str | None, boundary: str | None
) -> Prompt:
    """The prompt of the options ``--points``, ``--box``, ``--inside``, ``--outside`` and ``--boundary``.

    Raises
    ------
    PromptError
        When they contradict each other, or say nothing about an object.
    """
    positive = parse_points(inside or "", "--inside")
    negative = parse_points(outside or "", "--outside")
    if points is not None and box is not None:
        raise PromptError("Give either --points or --box: each of them already says where the object ends.")
    if points is not None:
        prompt = Prompt.extreme(parse_points(points, "--points"))
    elif box is not None:
        r0, c0, r1, c1 = parse_numbers(box, "--box", 4)
        prompt = Prompt.box(r0, c0, r1, c1)
    elif positive:
        prompt, positive, negative = Prompt.clicks(positive, negative), [], []
    else:
        raise PromptError("Say where the object is: give --points, --box or --inside.")
    if positive:
        prompt = prompt.with_inside(positive)
    if negative:
        prompt = prompt.with_outside(negative)
    return prompt.with_boundary(parse_points(boundary, "--boundary")) if boundary else prompt
