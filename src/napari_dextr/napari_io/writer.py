"""File > Save: the selected Labels layers as a COCO file, their images beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari import current_viewer
from napari.utils.notifications import show_info

from ..coco import export_coco
from ..errors import DextrError, OutputError
from ..session.unsaved import moment
from .belonging import belongs_to, noted_image
from .export_images import Pictures
from .export_planes import image_labels, join_classes, keep_numbers
from .export_source import LabelSource, file_of, image_of, label_source
from .label_storage import finest
from .placement import plain
from .saved_layers import tell_saved

FullLayerData = tuple[Any, dict[str, Any], str]


def write_layers(path: str, layer_data: list[FullLayerData]) -> list[str]:
    """Write Labels layers into a COCO file; entries that others made in an existing file stay.

    The Image layer on which a Labels layer was annotated becomes its image; where nothing is known of that, the nearest
    of the same size among the layers. A file below the folder of `path` is referred to, anything else is written as PNG
    into the folder ``images`` beside it. Marks and classes come from the record of the Labels layer; Points and Shapes
    layers hold nothing that it lacks.

    Raises
    ------
    OutputError
        If there are no labels, or they cannot be written.
    """
    try:
        return _write(Path(path), layer_data)
    except ValueError as error:  # napari takes these for "no plugin can write this"
        if isinstance(error, DextrError):
            raise OutputError(str(error)) from error
        raise


def _write(target: Path, layer_data: list[FullLayerData]) -> list[str]:
    from napari.layers import Image, Labels, Layer

    layers = [Layer.create(*entry) for entry in layer_data if entry[2] in {"image", "labels"}]
    labels, began = [layer for layer in layers if isinstance(layer, Labels)], moment()
    if not labels:
        raise OutputError("There is no Labels layer among the layers to save; COCO files hold the objects of labels.")
    shown = _shown(layers)
    _pair(labels, [layer for layer in layers if isinstance(layer, Image)], shown)
    taken = [_as_shown(label_source(layer, image_of(layer, layers)), shown) for layer in labels]
    sources, classes = join_classes(taken)
    pictures = Pictures(target)
    try:
        report = export_coco(target, image_labels(sources, pictures), classes)
    except BaseException:
        pictures.discard()
        raise
    for source in sources:
        if "file" not in source.coco or pictures.knows(source):  # a copy elsewhere: numbers of the first file stay
            keep_numbers(source, pictures, report.ids, classes)
    tell_saved((source.layer for source in sources), began)
    planes = {source.key(index) for source in sources for index in source.indices()}
    left = len(planes) - len({file_name for file_name, _ in report.ids})
    if left and not all(map(pictures.come_back, sources)):
        show_info(
            f"{left} plane{'s' if left > 1 else ''} without objects left out: black when '{target.name}' is opened. To "
            "keep them, use the Export COCO widget."
        )
    return [str(target), *map(str, pictures.written)]


def _shown(layers: Sequence[Any]) -> dict[int, Any]:
    """The layers of the viewer that are saved, by their arrays' ids: napari hands writers data, and no layers."""
    from napari.layers import Image, Labels

    viewer: Any = current_viewer()
    saved = {id(finest(layer)) for layer in layers}
    there = [] if viewer is None else [plain(layer) for layer in viewer.layers]
    pixels = {id(finest(layer)): layer for layer in there if isinstance(layer, (Image, Labels))}
    return {key: layer for key, layer in pixels.items() if key in saved}


def _pair(labels: Sequence[Any], images: Sequence[Any], shown: Mapping[int, Any]) -> None:
    """Bring over what the viewer's layers know of each other: two channels lie in one place, and so do their labels."""
    for layer in labels:
        original = shown.get(id(finest(layer)))
        noted = None if original is None else noted_image(original)
        for image in images:
            if noted is not None and shown.get(id(finest(image))) is noted:
                belongs_to(layer, image)


def _as_shown(source: LabelSource, shown: Mapping[int, Any]) -> LabelSource:
    """With the layer of the viewer and the file of its image."""
    source = replace(source, layer=shown.get(id(source.array), source.layer))
    if source.image is not None and (image := shown.get(id(source.image.array))) is not None:
        source = replace(source, image=replace(source.image, path=file_of(image)))
    return source
