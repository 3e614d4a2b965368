"""Four clicks on an object's outline, and its mask: Deep Extreme Cut for napari.

::

    from napari_dextr import Prompt, load_model

    model = load_model()  # the embedded one; a name or a file loads another
    result = model.segment(image, Prompt.extreme(points))  # points: (N, 2) float, row and column
    result.full_mask()  # (H, W) bool

Names are imported when they are first used, so that ``import napari_dextr`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import DextrError, UnsupportedMarkError
    from .models import load_model
    from .prompt import Prompt
    from .segmenter import Segmentation, Segmenter

__version__ = "0.1.0"

__all__ = [
    "DextrError",
    "Prompt",
    "Segmentation",
    "Segmenter",
    "UnsupportedMarkError",
    "__version__",
    "load_model",
]

_HOMES = {
    "DextrError": "errors",
    "Prompt": "prompt",
    "Segmentation": "segmenter",
    "Segmenter": "segmenter",
    "UnsupportedMarkError": "errors",
    "load_model": "models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # the next access does not come here again
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
