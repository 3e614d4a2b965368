"""Pictures that show masks and marks on their image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.float32]

# Bright colours that stay apart for colour-blind readers (after Okabe and Ito, 2008), on light and dark ground.
PALETTE = ((230, 159, 0), (86, 180, 233), (0, 200, 130), (240, 228, 66), (204, 102, 187), (213, 94, 0), (90, 90, 255))

_FILL = 0.45  # opacity of the fill
_LINE = 1.5  # half width of the contour, pixels of the picture
_DOT = 4.5  # radius of a mark, pixels of the picture


def draw_overlay(
    image: npt.NDArray[np.generic],
    masks: Sequence[npt.NDArray[np.bool_]],
    marks: Sequence[npt.NDArray[np.float64]],
    names: Sequence[str] = (),
    *,
    scale: int = 2,
) -> Image:
    """Draw masks (fill and contour), their marks (dots) and names on an image.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array of uint8
    masks : sequence of (H, W) arrays of bool
    marks : sequence of (N, 2) arrays of float
        Row and column of each object's marks, pixels of the image.
    names : sequence of str, optional
        Written at each object's topmost mark.
    scale : int
        Pixels of the picture for each pixel of the image.

    Returns
    -------
    (scale H, scale W, 3) array of uint8
    """
    from PIL import Image as Pillow

    rgb = np.asarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1), dtype=np.uint8)
    size = (rgb.shape[1] * scale, rgb.shape[0] * scale)
    picture = np.asarray(Pillow.fromarray(rgb).resize(size, Pillow.Resampling.BICUBIC)).astype(np.float32)
    colours = [np.array(PALETTE[i % len(PALETTE)], dtype=np.float32) for i in range(len(masks))]
    for mask, colour in zip(masks, colours, strict=True):
        _blend_mask(picture, mask, colour, size)
    for points, colour in zip(marks, colours, strict=True):
        # The centre of pixel (i, j) lies at scale * (i + 0.5) - 0.5 of the picture.
        for row, col in (np.asarray(points) + 0.5) * scale - 0.5:
            _blend_dot(picture, row, col, _DOT + 1.5, np.full(3, 255, np.float32))
            _blend_dot(picture, row, col, _DOT, colour * 0.75)
    return _write_names(np.clip(picture, 0, 255).astype(np.uint8), marks, names, scale)


def _blend_mask(
    picture: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_], colour: Colour, size: tuple[int, int]
) -> None:
    from PIL import Image as Pillow
    from scipy import ndimage

    smooth = Pillow.fromarray(mask.astype(np.float32)).resize(size, Pillow.Resampling.BICUBIC)
    large = np.asarray(smooth) > 0.5
    line = np.zeros(large.shape)
    if large.any() and not large.all():  # without an edge there is no distance to it
        distance = ndimage.distance_transform_edt(large) + ndimage.distance_transform_edt(~large) - 0.5
        line = np.clip(_LINE + 0.5 - distance, 0, 1)
    alpha = np.maximum(_FILL * large, line)[..., None]
    picture += alpha * (colour - picture)


def _blend_dot(picture: npt.NDArray[np.float32], row: float, col: float, radius: float, colour: Colour) -> None:
    top, left = max(int(row - radius) - 1, 0), max(int(col - radius) - 1, 0)
    patch = picture[top : int(row + radius) + 3, left : int(col + radius) + 3]
    r, c = np.indices(patch.shape[:2])
    alpha = np.clip(radius + 0.5 - np.hypot(r + top - row, c + left - col), 0, 1)[..., None]
    patch += alpha * (colour - patch)


def _write_names(picture: Image, marks: Sequence[npt.NDArray[np.float64]], names: Sequence[str], scale: int) -> Image:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    canvas = Pillow.fromarray(picture)
    pen = ImageDraw.Draw(canvas)
    for points, name in zip(marks, names, strict=False):
        row, col = points[np.argmin(points[:, 0])]
        left, top, right, bottom = pen.textbbox((0, 0), name)
        x = min(max(col * scale - (right - left) / 2, 2), canvas.width - (right - left) - 4)
        y = min(max(row * scale + 10, 2), canvas.height - (bottom - top) - 4)
        pen.rectangle((x - 3, y + top - 2, x + right + 3, y + bottom + 2), fill=(0, 0, 0))
        pen.text((x, y), name, fill=(255, 255, 255))
    return np.asarray(canvas)
