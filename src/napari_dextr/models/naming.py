"""Names of models that people choose: each is a file's name, on Linux, macOS and Windows, and a word to commands."""

from __future__ import annotations

import re
import unicodedata

from ..errors import ModelError
from .catalogue import BUILT_IN

RESERVED = (*BUILT_IN, "scratch")
"""Names that mean something already, in lower case."""

_LONGEST, _LONGEST_BYTES = 60, 120  # characters; bytes: file systems count those, and temporary names are longer
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]+')
_WEIGHTS = re.compile(r"(\.(safetensors|pth|pt|bin|ckpt))+$", re.IGNORECASE)
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)  # of Windows


def composed(name: str) -> str:
    """A name with its accents in one character each: macOS hands them out in two."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """What names have in common that are one and the same to a disk of Windows or macOS."""
    return composed(name).casefold()


def check_name(name: str) -> str:
    """A name that a person typed, without the spaces around it.

    Raises
    ------
    ModelError
        If no file can have it on every system, or it means something already; a name that can be had is suggested.
    """
    name = composed(name).strip()
    tidy = tidy_name(name)
    if not name:
        raise ModelError("A model needs a name, e.g. 'nuclei'.")
    if folded(name) in BUILT_IN:
        raise ModelError(f"'{name}' is the name of a model that comes with napari-dextr; take e.g. 'my {tidy}'.")
    if folded(name) in RESERVED:
        raise ModelError(f"'{name}' means something else to napari-dextr; take another name, e.g. 'my {tidy}'.")
    if tidy != name:
        raise ModelError(f"A file cannot be called '{name}' on every computer; take another name, e.g. '{tidy}'.")
    return name


def tidy_name(text: str) -> str:
    """The nearest name to a text that files can have on every system, and that no command misreads."""
    kept = "".join(
        " " if character.isspace() else character
        for character in composed(text)
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cs")
    )
    name = _WEIGHTS.sub("", " ".join(_FORBIDDEN.sub("-", kept).split()))
    name = name.lstrip(" .-~").encode()[:_LONGEST_BYTES].decode(errors="ignore")[:_LONGEST].rstrip(" .")
    if _DEVICE.match(name):
        name = f"model {name}"
    return name or "model"
