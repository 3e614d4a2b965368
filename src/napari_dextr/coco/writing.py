"""Writing label images into a COCO file: new, or into one that others work on; never all in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed_to
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..file_names import forward_slashes
from ..files import atomic_write
from ..objects import NAMESPACE, ObjectClass, ObjectFacts
from ..rle import Runs, label_runs
from .assembly import Spool, finite, old_texts, to_json, write_document
from .categories import UNCLASSIFIED, Categories
from .dataset import facts_of
from .document import LISTS
from .guard import Guard
from .images import check_file_name
from .labels import ImageLabels, Labels, SegmentationForm, check_form, segment
from .matching import SAME, overlap, same_pixels
from .options import WriterOptions, with_known_ids
from .previous import Previous
from .reading import whole

if TYPE_CHECKING:
    from typing_extensions import Unpack

_OUR_KEYS = {*ObjectFacts.__slots__, "label", "layer"}  # of a record; what else stands there is kept


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes
    ----------
    path : Path
    images, objects : int
        Images and objects that the export held.
    by_class : dict of str to int
        Objects of each class.
    polygons, rles : int
        Objects written as polygons, and as run lengths.
    kept, removed : int
        Entries of the file that were left alone, and those of objects that no longer exist.
    problems : list of str
        What the user should know, a sentence each.
    ids : dict of (file name, layer) to dict of label to int
        Id of each object in the file, for the next export.
    changed : bool
        Whether the file is another one now; an export without news writes nothing.
    """

    path: Path
    images: int
    objects: int
    by_class: dict[str, int]
    polygons: int
    rles: int
    kept: int
    removed: int
    problems: list[str]
    ids: dict[tuple[str, str], dict[int, int]]
    changed: bool


def export_coco(
    path: str | os.PathLike[str],
    planes: Iterable[ImageLabels],
    classes: Sequence[ObjectClass] = (),
    *,
    progress: Callable[[int, int | None], object] | None = None,
    **options: Unpack[WriterOptions],
) -> ExportReport:
    """Write label images into a COCO file.

    Objects keep their ids, categories and images theirs; in a file that exists, all that others wrote stays as it
    stands, to the letter. An object is removed where `ImageLabels.ids` holds it and the labels do not.

    Parameters
    ----------
    path : path-like
        JSON file. It is replaced in one step; until then, and whatever happens, the old one stays.
    planes : iterable of ImageLabels
        One label image is in memory at a time, if they are functions.
    classes : sequence of ObjectClass, optional
        By default one, "object". In a file that exists they are found by name.
    progress : callable, optional
        Called with (planes done, planes in all or None). If it raises, nothing was written.
    **options
        See `WriterOptions`.

    Raises
    ------
    DataError
        When labels, classes or the existing file cannot be used.
    OutputError
        When the file cannot be written.
    """
    total = len(planes) if isinstance(planes, Sequence) else None
    with CocoWriter(path, classes, **with_known_ids(options, planes)) as writer:
        for done, plane in enumerate(planes, start=1):
            writer.add(plane, plane.read())
            if progress is not None:
                progress(done, total)
        return writer.finish()


class CocoWriter:
    """Takes label images one by one; `finish` writes the file. Use it in a ``with`` block.

    Parameters
    ----------
    path, classes
        As for `export_coco`.
    segmentation, author, info, licenses, replace, versions, reserved
        See `WriterOptions`.

    Raises
    ------
    DataError, OutputError
        As `export_coco`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        classes: Sequence[ObjectClass] = (),
        *,
        segmentation: SegmentationForm = "auto",
        author: str | None = None,
        info: Mapping[str, Any] | None = None,
        licenses: Sequence[Mapping[str, Any]] = (),
        replace: bool = False,
        versions: int = 5,
        reserved: Iterable[int] = (),
    ) -> None:
        check_form(segmentation)
        self.path = Path(path)
        self._form, self._author, self._versions = segmentation, author, versions
        self._info, self._licenses = info, list(licenses)
        self._guard = Guard(self.path)
        self._merging = self.path.is_file() and not replace
        try:
            self._old = Previous.read(self.path) if self._merging else Previous()
            self._categories = Categories(classes, self._old)
        except BaseException:
            self._guard.release()
            raise
        self._reserved = set(reserved)
        self._used: set[int] = set()
        self._next = max([0, *self._old.ids, *self._reserved]) + 1
        self._images: dict[str, tuple[int, tuple[int, int]]] = {}  # file name -> id and shape
        self._new_images: list[dict[str, Any]] = []
        self._changed_images: dict[int, str] = {}
        self._spool = Spool(self.path)
        self._added: list[int] = []  # numbers in the spool
        self._replaced: dict[int, int] = {}  # index in the old file -> number in the spool
        self._matched: set[int] = set()
        self._known: set[int] = set()  # old annotations that the caller's labels stand for, or stood
        self._objects = self._polygons = 0
        self._by_class: dict[str, int] = {}
        self._ids: dict[tuple[str, str], dict[int, int]] = {}

    def __enter__(self) -> CocoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()
        self._guard.release()

    def add(self, plane: ImageLabels, labels: Labels) -> None:
        """Add one label image, ``(H, W)``.

        Raises
        ------
        DataError
            When it does not fit the file, or an object has a class that is not listed.
        """
        shape = (int(labels.shape[0]), int(labels.shape[1]))
        file_name = forward_slashes(plane.file_name)
        if file_name not in self._old.images:  # what others have called their images stays
            file_name = check_file_name(file_name)
        image_id = self._image(file_name, shape, plane)
        ids = self._ids.setdefault((file_name, plane.layer), {})
        indices = [self._old.ids[number] for number in plane.ids.values() if number in self._old.ids]
        self._known.update(index for index in indices if self._old.image_ids[index] == image_id)
        for label, runs in label_runs(labels):
            if label in ids:
                raise DataError(
                    f"Label {label} of '{file_name}' comes twice in the layer '{plane.layer}'; give layers other names."
                )
            ids[label] = self._object(label, runs, shape, image_id, plane)

    def finish(self) -> ExportReport:
        """Write the file, or leave it alone where nothing is new.

        Raises
        ------
        OutputError
            When it cannot be written; the old file is untouched.
        """
        removed = self._known - self._matched
        news = removed or self._categories.added or self._new_images or self._changed_images or self._new_licenses()
        changed = not self._merging or len(self._spool) > 0 or bool(news)
        if changed:
            with atomic_write(self.path, versions=self._versions) as temporary:
                write_document(temporary, self._head(), self._lists(removed))
                self._guard.check()
        problems = []
        if self._categories.unclassified:
            count = self._categories.unclassified
            what = "1 object has no class and was" if count == 1 else f"{count} objects have no class and were"
            problems.append(f"{what} written as '{UNCLASSIFIED}'.")
        kept = len(self._old.ids) - len(self._matched) - len(removed)
        counts = (len(self._images), self._objects, self._by_class, self._polygons, self._objects - self._polygons)
        return ExportReport(self.path, *counts, kept, len(removed), problems, self._ids, changed)

    # -- images and objects -----------------------------------------------------------------------------------

    def _image(self, file_name: str, shape: tuple[int, int], plane: ImageLabels) -> int:
        """Id of an image, which is entered where the file does not list it."""
        if file_name in self._images:
            image_id, known = self._images[file_name]
        elif file_name in self._old.images:
            index, old = self._old.images[file_name]
            image_id, known = old.id, (old.height, old.width)
            entry = self._old.entry(self._old.image_spans[index])
            news = {**entry, **plane.image_extra()}
            if news != entry:
                self._changed_images[index] = to_json(news)
        else:
            image_id, known = self._old.last_image + len(self._new_images) + 1, shape
            entry = {"id": image_id, "file_name": file_name, "height": shape[0], "width": shape[1]}
            self._new_images.append({**entry, **plane.image_extra(), **entry})
        if known != shape:
            raise DataError(
                f"The labels of '{file_name}' have {shape[0]} x {shape[1]} pixels, but the image in '{self.path.name}' "
                f"has {known[0]} x {known[1]}."
            )
        self._images[file_name] = (image_id, shape)
        return image_id

    def _object(self, label: int, runs: Runs, shape: tuple[int, int], image_id: int, plane: ImageLabels) -> int:
        """Enter one object; returns its id."""
        facts = plane.facts.get(label, ObjectFacts())
        index = self._find(label, runs, shape, image_id, plane, facts)
        old = None if index is None else self._old.annotation(index)
        number = self._number(plane.ids.get(label)) if old is None else whole(old["id"])
        entry: dict[str, Any] = {"id": number, "image_id": image_id} if old is None else dict(old)
        category, title = self._categories.of(facts.class_id, f"Label {label} of '{plane.file_name}'")
        if old is None or not self._categories.same(old["category_id"], category):
            entry["category_id"] = category
        crowd = label in plane.crowds
        outline, measures = segment(runs, shape, "rle" if crowd else self._form)
        same = old is not None and same_pixels(old.get("segmentation"), runs, shape)
        if not same or (self._form != "auto" and isinstance(outline, list) != isinstance(entry["segmentation"], list)):
            entry["segmentation"] = outline
        if not same:
            entry.update(measures)
        if old is None or bool(old.get("iscrowd")) != crowd:
            entry["iscrowd"] = int(crowd)
        record = self._record(facts, old, label, plane, same)
        if record is not None:
            entry[NAMESPACE] = record
        if index is None:
            self._added.append(self._spool.add(entry))
        else:
            self._matched.add(index)
            if entry != old:
                self._replaced[index] = self._spool.add(finite(entry))
        self._objects += 1
        self._polygons += isinstance(entry["segmentation"], list)
        self._by_class[title] = self._by_class.get(title, 0) + 1
        return number

    def _find(
        self, label: int, runs: Runs, shape: tuple[int, int], image_id: int, plane: ImageLabels, facts: ObjectFacts
    ) -> int | None:
        """Index of the object in the old file: that of its id, else of our object with its label and its pixels."""
        known = plane.ids.get(label)
        index = None if known is None else self._old.ids.get(known)
        if index is not None and self._old.image_ids[index] == image_id and index not in self._matched:
            return index
        key = image_id, plane.layer, facts.author or self._author or "", label
        shares = {
            index: overlap(self._old.annotation(index).get("segmentation"), runs, shape)
            for index in self._old.keys.get(key, ())
            if index not in self._matched and index not in self._known
        }
        # Labels count from 1 in each new layer: without an id, only pixels tell an object from its namesake.
        return max((index for index in shares if shares[index] > SAME), key=shares.__getitem__, default=None)

    def _number(self, wanted: int | None) -> int:
        """An id for a new object: the wanted one where it is free, else the next."""
        if wanted is None or wanted < 1 or wanted in self._used or wanted in self._old.ids:
            while self._next in self._used or self._next in self._reserved:
                self._next += 1
            wanted = self._next
        self._used.add(wanted)
        return wanted

    def _record(
        self, facts: ObjectFacts, old: Mapping[str, Any] | None, label: int, plane: ImageLabels, same: bool
    ) -> dict[str, Any] | None:
        """Our record of an object; None where the old entry says all there is."""
        known = (old or {}).get(NAMESPACE)
        if old is not None and same and not isinstance(known, dict):
            try:
                before = changed_to(facts_of(old), class_id=None, plane=())
            except DataError:
                before = ObjectFacts()
            if before == changed_to(facts, class_id=None, plane=()):
                return None  # an object of somebody else, as it was read
        author = facts.author or (None if isinstance(known, dict) or (old is not None and same) else self._author)
        full = changed_to(facts, class_id=None, plane=facts.plane or plane.plane, author=author)
        ours = {**full.to_json(), "label": label, **({"layer": plane.layer} if plane.layer else {})}
        kept = {key: value for key, value in known.items() if key not in _OUR_KEYS} if isinstance(known, dict) else {}
        return {**kept, **ours}

    # -- the document -----------------------------------------------------------------------------------------

    def _head(self) -> Iterator[tuple[str, str | None]]:
        """Top-level keys and the text of their values, None for the lists of entries."""
        if not self._merging:
            yield "info", to_json(self._info if self._info is not None else _default_info(self._author))
            yield "licenses", to_json(self._licenses)
            yield from ((key, None) for key in LISTS)
            return
        seen = set()
        for key, start, stop in self._old.head:
            seen.add(key)
            text = self._old.text[start:stop]
            if key == "licenses" and self._new_licenses():
                text = to_json([*self._old.value(start), *self._new_licenses()])
            yield key, None if key in LISTS else text
        if "licenses" not in seen and self._new_licenses():
            yield "licenses", to_json(self._new_licenses())
        yield from ((key, None) for key in LISTS if key not in seen)

    def _lists(self, removed: set[int]) -> dict[str, Iterator[str]]:
        old = self._old
        return {
            "images": self._chained(old_texts(old, old.image_spans, self._changed_images, set()), self._new_images),
            "annotations": self._annotations(removed),
            "categories": self._chained(old_texts(old, old.category_spans, {}, set()), self._categories.added),
        }

    def _annotations(self, removed: set[int]) -> Iterator[str]:
        for index, (start, stop) in enumerate(zip(self._old.starts, self._old.stops, strict=True)):
            if index in self._replaced:
                yield self._spool.text(self._replaced[index])
            elif index not in removed:
                yield self._old.text[start:stop]
        yield from map(self._spool.text, self._added)

    def _new_licenses(self) -> list[Mapping[str, Any]]:
        """Licences that the old file does not hold yet."""
        if not self._merging:
            return []
        old: Any = next((self._old.value(start) for key, start, _ in self._old.head if key == "licenses"), [])
        return [item for item in self._licenses if item not in old] if isinstance(old, list) else []

    @staticmethod
    def _chained(old: Iterator[str], new: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        yield from old
        yield from map(to_json, new)


def _default_info(author: str | None) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    return {
        "description": "Annotated with napari-dextr",
        "version": "1.0",
        "year": now.year,
        "contributor": author or "",
        "date_created": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
