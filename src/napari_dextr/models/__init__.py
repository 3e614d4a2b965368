"""Networks, what is known about them, and how they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..segmenter import Segmenter
    from .download import Progress
    from .spec import ModelSpec

__all__ = ["load_model", "open_network"]

_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin", ".ckpt")


def load_model(
    source: str | Path | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    progress: Progress | None = None,
) -> Segmenter:
    """Load a model.

    Parameters
    ----------
    source : str or Path, optional
        Nothing or ``"embedded"``: the model that comes with the plugin. A name such as ``"dextr-pascal-sbd"``: a
        published model, downloaded at first use; or one of your own that is kept (`napari_dextr.models.own`). A path:
        a weights file (published DEXTR ``.pth`` or our own ``.safetensors``) or the folder of a training run.
    device : str
        ``"auto"`` (CUDA, else Apple's MPS, else the CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : {"auto", "full", "reduced"}
        ``"full"`` is exact float32; ``"auto"`` uses half precision where it was shown to give the same masks.
    progress : callable, optional
        Called with bytes done and bytes in all while weights are downloaded.

    Raises
    ------
    ModelError
        If the model is unknown, its weights are missing, broken or of an unknown layout, or the device is not there.

    Examples
    --------
    The published model, exactly as its authors ran it::

        model = load_model("dextr-pascal-sbd", precision="full")
        mask = model.segment(image, Prompt.extreme(points)).full_mask()
    """
    from ..segmenter import Segmenter
    from .runtime import choose_device

    choose_device(device)  # before a long download
    spec, network = open_network(source, progress=progress)
    return Segmenter(network, spec, device=device, precision=precision)


def open_network(
    source: str | Path | None = None, *, progress: Progress | None = None
) -> tuple[ModelSpec, torch.nn.Module]:
    """The network of a model as `load_model` finds it, in evaluation mode, float32, on the CPU; and how it is run.

    Raises
    ------
    ModelError
        As `load_model`.
    """
    from dataclasses import replace

    from .catalogue import EMBEDDED
    from .checkpoint import load_network
    from .download import fetch
    from .registry import find

    if source is None:
        source = EMBEDDED
    if isinstance(source, Path) or _looks_like_a_path(source):
        return load_network(source)
    entry = find(source)
    spec, network = load_network(entry.file or fetch(entry, progress=progress))
    return replace(spec, name=entry.name), network


def _looks_like_a_path(source: str) -> bool:
    """Whether a string means a file or folder; a name of a model wins over a folder of that name."""
    from .catalogue import EMBEDDED
    from .registry import entries

    if source == EMBEDDED or source in {entry.name for entry in entries()}:
        return False
    return any(mark in source for mark in "/\\") or source.lower().endswith(_SUFFIXES) or Path(source).exists()
