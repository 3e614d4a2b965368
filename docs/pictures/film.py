"""A film of a viewer: screenshots with the mouse cursor, its clicks and a line of text, which no screenshot shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .files import Pixels, save_gif

STEP = 60
"""Milliseconds of a frame in which something moves."""

_FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
_ARROW = ((0, 0), (0, 21), (5, 17), (9, 25), (13, 23), (9, 15), (15, 15))  # x, y: a cursor that points to (0, 0)
_INK, _PAPER, _RING = (20, 20, 24), (255, 255, 255), (255, 214, 10)

Place = tuple[int, int]


class Film:
    """Frames of a window, taken one by one.

    Parameters
    ----------
    shoot : callable
        Gives the window's pixels, ``(H, W, 3)``.
    caption_at : (x, y)
        Middle of the lower edge of the caption, pixels of the window.
    """

    def __init__(self, shoot: Callable[[], Pixels], caption_at: Place) -> None:
        self.caption = ""
        self.frames: list[Pixels] = []
        self.durations: list[int] = []
        self._shoot = shoot
        self._caption_at = caption_at

    def take(self, cursor: Place, milliseconds: int = STEP, ring: int = 0) -> None:
        """Add a frame.

        Parameters
        ----------
        cursor : (x, y)
            Where the mouse is, pixels of the window.
        milliseconds : int
            How long the frame is shown.
        ring : int
            Radius of the ring around a click; 0 for none.
        """
        picture = Image.fromarray(np.ascontiguousarray(self._shoot()))
        pen = ImageDraw.Draw(picture)
        x, y = cursor
        if ring:
            pen.ellipse((x - ring, y - ring, x + ring, y + ring), outline=_RING, width=3)
        pen.polygon([(x + dx, y + dy) for dx, dy in _ARROW], fill=_PAPER, outline=_INK)
        if self.caption:
            self._write(pen)
        frame = np.asarray(picture)
        if self.frames and np.array_equal(frame, self.frames[-1]):
            self.durations[-1] += milliseconds
        else:
            self.frames.append(frame)
            self.durations.append(milliseconds)

    def save(self, path: Path) -> bool:
        """Write the film as a GIF, unless the file shows the same already."""
        return save_gif(self.frames, self.durations, path)

    def _write(self, pen: ImageDraw.ImageDraw) -> None:
        font = ImageFont.truetype(str(_FONT), 17)  # Pillow 10.0 takes no path
        left, top, right, bottom = pen.textbbox((0, 0), self.caption, font=font)
        x, y = self._caption_at[0] - (right - left) // 2, self._caption_at[1] - bottom - 12
        pen.rounded_rectangle((x - 12, y + top - 8, x + right + 12, y + bottom + 8), 8, fill=_INK)
        pen.text((x, y), self.caption, fill=_PAPER, font=font)
