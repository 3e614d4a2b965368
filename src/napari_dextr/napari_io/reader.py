"""Open a COCO file in the viewer: images, labels, classes and marks, so that work goes on where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from napari.utils import cancelable_progress
from napari.utils.notifications import show_info, show_warning

from ..coco import looks_like_coco, read_coco
from ..errors import DextrError
from .coco_labels import LabelLayers, box_layer, mark_layer
from .coco_pictures import Group, groups_of, open_group, picture_root
from .object_table import KEY

LayerData = tuple[Any, dict[str, Any], str]

_INTERVAL = 0.1  # seconds between two moves of the bar
_SHOWN, _BAR = 20, "{l_bar}{bar}|{remaining}"  # whatever is longer pushes the button out of napari's activity dock


def get_reader(path: str | Sequence[str]) -> Callable[[str], list[Any]] | None:
    """Reader of a COCO file, for napari; None for everything else, told from the head of the file."""
    if not isinstance(path, (str, os.PathLike)) or not str(path).lower().endswith(".json"):
        return None
    return read_layers if looks_like_coco(path) else None


def read_layers(path: str) -> list[Any]:
    """Layers of a COCO file.

    For each picture, or stack of pictures (see `napari_dextr.napari_io.coco_pictures.groups_of`): an Image layer
    that is read when it is looked at; a Labels layer with the record of its objects; a further one where objects
    overlap, and one for crowds; Points with the marks of the objects; and Shapes with the boxes of objects that
    have no mask. What could not be read is said in one notification. The bar in napari's activity dock cancels it: then
    there is nothing but that word.

    Raises
    ------
    DataError
        If the file is cut short, not COCO, or inconsistent.
    """
    name = Path(path).name
    # napari shows the bar, and hears of Cancel, each time that it is moved: its readers work in the main thread.
    title = f"Opening {name if len(name) <= _SHOWN else name[: _SHOWN - 1] + '…'}"
    try:
        with cancelable_progress(total=0, desc=title, bar_format=_BAR, file=StringIO()) as bar:
            layers = _layers(path, bar)
    except _CancelledError:
        show_info(f"Opening '{name}' was cancelled.")
        return [(None,)]  # nothing to add, and no failure
    return layers


class _CancelledError(Exception):
    """The user does not want the file."""


def _move(bar: Any, step: int) -> None:
    bar.update(step - bar.n)
    if bar.is_canceled:
        raise _CancelledError


def _layers(path: str, bar: Any) -> list[LayerData]:
    dataset = read_coco(path, lambda: _move(bar, 0))
    file = dataset.path.resolve()  # an export follows links, too
    folder = file.parent
    missing: list[str] = []
    wrong: list[str] = []
    blank: list[str] = []
    layers: list[LayerData] = []
    boxed = {obj.id for obj in dataset.objects if not obj.segmentation and obj.bbox}
    drawn = [LabelLayers(dataset, group) for group in groups_of(dataset)]
    steps = [(labels, index) for labels in drawn for index in labels.group.planes]
    bar.total = len(steps)
    shown = 0.0
    for step, (labels, index) in enumerate(steps, start=1):
        labels.add(index, boxed, wrong)
        if time.monotonic() - shown > _INTERVAL or step == len(steps):
            _move(bar, step)
            shown = time.monotonic()
    for labels in drawn:
        _move(bar, len(steps))
        group = labels.group
        pixels = open_group(group, folder, missing, blank)
        place = group.place()
        if pixels is not None:
            coco = {
                "file": str(file),
                "root": str(_root(group, folder)),
                "images": labels.pictures(),
            }
            rgb = pixels.ndim == len(group.shape) + 1
            layers.append(
                (pixels, {"name": group.name, "rgb": rgb, "metadata": {KEY: {"coco": coco}}, **place}, "image")
            )
        layers += labels.layers(place)
        layers += box_layer(dataset, group, boxed, place)
        layers += mark_layer(labels, place)
    _report(dataset.path.name, len(dataset.images), missing, wrong, blank)
    return layers


def _root(group: Group, folder: Path) -> Path:
    for image in group.planes.values():
        try:
            return picture_root(folder, image)
        except DextrError:
            continue
    return folder


def _report(name: str, images: int, missing: list[str], wrong: list[str], blank: list[str]) -> None:
    """Tell in one notification what is not in the viewer."""
    parts = []
    if missing:
        parts.append(
            f"{len(missing)} of {images} image{'s' if images > 1 else ''} of '{name}' could not be opened; the labels "
            f"are there all the same. {missing[0]}"
        )
    if wrong:
        parts.append(f"{len(wrong)} object{'s' if len(wrong) > 1 else ''} of '{name}' could not be read. {wrong[0]}")
    parts += blank
    if parts:
        show_warning("\n".join(parts))
