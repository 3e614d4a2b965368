"""The pictures that an annotation file names: found where they are, or written beside it."""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..coco import plane_file_name, relative_name, write_plane
from ..coco.images import check_file_name
from ..errors import DataError, OutputError
from ..files import make_folder
from .export_source import ImageSource, LabelSource

FOLDER = "images"
"""Folder beside the annotation file that pictures are written into."""

STACKS = (".tif", ".tiff")
"""Endings of files that a plane is taken from when it has no picture of its own."""


@dataclass(frozen=True)
class PictureName:
    """What the annotation file calls a plane: ``file_name``, and the stack it is a plane of (None for a picture)."""

    file_name: str
    stack: str | None = None


class Pictures:
    """Names the picture of each plane, and writes those that are not in the folder yet.

    A plane keeps the name that an earlier export to the same file gave it; its picture is written anew where the
    pixels, or the contrast limits they are shown with, have changed. A file that somebody else put there is never
    written over: the new one gets a number.

    Parameters
    ----------
    path : Path
        The annotation file. A link is followed: pictures lie beside the file that it leads to.
    write : bool
        Whether pictures are written; without it, names are given only.
    """

    def __init__(self, path: Path, *, write: bool = True) -> None:
        self.path = path
        self.file = Path(os.path.realpath(path))
        self.root = self.file.parent
        self.written: list[Path] = []
        self._fresh: list[Path] = []  # written where nothing was
        self._folder_is_new = not (self.root / FOLDER).exists()
        self._write = write
        self._stems: dict[str, Any] = {}
        self._named: dict[tuple[int, tuple[int, ...]], PictureName] = {}

    def place(self, source: LabelSource, index: tuple[int, ...]) -> PictureName:
        """Name of the picture of a plane, which is then there, unless nothing is to be written.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        key = source.key(index)
        if key not in self._named:
            self._named[key] = self._known(source, index) or self._name(source, index)
        return self._named[key]

    def discard(self) -> None:
        """Remove the pictures that were made here: the export that they are for has come to nothing."""
        for path in self._fresh:
            with contextlib.suppress(OSError):
                path.unlink()
        if self._folder_is_new:
            with contextlib.suppress(OSError):  # it is not empty: somebody else put a file there
                (self.root / FOLDER).rmdir()
        self._fresh.clear()
        self.written.clear()

    def come_back(self, source: LabelSource) -> bool:
        """Whether whoever opens the file sees the planes too that are not exported: in the stack's own file."""
        image = source.image
        if image is None or not source.extents:
            return True
        path = image.path
        return path is not None and path.suffix.lower() in STACKS and path.is_file() and _below(path, self.root)

    def lists_all(self, source: LabelSource) -> bool:
        """Whether the annotation file has every plane of a layer already, as far as the layer knows."""
        return self.knows(source) and all(index in source.pictures for index in source.indices())

    def entries(self, source: LabelSource) -> list[dict[str, Any]]:
        """What the planes of a layer are called, for its metadata; planes that were not named are left out."""
        height, width = (int(extent) for extent in source.array.shape[-2:])
        entries = []
        for index in source.indices():
            picture = self._named.get(source.key(index))
            if picture is not None:
                size = source.sizes.get(index, (height, width))
                entries.append(
                    {
                        "index": list(index),
                        "file_name": picture.file_name,
                        "stack": picture.stack,
                        "height": size[0],
                        "width": size[1],
                        "ours": self._is_ours(source, index, picture),
                    }
                )
        return entries

    def knows(self, source: LabelSource) -> bool:
        """Whether a layer was read from the annotation file, or exported to it, by whatever path."""
        file = source.coco.get("file")
        return file is not None and os.path.realpath(file) == str(self.file)

    def ids(self, source: LabelSource, index: tuple[int, ...]) -> dict[int, int]:
        """Numbers that the objects of a plane have in the file, by label, as the last export or import left them."""
        known = source.pictures.get(index) if self.knows(source) else None
        ids = {} if known is None else source.coco.get("ids", {}).get(known[0], {})
        return {int(label): int(number) for label, number in ids.items()}

    def _known(self, source: LabelSource, index: tuple[int, ...]) -> PictureName | None:
        """The name of an earlier export to the same file."""
        known = source.pictures.get(index)
        if known is None or not self.knows(source):
            return None
        name = PictureName(*known)
        path = self._inside(name.file_name)
        if self._write and source.image is not None and path is not None:
            if not path.is_file():
                if _stands_in(source, index):
                    return name
                return PictureName(self._save(source.image, index, name.file_name), name.stack)
            if index in source.own_pictures:
                self._renew(source.image, index, path)
        return name

    def _inside(self, file_name: str) -> Path | None:
        """Where the picture of a name lies; None where the name, or a link, leads out of the folder."""
        try:
            path = self.root / check_file_name(file_name)
        except DataError:
            return None
        return path if _below(path, self.root) else None

    def _is_ours(self, source: LabelSource, index: tuple[int, ...], picture: PictureName) -> bool:
        """Whether the file of a plane was made here or by an earlier export, and so may be written anew."""
        earlier = self.knows(source) and index in source.own_pictures
        return (self.root / picture.file_name) in self._fresh or (
            earlier and source.pictures[index][0] == picture.file_name
        )

    def _renew(self, image: ImageSource, index: tuple[int, ...], path: Path) -> None:
        """Write a picture of an earlier export anew, where the image shows something else now."""
        fresh = path.with_name(f".{path.stem[:80]}-new.png")
        try:
            write_plane(fresh, image.plane(index), image.limits)
            if not filecmp.cmp(path, fresh, shallow=False):
                fresh.replace(path)
                self.written.append(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        finally:
            fresh.unlink(missing_ok=True)

    def _name(self, source: LabelSource, index: tuple[int, ...]) -> PictureName:
        image = source.image
        owner = source.array if image is None else image.array
        there = None if image is None else self._there(image, index)
        if there is not None:
            return PictureName(there)
        several = bool(source.extents)
        known = next((stack for _, stack in source.pictures.values() if stack), None) if several else None
        stem = source.name if image is None else image.name
        if image is not None and index in image.images:
            stem, several = Path(image.images[index]).stem, False  # a picture of a data set has a name of its own
        elif image is not None and image.path is not None:
            stem = image.path.stem
        stem = Path(known).stem if known else self._stem(_plain_name(stem), (owner, None if several else index))
        name = f"{stem}.png"
        if several:
            name = plane_file_name(name, index, axes=source.axes, extents=source.extents)
        file_name = f"{FOLDER}/{name}"
        if self._write and image is not None and not _stands_in(source, index):
            file_name = self._save(image, index, file_name)
        return PictureName(file_name, (known or self._stack(image, stem)) if several else None)

    def _there(self, image: ImageSource, index: tuple[int, ...]) -> str | None:
        """Relative name of a picture that lies in the folder already."""
        if index in image.images and image.root is not None:
            path: Path | None = image.root / image.images[index]
        else:
            path = image.path if image.ndim == 2 else None
        if path is None or not path.is_file() or not _below(path, self.root):
            return None
        return relative_name(path, self.root)

    def _stack(self, image: ImageSource | None, stem: str) -> str:
        """Name that the planes of a stack have in common."""
        if image is not None and image.path is not None and _below(image.path, self.root):
            return relative_name(image.path, self.root)
        return stem

    def _stem(self, wanted: str, owner: Any) -> str:
        """``wanted``, with a number where another image has that name."""
        stem, number = wanted, 1
        while stem in self._stems and not _same(self._stems[stem], owner):
            number += 1
            stem = f"{wanted}_{number}"
        self._stems[stem] = owner
        return stem

    def _save(self, image: ImageSource, index: tuple[int, ...], file_name: str) -> str:
        wanted = self.root / file_name
        folder = make_folder(wanted.parent)
        path, number = wanted, 1
        fresh = folder / f".{wanted.stem[:80]}-new.png"
        try:
            write_plane(fresh, image.plane(index), image.limits)
            while path.exists():
                if filecmp.cmp(path, fresh, shallow=False):
                    return relative_name(path, self.root)
                number += 1
                path = wanted.with_name(f"{wanted.stem}_{number}.png")
            fresh.replace(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        finally:
            fresh.unlink(missing_ok=True)
        self.written.append(path)
        self._fresh.append(path)
        return relative_name(path, self.root)


def _stands_in(source: LabelSource, index: tuple[int, ...]) -> bool:
    """Whether a plane is black only because its picture was not there when the data set was opened, or has gone.

    Written, it would pass for the picture.
    """
    image = source.image
    if image is None or image.root is None or index not in image.images:
        return False
    _, stack = source.pictures.get(index, ("", None))
    return not any((image.root / name).is_file() for name in (image.images[index], stack) if name)


def _unwritable(path: Path, error: OSError) -> OutputError:
    if isinstance(error, OutputError):
        return error
    return OutputError(f"The picture '{path}' cannot be written ({error.strerror or error}); choose another folder.")


def _below(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _same(one: Any, other: Any) -> bool:
    return one[0] is other[0] and one[1] == other[1]


def _plain_name(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "image"
