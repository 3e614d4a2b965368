"""The models, network architectures and pipelines that this project knows by name.

Nothing heavy is imported here: architectures and pipelines are named as ``"module:attribute"`` and looked up when
they are used, so listing the models costs next to nothing.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, first_line
from .spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from .own import OwnModel

ARCHITECTURES: dict[str, str] = {
    "backbone": "napari_dextr.models.backbone:BackboneNet",
    "compact": "napari_dextr.models.compact:CompactNet",
    "dextr-resnet101": "napari_dextr.models.deeplab:build_dextr",
}
"""Architecture of a `ModelSpec` to the callable that builds the network from its options."""

PIPELINES: dict[str, str] = {
    "house": "napari_dextr.models.house:HousePipeline",
    "published": "napari_dextr.models.published:PublishedPipeline",
}
"""Pipeline of a `ModelSpec` to the class that reads crops and pastes logits."""

EMBEDDED = "embedded"
EMBEDDED_FILE = Path(__file__).parent / "weights" / "embedded.safetensors"

_LISTED = 8  # names in a message
_PAPER = "Maninis, Caelles, Pont-Tuset and Van Gool, Deep Extreme Cut, CVPR 2018"


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be asked for by name.

    Attributes
    ----------
    name : str
        What users type.
    title : str
        One line for a list of models.
    spec : ModelSpec
        How it is run.
    licence : str
        SPDX identifier of the weights' licence.
    trained_on : str
        Training data.
    url : str or None
        Where the weights are downloaded from; None where they are on this computer in any case.
    file : Path or None
        The weights inside the plugin or in the user's library; None where they are downloaded.
    file_name : str
        Name of the weights' file, in the cache folder or elsewhere.
    sha256 : str or None
        Checksum of the file; None where its authors published none.
    size : int
        Size of the file, bytes; a rounded figure where no checksum is known.
    iou : float or None
        Mean IoU over objects that the authors report, in 0..1.
    iou_on : str
        What that figure was measured on.
    citation : str
        Source of the weights.
    own : bool
        Whether it is one that the user keeps (`napari_dextr.models.own`).
    """

    name: str
    title: str
    spec: ModelSpec
    licence: str
    trained_on: str
    url: str | None = None
    file: Path | None = None
    file_name: str = ""
    sha256: str | None = None
    size: int = 0
    iou: float | None = None
    iou_on: str = ""
    citation: str = ""
    own: bool = False


def published_spec(name: str, head: str = "psp", provenance: Mapping[str, Any] | None = None) -> ModelSpec:
    """How the authors' checkpoints are run: crop of 50 px around the points, canvas of 512 px, threshold 0.8.

    Parameters
    ----------
    name : str
        Name shown to users.
    head : {"psp", "atrous"}
        Head of the network.
    provenance : mapping, optional
        Where the weights come from.
    """
    return ModelSpec(
        name=name,
        architecture="dextr-resnet101",
        options={"head": head},
        pipeline="published",
        canvas=512,
        margin=50,
        marks=("extreme",),
        threshold=0.8,
        provenance=dict(provenance or {}),
    )


def _published(name: str, url: str, trained_on: str, iou: float) -> ModelEntry:
    file_name = url.rsplit("/", 1)[-1]
    provenance = {"source": _PAPER, "licence": "MIT", "data": trained_on, "url": url}
    return ModelEntry(
        name=name,
        title=f"DEXTR as published, ResNet-101, trained on {trained_on}",
        # tools/resnet101_precision.py: mask IoU 0.9989 between bfloat16 and float32 once the network is trained
        spec=replace(published_spec(name, provenance=provenance), reduced_precision=True),
        licence="MIT",
        trained_on=trained_on,
        url=url,
        file_name=file_name,
        size=195_600_000,
        iou=iou,
        iou_on="PASCAL VOC 2012 val",
        citation=_PAPER,
    )


PUBLISHED = (
    _published(
        "dextr-pascal-sbd",
        "https://data.vision.ee.ethz.ch/csergi/share/DEXTR/dextr_pascal-sbd.pth",
        "PASCAL VOC 2012 train + SBD",
        0.915,
    ),
    _published(
        "dextr-pascal",
        "https://data.vision.ee.ethz.ch/kmaninis/share/DEXTR/Downloads/models/dextr_pascal.pth",
        "PASCAL VOC 2012 train",
        0.905,
    ),
    _published(
        "dextr-coco",
        "https://data.vision.ee.ethz.ch/kmaninis/share/DEXTR/Downloads/models/dextr_coco.pth",
        "COCO 2014 train",
        0.878,
    ),
)
"""The authors' models."""

BUILT_IN = (EMBEDDED, *(entry.name for entry in PUBLISHED))
"""Names that no model of the user's can have."""


def built_in() -> tuple[ModelEntry, ...]:
    """The models that everybody has; the embedded one first, where this installation has its weights."""
    embedded = (_embedded(),) if EMBEDDED_FILE.is_file() else ()
    return (*embedded, *PUBLISHED)


def entries() -> tuple[ModelEntry, ...]:
    """All models known by name: those that everybody has, and the user's own, the newest first.

    Cheap: of own models the headers are read, once.
    """
    from .own import own_models

    return (*built_in(), *map(_own, own_models()))


@cache
def _embedded() -> ModelEntry:
    from .checkpoint import read_spec

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
    from .provenance import describe, held_out_iou

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
    from .own import unusable_models

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


def build_network(spec: ModelSpec) -> torch.nn.Module:
    """Make the network of a spec, with fresh weights.

    Raises
    ------
    ModelError
        If the architecture is unknown or does not take the spec's options.
    """
    builder = _look_up(ARCHITECTURES, spec.architecture, "network architecture")
    try:
        network: torch.nn.Module = builder(**spec.options)
    except (TypeError, ValueError, OverflowError, RuntimeError, MemoryError) as error:
        raise ModelError(
            f"The model '{spec.name}' describes its network in a way this version cannot build ({first_line(error)}); "
            "update napari-dextr or export the model again."
        ) from error
    return network


def load_pipeline(name: str) -> Any:
    """Make the pipeline of a name (`ModelSpec.pipeline`).

    Raises
    ------
    ModelError
        If the pipeline is unknown.
    """
    return _look_up(PIPELINES, name, "pipeline")()


def _look_up(table: Mapping[str, str], key: str, what: str) -> Any:
    if key not in table:
        raise ModelError(
            f"The checkpoint names an unknown {what}, '{key}' (known: {', '.join(table)}); update napari-dextr."
        )
    module, _, attribute = table[key].partition(":")
    return getattr(importlib.import_module(module), attribute)
