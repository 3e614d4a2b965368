"""Layers and planes as a saved session names them, and the way back: from the names to the layers of a viewer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import TYPE_CHECKING, Any

from ..errors import DataError, OutputError
from ..session.recovery import Recovered, RecoveredTarget
from .label_pixels import LayerPixels
from .object_table import record, store
from .placement import plain, same_place
from .planes import Plane, layer_shape
from .sight import another_picture

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from .workbench import Workbench


def describe(key: Hashable) -> dict[str, Any]:
    """A place of the session, ``(image, Plane)``, or a target, a Labels layer, as JSON."""
    if isinstance(key, tuple):
        image, plane = key
        return {**_layer(image), "axes": list(plane.axes), "index": list(plane.index)}
    return _layer(key)


def place_named(name: Any, image: Image) -> tuple[Image, Plane]:
    """The plane that `describe` named, on an image.

    Raises
    ------
    DataError
        If the name makes no sense, or is none of this image's planes.
    """
    try:
        axes, index = tuple(int(axis) for axis in name["axes"]), tuple(int(value) for value in name["index"])
    except (KeyError, TypeError, ValueError):
        raise DataError("The saved session names a plane in a way that cannot be read.") from None
    extents = layer_shape(image)
    fits = len(index) == image.ndim and all(0 <= value < extent for value, extent in zip(index, extents, strict=False))
    if len(axes) != 2 or not fits or not all(0 <= axis < image.ndim for axis in axes):
        raise DataError(f"The saved session does not fit '{image.name}'; open the image that it was made on.")
    return image, Plane((axes[0], axes[1]), index)


def names_of(target: RecoveredTarget) -> list[Any]:
    """Names of the places to which a label image of a saved session belongs; empty where nothing is left in it."""
    names = [*target.places, *(item.place for item in target.objects(lambda name: name))]
    if not names and target.classes and isinstance(target.name, dict):
        names = [{"shape": target.name.get("shape", ())}]  # only its classes: any image of its size will do
    return names


def image_names(recovered: Recovered) -> set[str]:
    """Names of all images that a session was made on."""
    names = [name for target in recovered.targets for name in names_of(target)] + [d.place for d in recovered.drafts]
    return {name["layer"] for name in names if isinstance(name, dict) and "layer" in name}


def image_of(names: Iterable[Any], viewer: Any, others: Collection[str] = ()) -> Image:
    """The image of the viewer that places are on: of the same shape, and of the same name if there is one.

    Parameters
    ----------
    names : iterable
        Of the places, as `describe` made them.
    viewer : ViewerModel
    others : collection of str
        Names of images that are taken only for places of their own: the same session was made on them too.

    Raises
    ------
    DataError
        If it is not open, or of several pictures of its shape none has its name.
    """
    wanted = [(name.get("layer"), tuple(name.get("shape", ()))) for name in names if isinstance(name, dict)]
    for name, shape in wanted:
        fitting = [image for image in _images(viewer) if layer_shape(image) == shape]
        same = [image for image in fitting if image.name == name]
        found = same or [image for image in fitting if image.name not in others]
        if not same and any(another_picture(found[0], image) for image in found[1:]):
            raise DataError(f"Several open images could be '{name}'; open that, or give the right one its name.")
        if found:
            return found[0]
    name = wanted[0][0] if wanted else "that it was made on"
    raise DataError(f"Open the image '{name}' first, then recover the session.")


def place_finder(image: Image, viewer: Any) -> Callable[[Any], tuple[Image, Plane]]:
    """`place_named` for places that share a Labels layer: on the image of that name and shape, else on ``image``."""

    def find(name: Any) -> tuple[Image, Plane]:
        named = name if isinstance(name, dict) else {}
        shape = tuple(named.get("shape", ()))
        same = (other for other in _images(viewer) if other.name == named.get("layer") and layer_shape(other) == shape)
        return place_named(name, next(same, image))

    return find


def restore(target: RecoveredTarget, image: Image, bench: Workbench, taken: Collection[Any] = ()) -> Labels:
    """Write the objects of a saved session into a layer: the one of that name, else a new one.

    Parameters
    ----------
    target : RecoveredTarget
    image : Image
        The one that is annotated now, on which it was made.
    bench : Workbench
    taken : collection of Labels
        Layers that hold other objects by now: labels of the saved session would clash with theirs.

    Raises
    ------
    DataError, OutputError, ImageError
        If they do not fit, or cannot be written.
    """
    from napari.layers import Labels

    name = target.name.get("layer") if isinstance(target.name, dict) else None
    layers = [plain(layer) for layer in bench.viewer.layers]
    free = [layer for layer in layers if isinstance(layer, Labels) and not any(layer is other for other in taken)]
    found = [layer for layer in free if layer.name == name and same_place(layer, image)]
    layer = found[0] if found else bench.make_target()
    if not found and name:
        layer.name = name
    pixels = LayerPixels(layer, bench.viewer.dims, highest=lambda: 0)
    largest = max((item.label for item in target.objects(lambda place: None)), default=0)
    if largest > pixels.largest:
        raise OutputError(f"'{layer.name}' cannot hold label {largest}; convert its data type, then recover again.")
    target.write(pixels, place_finder(image, bench.viewer))
    facts = {**record(layer)[0], **{item.label: item.facts for item in target.objects(lambda place: None)}}
    store(layer, facts, target.classes or record(layer)[1])
    return layer


def _images(viewer: Any) -> list[Image]:
    from napari.layers import Image

    return [plain(layer) for layer in viewer.layers if isinstance(plain(layer), Image)]


def _layer(layer: Any) -> dict[str, Any]:
    path = getattr(getattr(layer, "source", None), "path", None)
    return {
        "layer": str(layer.name),
        "shape": list(layer_shape(layer)),
        **({} if path is None else {"path": str(path)}),
    }
