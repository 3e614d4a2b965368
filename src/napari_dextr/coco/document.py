"""A COCO file taken apart entry by entry, with the text of each: what nobody changed can be written as it stood."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, first_line

LISTS = ("images", "annotations", "categories")
"""Top-level lists that are read entry by entry."""

_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_LIST = re.compile(r"\s*:\s*\[")
_HEAD = 1 << 16  # bytes in which a COCO file shows what it is
_READ = json.JSONDecoder().raw_decode


class Part(NamedTuple):
    """A piece of a JSON document.

    Attributes
    ----------
    key : str
        The top-level key that it belongs to.
    entry : bool
        Whether it is one entry of the list under that key, or the whole value.
    value
        As Python has it.
    start, stop : int
        Where its text lies.
    """

    key: str
    entry: bool
    value: Any
    start: int
    stop: int


def read_text(path: str | os.PathLike[str]) -> str:
    """Text of a JSON file.

    Raises
    ------
    DataError
        When it is missing, cannot be read, or holds no text.
    """
    file = Path(path)
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"The file '{file}' does not exist.") from None
    except (IsADirectoryError, PermissionError):
        raise DataError(f"'{file}' cannot be read; give the path of a COCO JSON file you may open.") from None
    except OSError as error:
        raise DataError(f"'{file}' cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise DataError(f"'{file.name}' is not a JSON text file.") from None


def take_apart(text: str, name: str) -> Iterator[Part]:
    """The parts of a document in their order; the entries of one list are never all in memory.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        When it is cut short, no JSON, or no COCO.
    """
    try:
        seen = yield from _parts(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"'{name}' is not complete JSON (it breaks at line {error.lineno}, column {error.colno}); "
            "export or copy it again."
        ) from None
    except RecursionError:
        raise DataError(f"'{name}' is not a JSON text file.") from None
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"'{name}' holds a value that cannot be read ({first_line(error)}); export it again.") from None
    if not {"images", "annotations"} <= seen:
        raise DataError(f"'{name}' is not a COCO file: it needs the lists 'images' and 'annotations'.")


def looks_like_coco(path: str | os.PathLike[str]) -> bool:
    """Whether the first 64 KiB of a file show a COCO data set; never raises."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(_HEAD).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    if not head.lstrip().startswith("{"):
        return False
    depth = 0
    for token in _TOKEN.finditer(head):
        word = token.group()
        if word in "{[":
            depth += 1
        elif word in "}]":
            depth -= 1
        elif depth == 1 and word in ('"images"', '"annotations"') and _LIST.match(head, token.end()):
            return True
    return False


def _parts(text: str) -> Generator[Part, None, set[str]]:
    """Generate the parts; returns the keys whose value is a list."""
    lists: set[str] = set()
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        _READ(text, at)  # says where broken JSON breaks
        return lists
    at = _skip(text, at + 1)
    first = True
    while text[at : at + 1] != "}" or not first:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting a name in double quotes", text, at)
        key, at = _READ(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':'", text, at)
        at = _skip(text, at + 1)
        if key in LISTS and text[at : at + 1] == "[":
            lists.add(key)
            at = yield from _entries(text, at, key)
        else:
            start = at
            value, at = _READ(text, at)
            yield Part(key, False, value, start, at)
        first = False
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            break
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' or '}'", text, at)
        at = _skip(text, at + 1)
    rest = _skip(text, at + 1)
    if rest != len(text):
        raise json.JSONDecodeError("Extra data", text, rest)
    return lists


def _entries(text: str, at: int, key: str) -> Generator[Part, None, int]:
    """Generate the entries of the list that opens at a place; returns the place after it."""
    yield Part(key, False, [], at, at)  # says where the list stands, also when it is empty
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        value, stop = _READ(text, at)
        yield Part(key, True, value, at, stop)
        at = _skip(text, stop)
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
