"""Where the plugin keeps what belongs to its user: models, trainings, journals of sessions."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "NAPARI_DEXTR_DATA"
"""Environment variable that moves the folder."""


def data_folder() -> Path:
    """Folder of what cannot be had again, there or not: `NAPARI_DEXTR_DATA`, or the system's place for user data.

    Caches are another thing: systems empty them, and several people share them.
    """
    chosen = os.environ.get(DATA_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("napari-dextr", appauthor=False)
