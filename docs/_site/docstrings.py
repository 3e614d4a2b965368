"""Docstrings as Markdown: what numpydoc and Markdown write differently."""

from __future__ import annotations

import re
from typing import Any

import griffe

_LITERAL = re.compile(r"::(?=\n\n+( +)\S)")  # a paragraph that ends so has an indented example after it
_ALONE = re.compile(r"^::\n", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called with every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = _LITERAL.sub(":", _ALONE.sub("", obj.docstring.value))
