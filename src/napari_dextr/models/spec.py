"""What a checkpoint is: everything needed to run it as it was trained. Travels inside the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import ModelError, first_line
from ..prompt import MARKS

MARGIN = 0.2
"""What the house's models see around an object on each side, as a share of its box's longer side."""

_WIDEST_MARGIN = 1000  # pixels, or times the box
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "architecture": (str,),
    "options": (dict,),
    "pipeline": (str,),
    "canvas": (int,),
    "margin": (int, float),
    "marks": (list,),
    "threshold": (int, float),
    "has_score": (bool,),
    "reduced_precision": (bool,),
    "provenance": (dict,),
}


@dataclass(frozen=True)
class ModelSpec:
    """Description of a checkpoint.

    Attributes
    ----------
    name : str
        Name shown to users, e.g. ``"embedded"`` or ``"dextr-pascal-sbd"``.
    architecture : str
        Key of `napari_dextr.models.architectures.ARCHITECTURES`, which builds the network from ``options``.
    options : mapping
        Keyword arguments of the architecture.
    pipeline : str
        Key of `napari_dextr.models.architectures.PIPELINES`: how the crop is read, encoded and pasted back.
        ``"house"`` for our models, ``"published"`` for the authors' arithmetic.
    canvas : int
        Side of the square canvas, pixels.
    margin : float
        Margin of the crop on each side: a share of the box's longer side (house) or pixels (published).
    marks : tuple of str
        Kinds of mark the model was trained for, from `napari_dextr.prompt.MARKS`.
    threshold : float
        Probability above which a pixel belongs to the object, in 0..1.
    has_score : bool
        Whether the network predicts the IoU of its own mask.
    reduced_precision : bool
        Whether agreement of half precision with float32 (mask IoU >= 0.995) was shown for these weights.
    provenance : mapping
        Data, recipe, licence, date: free JSON for people.
    """

    name: str
    architecture: str
    options: Mapping[str, Any] = field(default_factory=dict)
    pipeline: str = "house"
    canvas: int = 256
    margin: float = MARGIN
    marks: tuple[str, ...] = ("extreme",)
    threshold: float = 0.5
    has_score: bool = False
    reduced_precision: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.marks) - set(MARKS)
        if unknown:
            raise ModelError(f"The model '{self.name}' declares unknown marks: {', '.join(sorted(unknown))}.")
        if not (16 <= self.canvas <= 4096 and 0 < self.threshold < 1 and 0 <= self.margin <= _WIDEST_MARGIN):
            raise ModelError(f"The model '{self.name}' declares a canvas, threshold or margin that makes no sense.")

    def to_json(self) -> str:
        """The spec as one line of JSON (the ``spec`` entry of a safetensors header)."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read a spec written by `to_json`; unknown keys of newer versions are refused with a clear error."""
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise ValueError("it is not a JSON object")
            known = {item.name for item in fields(cls)}
            extra = set(values) - known
            if extra:
                raise ModelError(
                    f"The checkpoint was written by a newer napari-dextr (it has {', '.join(sorted(extra))}); "
                    "update the plugin."
                )
            for name, value in values.items():
                types = _JSON_TYPES[name]
                if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                    raise ValueError(f"'{name}' is no {' or '.join(item.__name__ for item in types)}")
            values["marks"] = tuple(values.get("marks", ("extreme",)))
            return cls(**values)
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise ModelError(
                f"The checkpoint's description cannot be read ({first_line(error)}); download or export it again."
            ) from None
