"""Several sources as one: files, layers and saved sessions together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..errors import DataError
from .annotated import AnnotatedImage
from .sources import Source


class JoinedSource(Source):
    """Several sources together. What lies twice on one image, in a file and in a layer for instance, is used once.

    Parameters
    ----------
    parts : sequence of Source

    Raises
    ------
    DataError
        If there are none.
    """

    def __init__(self, parts: Sequence[Source]) -> None:
        if not parts:
            raise DataError("There is nothing to learn from; choose a Labels layer, a COCO file or a saved session.")
        self.parts = tuple(parts)
        self.name = " and ".join(dict.fromkeys(part.name for part in parts))

    @cached_property
    def images(self) -> Sequence[AnnotatedImage]:
        return [image for part in self.parts for image in part.images]

    def facts(self) -> dict[str, Any]:
        parts = [part.facts() for part in self.parts]
        return {"annotations": ", ".join(str(facts.get("annotations", "labels")) for facts in parts), "parts": parts}
