"""The models that can be asked for by name: those that everybody has, and the user's own.

Listing them reads headers only and imports no PyTorch.
"""

from __future__ import annotations

import difflib
from functools import cache

from ..errors import ModelError
from .catalogue import EMBEDDED, EMBEDDED_FILE, PUBLISHED, ModelEntry
from .checkpoint import read_spec
from .own import OwnModel, own_models, unusable_models
from .provenance import describe, held_out_iou

_LISTED = 8  # names in a message


def built_in() -> tuple[ModelEntry, ...]:
    """The models that everybody has; the embedded one first, where this installation has its weights."""
    embedded = (_embedded(),) if EMBEDDED_FILE.is_file() else ()
    return (*embedded, *PUBLISHED)


def entries() -> tuple[ModelEntry, ...]:
    """All models known by name: those that everybody has, and the user's own, the newest first.

    Cheap: of own models the headers are read, once.
    """
    return (*built_in(), *map(_own, own_models()))


@cache
def _embedded() -> ModelEntry:
    spec = read_spec(EMBEDDED_FILE)
    facts = spec.provenance
    return ModelEntry(
        name=EMBEDDED,
        title=str(facts.get("title", "Small network for every kind of mark; comes with the plugin")),
        spec=spec,
        licence=str(facts.get("licence", "BSD-3-Clause")),
        trained_on=str(facts.get("data", "see the model card")),
        file=EMBEDDED_FILE,
        file_name=EMBEDDED_FILE.name,
        size=EMBEDDED_FILE.stat().st_size,
        citation="this project",
    )


def _own(model: OwnModel) -> ModelEntry:
    facts = model.spec.provenance
    told = describe(model.spec)
    _, iou = held_out_iou(facts)
    return ModelEntry(
        name=model.name,
        title=told[:1].upper() + told[1:],
        spec=model.spec,
        licence=str(facts.get("licence", "your own")),
        trained_on=str(facts.get("data", "own annotations")),
        file=model.path,
        file_name=model.path.name,
        size=model.size,
        iou=iou,
        iou_on="" if iou is None else "held-out objects",
        own=True,
    )


def find(name: str) -> ModelEntry:
    """The entry of a name.

    Raises
    ------
    ModelError
        If no model has that name; the message lists those that exist and suggests the nearest.
    """
    known = {entry.name: entry for entry in entries()}
    if name in known:
        return known[name]
    if name == EMBEDDED:
        raise ModelError(
            f"The embedded model's weights are missing from this installation ('{EMBEDDED_FILE}'); reinstall "
            f"napari-dextr, or use one of {', '.join(known)}."
        )
    broken = unusable_models().get(name)
    if broken is not None:
        raise ModelError(broken)
    plain = {_plain(other): other for other in known}
    near = difflib.get_close_matches(_plain(name), plain, n=1)
    hint = f" Did you mean '{plain[near[0]]}'?" if near else ""
    more = len(known) - _LISTED
    listed = ", ".join(list(known)[:_LISTED]) + (f" and {more} more (`napari-dextr models`)" if more > 0 else "")
    raise ModelError(
        f"There is no model or file '{name}'; known models are {listed}, or give the path of a weights file.{hint}"
    )


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def models_taking(mark: str) -> tuple[str, ...]:
    """Names of the models that were trained for a kind of mark (`napari_dextr.prompt.MARKS`)."""
    return tuple(entry.name for entry in entries() if mark in entry.spec.marks)
