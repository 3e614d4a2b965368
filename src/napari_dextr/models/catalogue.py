"""What everybody has: the models that come with the plugin or are published, and what is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .spec import ModelSpec

EMBEDDED = "embedded"
EMBEDDED_FILE = Path(__file__).parent / "weights" / "embedded.safetensors"

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
