"""Pictures of a COCO file, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_dextr.coco import CocoDataset, CocoImage
from napari_dextr.napari_io import coco_pictures
from napari_dextr.napari_io.coco_pictures import groups_of, open_group, picture_root


def dataset(folder: Path, images: list[CocoImage]) -> CocoDataset:
    return CocoDataset({image.id: image for image in images}, [], {}, folder / "set.json")


def plane(number: int, index: list[int], axes: str = "z", size: tuple[int, int] = (4, 5), **stack: Any) -> CocoImage:
    facts = {"source": "s.tif", "plane": index, "axes": axes, **({"stack": stack} if stack else {})}
    return CocoImage(number, f"s_{number}.png", *size, {"napari_dextr": facts})


def test_planes_of_a_stack_become_the_stack(tmp_path: Path) -> None:
    images = [plane(1, [0, 2], "tz", extents=[2, 7], scale=[1, 3, 1, 1]), plane(2, [1, 0], "tz")]
    (group,) = groups_of(dataset(tmp_path, images))
    assert (group.name, group.extents, group.shape, group.axes) == ("s", (2, 7), (2, 7, 4, 5), "tz")
    assert set(group.planes) == {(0, 2), (1, 0)}
    assert group.place() == {"scale": [1, 3, 1, 1], "axis_labels": ("t", "z", "y", "x")}


@pytest.mark.parametrize(
    "images",
    [
        [plane(1, [0]), plane(2, [0])],  # one place twice
        [plane(1, [0]), plane(2, [1], size=(9, 9))],
        [plane(1, [0]), plane(2, [1], axes="t")],
        [plane(1, [0]), plane(2, [10**9])],  # no memory is taken for what a file only claims
        [plane(1, [0, 1]), plane(2, [1, 1])],  # more indices than axes
    ],
)
def test_planes_that_do_not_fit_together_stay_single(tmp_path: Path, images: list[CocoImage]) -> None:
    assert sum(len(group.planes) for group in groups_of(dataset(tmp_path, images))) == 2
    assert all(np.prod(group.shape) < 1000 for group in groups_of(dataset(tmp_path, images)))


def test_grey_and_colour_share_a_stack(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 5), 7, np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.full((4, 5, 4), 9, np.uint8)).save(tmp_path / "b.png")
    images = [CocoImage(1, "a.png", 4, 5), CocoImage(2, "b.png", 4, 5), CocoImage(3, "gone.png", 4, 5)]
    (group,) = groups_of(dataset(tmp_path, images))
    problems: list[str] = []
    pixels = open_group(group, tmp_path, problems)
    assert pixels.shape == (3, 4, 5, 3)
    assert np.unique(np.asarray(pixels), return_index=False).tolist() == [0, 7, 9]
    assert len(problems) == 1
    assert "gone.png" in problems[0]


def test_only_what_is_looked_at_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        Image.fromarray(np.full((4, 5), number, np.uint8)).save(tmp_path / f"{number}.png")
    (group,) = groups_of(dataset(tmp_path, [CocoImage(n + 1, f"{n}.png", 4, 5) for n in range(40)]))
    opened: list[str] = []
    real = coco_pictures.open_annotated

    def counting(folder: Any, image: Any) -> Any:
        opened.append(image.file_name)
        return real(folder, image)

    monkeypatch.setattr(coco_pictures, "open_annotated", counting)
    pixels = open_group(group, tmp_path, [])
    assert len(opened) <= 10
    opened.clear()
    assert (np.asarray(pixels[33]) == 33).all()
    assert opened == ["33.png"]


def test_a_picture_that_goes_later_is_black_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    for number in range(2):
        Image.fromarray(np.full((4, 5), 7, np.uint8)).save(tmp_path / f"{number}.png")
    (group,) = groups_of(dataset(tmp_path, [CocoImage(n + 1, f"{n}.png", 4, 5) for n in range(2)]))
    pixels = open_group(group, tmp_path, [])
    (tmp_path / "1.png").unlink()
    assert not np.asarray(pixels[1]).any()
    assert len(said) == 1
    assert "1.png" in said[0]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_the_stack_itself_has_all_planes(tmp_path: Path, compression: str | None) -> None:
    stack = np.arange(6 * 4 * 5, dtype=np.uint16).reshape(6, 4, 5)
    tifffile.imwrite(tmp_path / "s.tif", stack, compression=compression)
    (group,) = groups_of(dataset(tmp_path, [plane(1, [2], extents=[6])]))
    np.testing.assert_array_equal(np.asarray(open_group(group, tmp_path, [])), stack)


def test_a_stack_of_another_shape_is_not_taken(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((6, 9, 9), np.uint16))
    (group,) = groups_of(dataset(tmp_path, [plane(1, [2], extents=[6])]))
    problems: list[str] = []
    assert open_group(group, tmp_path, problems) is None
    assert len(problems) == 1


def test_the_folder_of_a_picture(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    assert picture_root(tmp_path, CocoImage(1, "a.png", 4, 5)) == tmp_path / "images"
    assert picture_root(tmp_path, CocoImage(1, "images/a.png", 4, 5)) == tmp_path


def test_a_picture_costs_the_same_however_many_there_are(tmp_path: Path) -> None:
    images = [CocoImage(number, f"{number}.png", 4, 5) for number in range(1, 41)]
    for image in images:
        Image.fromarray(np.full((4, 5), image.id, np.uint8)).save(tmp_path / image.file_name)
    (group,) = groups_of(dataset(tmp_path, images))
    pixels = open_group(group, tmp_path, [])
    assert pixels.chunks == ((1,) * 40, (4,), (5,))
    assert [int(pixels[place].max()) for place in (0, 20, 39)] == [1, 21, 40]
    assert len(pixels.dask.layers) == 1  # dask looks at every layer for every plane
