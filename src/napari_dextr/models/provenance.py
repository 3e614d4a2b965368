"""Where a trained model comes from, in words: read from the free JSON that travels in its `ModelSpec`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..words import number_of
from .spec import ModelSpec

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in no locale's words


def describe(spec: ModelSpec) -> str:
    """Start, data, gain and date of a training in one line, as far as they are known.

    Examples
    --------
    >>> facts = {"started_from": "embedded", "objects": 23, "images": 4, "validation": {"after": {"cells": 0.86}}}
    >>> describe(ModelSpec("cells", "compact", provenance=facts))
    'started from embedded, 23 objects of 4 images, 0.86 on held-out objects'
    """
    facts = spec.provenance
    start = facts.get("started_from")
    parts = []
    if isinstance(start, str) and start:
        parts.append("trained from scratch" if start == "scratch" else f"started from {start}")
    parts += [_objects(facts), _gain(facts), _date(facts.get("created"))]
    told = ", ".join(part for part in parts if part)
    return told or str(facts.get("title") or "no record of its training")


def held_out_iou(provenance: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Mean IoU on objects that did not train, before and after a training, in 0..1; None where it is not known."""
    judged = provenance.get("validation")
    if not isinstance(judged, Mapping):
        return None, None
    return _mean(judged.get("before")), _mean(judged.get("after"))


def _mean(values: Any) -> float | None:
    """Mean of the groups' figures; a single figure is its own."""
    numbers = list(values.values()) if isinstance(values, Mapping) else [values]
    if not numbers or not all(type(number) in (int, float) and 0 <= number <= 1 for number in numbers):
        return None
    return float(sum(numbers) / len(numbers))


def _objects(facts: Mapping[str, Any]) -> str:
    objects, images = facts.get("objects"), facts.get("images")
    if type(objects) is not int or objects < 1:
        return ""
    told = number_of(objects, "object")
    return f"{told} of {number_of(images, 'image')}" if type(images) is int and images > 0 else told


def _gain(facts: Mapping[str, Any]) -> str:
    before, after = held_out_iou(facts)
    if after is None:
        return ""
    return f"{'' if before is None else f'{before:.2f} → '}{after:.2f} on held-out objects"


def _date(created: Any) -> str:
    try:
        day = datetime.fromisoformat(created).astimezone()  # what the calendar on the wall said
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
