"""What the user set in napari's Preferences for this plugin (napari 0.9 and later; before that, the defaults)."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, fields
from typing import Any

from ..models.download import CACHE_VARIABLE

PLUGIN = "napari-dextr"
SECTION = "annotate"
"""Key of our ``configurations`` in the manifest; each of its properties is a field of `Preferences`."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preferences:
    """Settings of the Annotate widget at its start.

    Attributes
    ----------
    model : str
        Name or file of the model.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    threshold : float
        Probability above which a pixel belongs to the object; 0 leaves the model's own.
    auto_accept : bool
        Whether an object is accepted as soon as its mask is there.
    autosave : bool
        Whether the session is kept in a journal that survives a crash.
    cache_folder : str
        Where downloaded weights and journals go; empty for the system's place for caches.
    """

    model: str = "embedded"
    device: str = "auto"
    threshold: float = 0.0
    auto_accept: bool = False
    autosave: bool = True
    cache_folder: str = ""


def read_preferences() -> Preferences:
    """The user's preferences. Whatever cannot be read has its default; never raises."""
    section = _section()
    values: dict[str, Any] = {}
    for item in fields(Preferences):
        value = getattr(section, item.name, None)
        if type(item.default) is float and type(value) is int:
            value = float(value)
        if type(value) is type(item.default):
            values[item.name] = value
    return Preferences(**values)


def use_cache_folder(preferences: Preferences) -> None:
    """Let downloads go to the preferred folder. An environment variable that is set already wins."""
    if preferences.cache_folder.strip():
        os.environ.setdefault(CACHE_VARIABLE, preferences.cache_folder.strip())


def _section() -> Any:
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # before napari 0.9
        return None
    try:
        return getattr(get_plugin_settings(PLUGIN), SECTION)
    except Exception:  # an incomplete installation, a damaged settings file: the defaults are good
        _LOG.info("The preferences of %s could not be read; the defaults are used.", PLUGIN, exc_info=True)
        return None
