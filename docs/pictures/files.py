"""Writing pictures so that a run without news changes no file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence

from napari_dextr.files import atomic_write

Pixels = npt.NDArray[np.uint8]
Film = tuple[Sequence[Pixels], Sequence[int]]  # frames, and the milliseconds of each

SAME = 0.004
"""Share of the pixels that may differ between two runs: a time in milliseconds, the edge of a mask."""

_MOMENTS, _MOST = 60, 0.9  # at which two films are compared; share of them that must show the same
_VISIBLE = 24  # grey levels; less is the rounding of colours


def save_png(pixels: Pixels, path: Path) -> bool:
    """Write a screenshot ``(H, W, 3)`` with a palette of 256 colours, a third of the size; rare colours stay.

    Returns
    -------
    bool
        False where the file shows the same already, and was left alone.
    """
    if path.exists() and same(pixels, _frames(path)[0]):
        return _tell(path, False)
    picture = Image.fromarray(pixels).quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    return _tell(path, True)


def save_gif(frames: Sequence[Pixels], durations: Sequence[int], path: Path) -> bool:
    """Write frames, each shown for so many milliseconds, as a GIF that repeats for ever.

    All frames share a palette of 255 colours; the one left over means "as before", which makes the file small.
    """
    palette = _palette(frames)
    pictures = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    shown = [np.asarray(picture.convert("RGB")) for picture in pictures]
    if path.exists() and same_film((shown, durations), (_frames(path), _durations(path))):
        return _tell(path, False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=list(durations),
            loop=0,
            disposal=1,
            optimize=True,  # pixels that stay are left out
        )
    return _tell(path, True)


def same(one: Pixels, other: Pixels) -> bool:
    """Whether two pictures show the same, but for a few pixels and the rounding of colours."""
    if one.shape != other.shape:
        return False
    apart = np.abs(one.astype(np.int16) - other.astype(np.int16)).max(axis=-1) > _VISIBLE
    return bool(apart.mean() <= SAME)


def same_film(one: Film, other: Film) -> bool:
    """Whether two films show the same at nearly all moments: what waits for the model may come a frame later."""
    ends = [np.cumsum(durations) for _, durations in (one, other)]
    if ends[0][-1] != ends[1][-1]:
        return False
    moments = np.linspace(0, ends[0][-1] - 1, _MOMENTS)
    pairs = zip(*(np.searchsorted(end, moments, side="right") for end in ends), strict=True)
    return sum(same(one[0][first], other[0][second]) for first, second in pairs) >= _MOST * _MOMENTS


def _palette(frames: Sequence[Pixels]) -> Image.Image:
    """255 colours that suit the first, the middle and the last frames."""
    chosen = [frames[index] for index in np.linspace(0, len(frames) - 1, 5).astype(int)]
    return Image.fromarray(np.concatenate(chosen)).quantize(255, Image.Quantize.MEDIANCUT)


def _frames(path: Path) -> list[Pixels]:
    with Image.open(path) as picture:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]


def _durations(path: Path) -> list[int]:
    with Image.open(path) as picture:
        return [int(frame.info.get("duration", 0)) for frame in ImageSequence.Iterator(picture)]


def _tell(path: Path, written: bool) -> bool:
    with Image.open(path) as picture:
        size = f"{picture.width} x {picture.height} pixels, {path.stat().st_size / 1000:.0f} kB"
    print(f"{path.name}: {size}{'' if written else ', as it was'}", flush=True)
    return written
