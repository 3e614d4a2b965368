"""Boxes of a Shapes layer, and extreme points of a Points layer, as prompts on the planes of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..annotate import prompt_of_box
from ..errors import ImageError, PromptError
from ..objects import KINDS, NEEDED, Mark, ObjectClass, ObjectFacts, class_colour
from ..prompt import Prompt
from .object_table import record
from .placement import plain, same_place
from .planes import Plane, current_plane, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Points, Shapes

_TOLD = 100  # objects between two words of progress


@dataclass(frozen=True, eq=False)
class BoxTask:
    """One object to be found.

    Attributes
    ----------
    number : int
        Index of the shape, or of the object's first point, in its layer.
    plane : Plane
        On which plane of the image it lies.
    prompt : Prompt
    facts : ObjectFacts
        Its box or its marks, and its plane.
    class_name : str
        Column ``class`` of the layer's features; "" without one.
    annotation : int or None
        Number of the object in a COCO file, column ``id``.
    """

    number: int
    plane: Plane
    prompt: Prompt
    facts: ObjectFacts
    class_name: str = ""
    annotation: int | None = None


@dataclass(frozen=True, eq=False)
class BoxSource:
    """What a Shapes or Points layer marks on an image, taken as it is now; a background thread may work on it."""

    name: str
    objects: list[tuple[int, list[str] | None, npt.NDArray[np.float64]]]
    place: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
    shape: tuple[int, ...]
    shown: Plane
    classes: list[str]
    numbers: list[Any]

    def tasks(self, tell: Callable[[int], object] = lambda _: None) -> tuple[list[BoxTask], list[str]]:
        """The objects.

        Parameters
        ----------
        tell : callable
            Called with the number of objects done, now and then; may raise to stop.

        Returns
        -------
        tasks : list of BoxTask
        problems : list of str
            One sentence for each object that cannot be used.
        """
        tasks: list[BoxTask] = []
        problems: list[str] = []
        for done, (number, kinds, vertices) in enumerate(self.objects):
            if done % _TOLD == 0:
                tell(done)
            try:
                plane, on_plane = _on_plane(self.place(vertices), self.shape, self.shown)
                prompt, facts = _prompt(on_plane, kinds, _off(plane))
                prompt.check((self.shape[plane.axes[0]], self.shape[plane.axes[1]]))
            except (PromptError, ImageError) as error:
                problems.append(f"Number {number + 1} of '{self.name}': {error}")
                continue
            name = self.classes[number] if number < len(self.classes) and self.classes[number] != "nan" else ""
            known = number < len(self.numbers) and np.isfinite(self.numbers[number])
            tasks.append(BoxTask(number, plane, prompt, facts, name, int(self.numbers[number]) if known else None))
        return tasks, problems


def take_boxes(layer: Any, image: Image, dims: Any) -> BoxSource:
    """Take the objects that a layer marks on an image as they are now.

    Every shape counts with its bounding box, whose edges lie around the object's outermost pixels. Points count as
    extreme points: those with one number in the features column ``label`` (or ``object``) make an object, without
    such a column each four that follow one another. Layers of fewer axes than the image lie on the plane that is
    shown.

    Parameters
    ----------
    layer : Shapes or Points
    image : Image
    dims : Dims
        The viewer's: which axes are rows and columns, and which plane is shown.

    Raises
    ------
    ImageError
        In the 3-D view.
    """
    layer, image = plain(layer), plain(image)
    shown = current_plane(image, dims)
    features = layer.features
    return BoxSource(
        name=str(layer.name),
        objects=list(_objects(layer)),
        place=_transform(layer, image, shown),
        shape=layer_shape(image),
        shown=shown,
        classes=[str(name) for name in features["class"]] if "class" in features else [],
        numbers=list(features["id"]) if "id" in features else [],
    )


def holds_boxes(layer: Any) -> bool:
    """Whether a layer may hold boxes or points of objects; those that are being clicked do not count."""
    from napari.layers import Points, Shapes

    return isinstance(layer, (Shapes, Points)) and plain(layer).name != "Extreme clicks"


def classes_for(tasks: list[BoxTask], source: Any, present: list[ObjectClass]) -> list[ObjectClass]:
    """Classes of a target, and after them those that the boxes name and it lacks."""
    _, offered = record(source)
    classes = list(present)
    for name in dict.fromkeys(task.class_name for task in tasks):
        if not name or any(entry.name == name for entry in classes):
            continue
        known = next((entry for entry in offered if entry.name == name), None)
        taken = {entry.id for entry in classes}
        number = known.id if known is not None and known.id not in taken else max(taken, default=0) + 1
        classes.append(ObjectClass(number, name, class_colour(number) if known is None else known.colour))
    return classes


def _objects(layer: Shapes | Points) -> Iterator[tuple[int, list[str] | None, npt.NDArray[np.float64]]]:
    """Number, kinds of the points (None for a shape) and ``(N, ndim)`` vertices of each object."""
    from napari.layers import Points

    if not isinstance(layer, Points):
        for number, vertices in enumerate(layer.data):
            yield number, None, np.asarray(vertices, np.float64)
        return
    data = np.asarray(layer.data, np.float64).reshape(-1, layer.ndim)
    kinds = [str(kind) for kind in layer.features["kind"]] if "kind" in layer.features else [KINDS[0]] * len(data)
    column = next((name for name in ("label", "object") if name in layer.features), None)
    owners = np.arange(len(data)) // NEEDED if column is None else np.asarray(layer.features[column])
    for owner in dict.fromkeys(owners.tolist()):
        rows = np.flatnonzero(owners == owner)
        yield int(rows[0]), [kinds[row] for row in rows], data[rows]


def _transform(layer: Any, image: Any, shown: Plane) -> Any:
    """A function from ``(N, layer.ndim)`` vertices to ``(N, image.ndim)`` data coordinates of the image."""
    rest = np.asarray(image.data_to_world(np.asarray(shown.index, np.float64)), np.float64)

    def through(point: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        world = np.asarray(layer.data_to_world(point), np.float64)
        whole = rest.copy()
        count = min(len(world), len(whole))
        whole[len(whole) - count :] = world[len(world) - count :]
        return np.asarray(image.world_to_data(whole), np.float64)

    # The way is affine: a point for the origin and one for each axis say it all, however many boxes there are.
    origin = through(np.zeros(layer.ndim))
    steps = np.array([through(axis) - origin for axis in np.eye(layer.ndim)])
    return lambda vertices: vertices @ steps + origin


def _on_plane(
    vertices: npt.NDArray[np.float64], shape: tuple[int, ...], shown: Plane
) -> tuple[Plane, npt.NDArray[np.float64]]:
    """The plane on which vertices lie, and their ``(N, 2)`` rows and columns there."""
    off = [axis for axis in range(len(shape)) if axis not in shown.axes]
    positions = np.rint(vertices[:, off]).astype(np.int64)
    if len(positions) and (positions != positions[0]).any():
        raise PromptError("it does not lie on one plane; draw it on a single slice.")
    index = [0] * len(shape)
    for axis, position in zip(off, positions[0] if len(positions) else (), strict=False):
        if not 0 <= position < shape[axis]:
            raise ImageError("it lies on a plane that the image does not have.")
        index[axis] = int(position)
    return Plane(shown.axes, tuple(index)), vertices[:, list(shown.axes)]


def _prompt(
    points: npt.NDArray[np.float64], kinds: list[str] | None, plane: tuple[int, ...]
) -> tuple[Prompt, ObjectFacts]:
    if not np.isfinite(points).all():
        raise PromptError("it has a corner that is not a number.")
    if kinds is None:
        (top, left), (bottom, right) = points.min(axis=0), points.max(axis=0)
        # COCO counts from the outer edge of the first pixel, layers from its centre.
        prompt = prompt_of_box(float(left) + 0.5, float(top) + 0.5, float(right - left), float(bottom - top))
        return prompt, ObjectFacts(box=prompt.box_bounds, plane=plane)
    marks = tuple(
        Mark(kind if kind in KINDS else KINDS[0], float(row), float(col))
        for kind, (row, col) in zip(kinds, points, strict=True)
    )
    chosen = {kind: [(mark.row, mark.col) for mark in marks if mark.kind == kind] for kind in KINDS}
    prompt = Prompt.extreme(chosen["extreme"])
    for kind, add in (("boundary", "with_boundary"), ("inside", "with_inside"), ("outside", "with_outside")):
        if chosen[kind]:
            prompt = getattr(prompt, add)(chosen[kind])
    return prompt, ObjectFacts(marks=marks, plane=plane)


def _off(plane: Plane) -> tuple[int, ...]:
    """Indices along the axes that are not displayed."""
    return tuple(position for axis, position in enumerate(plane.index) if axis not in plane.axes)


def fitting_image(viewer: Any, boxes: Any) -> Any:
    """The image that boxes most likely belong to: one in the same place, the topmost first; else the topmost image."""
    from napari.layers import Image

    images = [plain(layer) for layer in reversed(viewer.layers) if isinstance(plain(layer), Image)]
    boxes = plain(boxes)
    return next(
        (image for image in images if boxes is not None and same_place(image, boxes)), images[0] if images else None
    )
