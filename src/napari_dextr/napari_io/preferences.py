"""What the user set in napari's Preferences for this plugin (napari 0.9 and later; before that, the defaults)."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, fields
from typing import Any

from ..models.download import CACHE_VARIABLE
from ..models.own import MODELS_VARIABLE

PLUGIN = "napari-dextr"
SECTION = "annotate"
"""Key of our ``configurations`` in the manifest; each of its properties is a field of `Preferences`."""

_LOG = logging.getLogger(__name__)
_set_here: dict[str, str] = {}  # environment variables that a preference has set, and to what


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
        Whether the session is kept in a journal that survives a crash, and the end of napari until it is exported.
    cache_folder : str
        Where downloaded weights go; empty for the system's place for caches.
    models_folder : str
        Where models that the user trained are kept; empty for the system's place for user data.
    """

    model: str = "embedded"
    device: str = "auto"
    threshold: float = 0.0
    auto_accept: bool = False
    autosave: bool = True
    cache_folder: str = ""
    models_folder: str = ""


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


def use_folders(preferences: Preferences) -> None:
    """Let downloads, and models of the user's own, go to the preferred folders.

    They are told by environment variables, which reach programs that are started from here as well. One that somebody
    else has set wins; one that an earlier preference has set follows the preference.
    """
    for variable, chosen in ((CACHE_VARIABLE, preferences.cache_folder), (MODELS_VARIABLE, preferences.models_folder)):
        ours = _set_here.pop(variable, None)
        if ours is not None and os.environ.get(variable) == ours:
            del os.environ[variable]
        if chosen.strip() and not os.environ.get(variable):
            os.environ[variable] = _set_here[variable] = chosen.strip()


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
