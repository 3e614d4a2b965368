"""Label images in the formats that training code reads: COCO, semantic PNG, instance TIFF, YOLO text; in one pass.

=========== ============================== =============================================================
format      file                           holds
=========== ============================== =============================================================
coco        the JSON itself                every object (`napari_dextr.coco`)
semantic    ``semantic/NAME.png``          the class of each pixel, 0 for none; the palette shows its colour
instances   ``instances/NAME.tif``         the labels as they are, in 16 bits, or 32 where they need them
yolo        ``yolo/labels/NAME.txt``       a line an object: class from 0, then x and y of its outline, 0..1
=========== ============================== =============================================================

NAME is the image's file name without its suffix. YOLO's text has one outline an object and no holes: parts and holes
hang on it by bridges without width, there and back. ``yolo/data.yaml`` names the classes.
"""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .coco import CocoWriter, ExportReport, ImageLabels, WriterOptions
from .coco.categories import at_least_one
from .coco.images import check_file_name
from .coco.labels import check_labels
from .coco.options import with_known_ids
from .coco.outlines import one_polygon
from .errors import DataError, OutputError
from .file_names import forward_slashes
from .files import atomic_write, make_folder, reason_of, temporary_folder
from .mask_file import write_image
from .objects import ObjectClass, ObjectFacts
from .rle import cut_runs, label_runs

if TYPE_CHECKING:
    from typing_extensions import Unpack

FORMATS = ("coco", "semantic", "instances", "yolo")
"""Names of the formats."""

Facts = Mapping[int, ObjectFacts]

_MOST_CLASSES = 255  # of an 8-bit image, besides the background


def export_labels(
    path: str | os.PathLike[str],
    planes: Iterable[ImageLabels],
    classes: Sequence[ObjectClass] = (),
    *,
    formats: Sequence[str] = ("coco",),
    progress: Callable[[int, int | None], object] | None = None,
    **options: Unpack[WriterOptions],
) -> ExportReport:
    """Write label images in one or several formats; each is read once.

    Parameters
    ----------
    path : path-like
        The COCO file; the other formats go into folders beside it, whether or not it is written.
    formats : sequence of str
        Among `FORMATS`.
    planes, classes, progress
        As for `napari_dextr.coco.export_coco`.
    **options
        Of the COCO file; see `napari_dextr.coco.WriterOptions`.

    Returns
    -------
    ExportReport
        Without the COCO file it counts images and objects only.

    Raises
    ------
    DataError, OutputError
        As `export_coco`. Where it fails, or `planes` or `progress` raises, no file of any format has changed.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise DataError(f"There is no format '{', '.join(unknown)}'; choose among {', '.join(FORMATS)}.")
    file = Path(path)
    listed = at_least_one(classes)
    others = set(formats) - {"coco"}
    total = len(planes) if isinstance(planes, Sequence) else None
    images: set[str] = set()
    stems: dict[str, tuple[str, str]] = {}
    objects, problems = 0, list[str]()
    report: ExportReport | None = None
    with (
        CocoWriter(file, classes, **with_known_ids(options, planes)) if "coco" in formats else _NoCoco() as writer,
        _Stage(file) as stage,
    ):
        for done, plane in enumerate(planes, start=1):
            labels = plane.read()
            # the COCO file may hold a name already that leads elsewhere; files beside it never lie elsewhere
            name = check_file_name(plane.file_name) if others else forward_slashes(plane.file_name)
            if writer is not None:
                writer.add(plane, labels)
            stem = _stem(name, plane, stems) if others else ""
            objects += _write_others(stage, stem, plane, labels, listed, formats)
            images.add(name)
            if progress is not None:
                progress(done, total)
        if "yolo" in formats:
            _write_yolo_names(stage.place("yolo/data.yaml"), listed)
        stage.check()
        if writer is not None:
            report = writer.finish()
        stage.publish()
    if report is not None:
        return report
    return ExportReport(file, len(images), objects, {}, 0, 0, 0, 0, problems, {}, False)


def write_semantic_png(
    path: str | os.PathLike[str], labels: npt.ArrayLike, facts: Facts, classes: Sequence[ObjectClass]
) -> None:
    """Write the class of each pixel as an 8-bit PNG with a palette: 0 is background, then the classes' numbers.

    Parameters
    ----------
    path : path-like
    labels : (H, W) array of int
    facts : mapping of label to ObjectFacts
        Objects without a class get the only one.
    classes : sequence of ObjectClass
        Their numbers must be at most 255.

    Raises
    ------
    DataError
        When an object has no class, or a number is too large.
    OutputError
        When the file cannot be written.
    """
    from PIL import Image

    array = check_labels(labels)
    beyond = next((item for item in classes if item.id > _MOST_CLASSES), None)
    if beyond is not None:
        raise DataError(f"Class '{beyond.name}' has number {beyond.id}; a semantic PNG holds numbers up to 255.")
    values, places = np.unique(array, return_inverse=True)
    numbers = [0 if value == 0 else _class(int(value), facts, classes).id for value in values]
    pixels = np.array(numbers, np.uint8)[places.reshape(array.shape)]
    palette = bytearray(3 * 256)
    for item in classes:
        palette[3 * item.id : 3 * item.id + 3] = bytes.fromhex(item.colour[1:])
    image = Image.fromarray(pixels)
    image.putpalette(bytes(palette))
    with atomic_write(path) as temporary:
        image.save(temporary, format="PNG")


def write_instance_tiff(path: str | os.PathLike[str], labels: npt.ArrayLike) -> None:
    """Write the labels as they are: TIFF of 16 bits, or 32 where a label needs them.

    Raises
    ------
    DataError
        When a label is negative or larger than 32 bits hold.
    OutputError
        When the file cannot be written.
    """
    array = check_labels(labels)
    least, most = int(array.min()), int(array.max())
    if least < 0 or most > np.iinfo(np.uint32).max:
        raise DataError(f"An instance TIFF holds labels from 0 to {np.iinfo(np.uint32).max}; these go {least}..{most}.")
    write_image(path, array.astype(np.uint16 if most <= np.iinfo(np.uint16).max else np.uint32))


def write_yolo_seg(
    path: str | os.PathLike[str], labels: npt.ArrayLike, facts: Facts, classes: Sequence[ObjectClass]
) -> None:
    """Write outlines as YOLO's segmentation text: a line an object, the class's place in the list, then x y x y ….

    x and y are shares of the image's width and height. Parts and holes hang on the outline by bridges.

    Raises
    ------
    DataError
        When an object has no class.
    OutputError
        When the file cannot be written.
    """
    array = check_labels(labels)
    shape = (int(array.shape[0]), int(array.shape[1]))
    order = {item.id: place for place, item in enumerate(classes)}
    lines = []
    for label, runs in label_runs(array):
        region, mask = cut_runs(runs, shape)
        corners = np.reshape(one_polygon(mask, (region[0].start, region[1].start)), (-1, 2))
        shares = (corners / (shape[1], shape[0])).ravel().tolist()
        number = order[_class(label, facts, classes).id]
        lines.append(" ".join([str(number), *(f"{share:.6f}".rstrip("0").rstrip(".") or "0" for share in shares)]))
    with atomic_write(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


class _NoCoco:
    """Stands in for the writer where no COCO file is asked for."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


class _Stage:
    """A hidden folder beside a file, in which other files wait until all are there: an export is whole or not at all.

    It is made when the first file comes, and is gone in the end.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder: Path | None = None

    def __enter__(self) -> _Stage:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def place(self, name: str) -> Path:
        """Where to write a file that will be called ``name``, relative to the folder of the file."""
        try:
            if self._folder is None:
                make_folder(self._file.parent)
                self._folder = temporary_folder(self._file)
        except OSError as error:
            raise OutputError(f"'{self._file.parent}' cannot be written to: {reason_of(error)}.") from error
        path = self._folder / name
        make_folder(path.parent)
        return path

    def check(self) -> None:
        """Make the folders that the files will lie in, before the COCO file takes its place.

        Raises
        ------
        OutputError
            When there is no room for one of them.
        """
        for _, target in self._waiting():
            make_folder(target.parent)
            if target.is_dir():
                raise OutputError(f"'{target}' cannot be written: a folder has that name; remove or rename it.")

    def publish(self) -> None:
        """Bring all files to their places.

        Raises
        ------
        OutputError
            When one cannot be written there.
        """
        for path, target in self._waiting():
            try:
                os.replace(path, target)
            except OSError as error:
                raise OutputError(f"'{target}' cannot be written: {reason_of(error)}.") from error

    def _waiting(self) -> list[tuple[Path, Path]]:
        """Each file that waits, and its place."""
        folder = self._folder
        if folder is None:
            return []
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(path, self._file.parent / path.relative_to(folder)) for path in found]


def _write_others(
    stage: _Stage,
    stem: str,
    plane: ImageLabels,
    labels: npt.NDArray[Any],
    classes: Sequence[ObjectClass],
    formats: Sequence[str],
) -> int:
    """Write one label image in the formats besides COCO; returns how many objects it holds."""
    if "semantic" in formats:
        write_semantic_png(stage.place(f"semantic/{stem}.png"), labels, plane.facts, classes)
    if "instances" in formats:
        write_instance_tiff(stage.place(f"instances/{stem}.tif"), labels)
    if "yolo" in formats:
        write_yolo_seg(stage.place(f"yolo/labels/{stem}.txt"), labels, plane.facts, classes)
    return int(np.count_nonzero(np.unique(labels)))


def _stem(name: str, plane: ImageLabels, taken: dict[str, tuple[str, str]]) -> str:
    """Name of a label image's files without their endings.

    Raises
    ------
    DataError
        When another label image has that name already, also where only capitals or accents' encoding differ: not
        every disk tells these apart.
    """
    stem = name.rpartition(".")[0] if "." in name.rpartition("/")[2][1:] else name
    stem = f"{stem}_{_plain(plane.layer)}" if plane.layer else stem
    mine = (name, plane.layer or "")
    other = taken.setdefault(unicodedata.normalize("NFC", stem).casefold(), mine)
    if other != mine:
        first, second = (f"'{image}'{f' (layer {layer!r})' if layer else ''}" for image, layer in (other, mine))
        raise DataError(f"{first} and {second} would both be written as '{stem}'; rename one of them.")
    return stem


def _plain(layer: str) -> str:
    """A layer's name as a part of a file name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in layer)


def _write_yolo_names(path: Path, classes: Sequence[ObjectClass]) -> None:
    names = "".join(f"  {place}: {json.dumps(item.name, ensure_ascii=False)}\n" for place, item in enumerate(classes))
    with atomic_write(path) as temporary:
        temporary.write_text(f"path: .\ntrain: images\nval: images\nnames:\n{names}", encoding="utf-8", newline="\n")


def _class(label: int, facts: Facts, classes: Sequence[ObjectClass]) -> ObjectClass:
    """Class of a label; of one class there is, every object is."""
    number = facts[label].class_id if label in facts else None
    if number is None and len(classes) == 1:
        return classes[0]
    found = next((item for item in classes if item.id == number), None)
    if found is None:
        missing = "no class" if number is None else f"class {number}, which is not among the classes"
        raise DataError(f"Label {label} has {missing}; give it one, then export again.")
    return found
