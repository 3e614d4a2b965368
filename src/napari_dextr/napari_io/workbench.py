"""The layers of one annotation widget: clicks, box, preview and target, kept together whatever the user does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..prompt import Region
from .belonging import belongs_to, holds_crowds, named_apart, noted_image, opened_together
from .box_layer import BoxLayer
from .click_layer import ClickLayer
from .label_layers import clear_preview, new_preview, new_target, show_preview
from .placement import TRANSFORMS, follow, plain, same_place
from .planes import Plane, layer_shape
from .sight import Sight, another_picture

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

_Marks = TypeVar("_Marks", ClickLayer, BoxLayer)


class Workbench:
    """Makes the layers, puts them in order, and notices when they go. Layers are told apart by identity.

    Parameters
    ----------
    viewer : ViewerModel
        Or a viewer, or napari's proxy of it.
    clicked : callable
        Called after the user changed the clicks or the box of the present image.
    made : callable, optional
        Called with each layer of marks and each preview that is made.
    replaced : callable, optional
        Called after the present image got other pixels. Where it got other axes too, its layers of marks are gone.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        clicked: Callable[[], None],
        made: Callable[[Any], None] = lambda layer: None,
        replaced: Callable[[], None] = lambda: None,
    ) -> None:
        self.viewer = viewer
        self.image: Image | None = None
        self.clicks: ClickLayer | None = None
        self.boxes: BoxLayer | None = None
        self.preview: Labels | None = None
        self._clicked = clicked
        self._made = made
        self._replaced = replaced
        self._mark_layers: list[ClickLayer | BoxLayer] = []
        self._made_targets: list[tuple[Image, Labels]] = []
        self._used_targets: list[tuple[Image, Labels]] = []  # the last one in use on each image
        self._sight = Sight(viewer)

    def holds(self, layer: Any) -> bool:
        """Whether a layer is in the viewer."""
        return any(plain(other) is plain(layer) for other in self.viewer.layers)

    # -- image and clicks -------------------------------------------------------------------------------------

    def set_image(self, image: Image | None) -> None:
        """Work on another image, and show it. Marks of the former one stay while that is in the viewer."""
        self._watch(False)
        self.drop_preview()
        self.clicks, self.boxes, self.image = None, None, plain(image)
        self.tidy()
        if self.image is not None:
            self._sight.uncover(self.image, self._foreign_labels())
            self._watch(True)
            self.make_clicks()
            self.boxes = self._known(BoxLayer)

    def tidy(self) -> None:
        """Remove layers of marks that are of no use any more: empty ones, and those of images that are gone."""
        for marks in [marks for marks in self._mark_layers if marks.image is not self.image]:
            if not len(marks.layer.data) or not self.holds(marks.image):
                self._let_go(marks)
                if self.holds(marks.layer):
                    self.viewer.layers.remove(marks.layer)

    def make_clicks(self) -> ClickLayer:
        """The click layer of the present image: an earlier one, or a new one."""
        assert self.image is not None
        self.clicks = self._known(ClickLayer)
        if self.clicks is None:
            clicks = self.clicks = ClickLayer(self.image, lambda: self._on_marks(clicks))
            self._mark_layers.append(clicks)
            self.viewer.add_layer(clicks.layer)
            self._made(clicks.layer)
        return self.clicks

    def make_boxes(self) -> BoxLayer:
        """The box layer of the present image: an earlier one, or a new one below the clicks."""
        assert self.image is not None
        self.boxes = self._known(BoxLayer)
        if self.boxes is None:
            boxes = self.boxes = BoxLayer(self.image, lambda: self._on_marks(boxes))
            self._mark_layers.append(boxes)
            self._insert_below_clicks(boxes.layer)
            boxes.fit_width(self.zoom)
            self._made(boxes.layer)
        return self.boxes

    @property
    def reshaped(self) -> bool:
        """Whether the layers of marks have other axes than the image by now: a picture has become a stack."""
        image = self.image
        return image is not None and any(
            marks.layer.ndim != image.ndim for marks in self._mark_layers if marks.image is image
        )

    def arm(self) -> None:
        """Make the click layer active in add mode."""
        if self.clicks is not None:
            self.clicks.layer.visible = True
            self.viewer.layers.selection.active = self.clicks.layer
            self.clicks.layer.mode = "add"

    def arm_box(self, drawing: bool) -> None:
        """Make the box layer active: to draw with the next drag, or to edit the box that is there."""
        boxes = self.make_boxes()
        self.viewer.layers.selection.active = boxes.layer
        boxes.arm(drawing)

    @property
    def armed(self) -> bool:
        """Whether the mouse on the canvas now makes a point or a box."""
        active = plain(self.viewer.layers.selection.active)
        if self.boxes is not None and active is self.boxes.layer:
            return str(active.mode) in ("add_rectangle", "select")
        return self.clicks is not None and active is self.clicks.layer and str(active.mode) == "add"

    def turn_to(self, image: Image, plane: Plane) -> None:
        """Show a plane of an image in the viewer."""
        if image is not self.image and self.holds(image):
            self.set_image(image)
        dims = self.viewer.dims
        missing = dims.ndim - image.ndim
        shown = [axis + missing for axis in plane.axes]
        if sorted(dims.displayed) != shown:
            dims.order = (*(axis for axis in range(dims.ndim) if axis not in shown), *shown)
        world = image.data_to_world(plane.point(0, 0))
        for axis in range(image.ndim):
            if axis not in plane.axes:
                dims.set_point(axis + missing, float(world[axis]))

    @property
    def hidden(self) -> bool:
        """Whether the present image is not shown: nobody sees what the model sees."""
        return self.image is not None and not self.image.visible

    @property
    def zoom(self) -> float:
        """Pixels of the screen for each pixel of the image, about; of the narrower side where pixels are not square."""
        return min(self.zooms)

    @property
    def zooms(self) -> tuple[float, float]:
        """Pixels of the screen for each row and each column of the plane on it, taking turned images as upright."""
        camera = getattr(self.viewer, "scene", self.viewer).camera
        if self.image is None:
            return float(camera.zoom), float(camera.zoom)
        dims = self.viewer.dims
        rows, cols = (axis - dims.ndim + self.image.ndim for axis in sorted(dims.displayed)[-2:])
        scale = np.abs(np.asarray(self.image.scale)) * float(camera.zoom)
        return float(scale[rows]), float(scale[cols])

    # -- preview ------------------------------------------------------------------------------------------------

    def show(self, plane: Plane, region: Region, mask: npt.NDArray[np.bool_], colour: str | None = None) -> None:
        """Show a mask in the preview, which is made where it is missing; in the colour of its class, if it has one."""
        assert self.image is not None
        if self.preview is None:
            self.preview = new_preview(self.image)
            self._insert_below_clicks(self.preview)
            self._made(self.preview)
        show_preview(self.preview, self.image, plane, region, mask, colour)

    def hide(self) -> None:
        """Empty the preview."""
        if self.preview is not None:
            clear_preview(self.preview)

    def drop_preview(self) -> None:
        """Remove the preview from the viewer."""
        preview, self.preview = self.preview, None
        if preview is not None and self.holds(preview):
            self.viewer.layers.remove(preview)

    # -- target -------------------------------------------------------------------------------------------------

    def use(self, target: Labels) -> None:
        """Note that objects of the present image go into a target from now on."""
        if self.image is not None:
            self._used_targets = [used for used in self._used_targets if used[0] is not self.image]
            self._used_targets.append((self.image, target))

    def known_target(self, present: Labels | None = None) -> Labels | None:
        """The target of the present image, perhaps one of its channels; None where there is none yet.

        The present one where it fits, unless others were opened from a file together with the image; else that which
        was in use on the image last, the first of those that were opened with it, the last that was made here.

        Parameters
        ----------
        present : Labels, optional
            Where objects go now, perhaps those of another image.
        """
        from napari.layers import Labels

        assert self.image is not None
        image, layers = self.image, [plain(layer) for layer in self.viewer.layers]
        fitting = [layer for layer in layers if isinstance(layer, Labels) and self.fits(layer)]
        used = [target for other, target in self._used_targets if other is image]
        opened = [layer for layer in fitting if opened_together(layer, image) and not holds_crowds(layer)]
        kept = [] if opened else [present]
        made = [target for _, target in reversed(self._made_targets)]
        known = (*kept, *used, *opened, *made)
        return next((target for target in known if any(target is layer for layer in fitting)), None)

    def fits(self, target: Labels) -> bool:
        """Whether a Labels layer has a pixel for each pixel of the present image, which may be one of several channels.

        One that was made for another picture of that size does not fit.
        """
        image = self.image
        return (
            image is not None
            and not self._foreign(target)
            and same_place(target, image)
            and layer_shape(target) == layer_shape(image)
        )

    def _foreign_labels(self) -> list[Any]:
        """Labels of other pictures in the viewer."""
        from napari.layers import Labels

        layers = [plain(layer) for layer in self.viewer.layers]
        return [layer for layer in layers if isinstance(layer, Labels) and self._foreign(layer)]

    def _foreign(self, target: Labels) -> bool:
        """Whether a target belongs to an image that shows something else than the present one."""
        made_for, image = noted_image(target), self.image
        if image is None:
            return False
        return named_apart(target, image) if made_for is None else another_picture(made_for, image)

    def make_target(self) -> Labels:
        """A new target for the present image."""
        assert self.image is not None
        target = new_target(self.image)
        self.insert_target(target)
        return target

    def insert_target(self, target: Labels) -> None:
        """Add a target for the present image to the viewer, under preview and clicks."""
        assert self.image is not None
        belongs_to(target, self.image)
        self._made_targets.append((self.image, target))
        self._insert_below_clicks(target, below_preview=True)

    # -- what the user does to layers -----------------------------------------------------------------------------

    def forget(self, layer: Layer) -> bool:
        """Let go of a layer that was removed from the viewer; True if it was the present image or one of its marks.

        Changes no layers: napari is still busy removing.
        """
        layer = plain(layer)
        mine = [marks.layer for marks in (self.clicks, self.boxes) if marks is not None]
        present = any(layer is other for other in (self.image, *mine))
        if layer is self.preview:
            self.preview = None
        if layer is self.image:
            self._watch(False)
            self.image = self.clicks = self.boxes = None  # `tidy` does the rest
        self._made_targets = [made for made in self._made_targets if made[1] is not layer]
        self._used_targets = [used for used in self._used_targets if layer is not used[0] and layer is not used[1]]
        for marks in [marks for marks in self._mark_layers if marks.layer is layer]:
            self._let_go(marks)
            if marks is self.clicks:
                self.clicks = None
            if marks is self.boxes:
                self.boxes = None
        return present

    def close(self) -> None:
        """Stop listening; leave the user's clicks and labels, take away the preview and an empty click layer."""
        self.set_image(None)
        self._sight.give_back()
        for marks in list(self._mark_layers):
            self._let_go(marks)

    def _known(self, kind: type[_Marks]) -> _Marks | None:
        """The present image's layer of marks of one kind."""
        found = (marks for marks in self._mark_layers if marks.image is self.image and isinstance(marks, kind))
        return next(found, None)

    def _let_go(self, marks: ClickLayer | BoxLayer) -> None:
        marks.release()
        self._mark_layers.remove(marks)

    def _on_marks(self, marks: ClickLayer | BoxLayer) -> None:
        if marks is self.clicks or marks is self.boxes:
            self._clicked()

    def _insert_below_clicks(self, layer: Layer, *, below_preview: bool = False) -> None:
        """Add a layer under the points without changing what is active."""
        active = plain(self.viewer.layers.selection.active)
        mode = getattr(active, "mode", None)
        anchors = [self.preview] if below_preview and self.preview is not None else []
        if self.clicks is not None:
            anchors.append(self.clicks.layer)
        layers = [plain(other) for other in self.viewer.layers]
        anchors += self._pictures_above(layers)[:1]  # what lies above another picture would be taken for its own
        place = min((layers.index(anchor) for anchor in anchors if anchor in layers), default=len(layers))
        self.viewer.layers.insert(place, layer)
        self.viewer.layers.selection.active = active
        if active is not None and mode is not None:
            active.mode = mode

    def _pictures_above(self, layers: list[Any]) -> list[Any]:
        """Images above the present one that show something else."""
        from napari.layers import Image

        image = self.image
        if image is None or image not in layers:
            return []
        above = layers[layers.index(image) + 1 :]
        return [layer for layer in above if isinstance(layer, Image) and another_picture(layer, image)]

    def _watch(self, on: bool) -> None:
        if self.image is None:
            return
        for name in TRANSFORMS:
            event = getattr(self.image.events, name)
            if on:
                event.connect(self._on_transform)
            else:
                event.disconnect(self._on_transform)
        if on:
            self.image.events.data.connect(self._on_pixels)
            self.image.events.visible.connect(self._on_visible)
        else:
            self.image.events.data.disconnect(self._on_pixels)
            self.image.events.visible.disconnect(self._on_visible)

    def _on_pixels(self, event: Any = None) -> None:
        """The preview shows what was seen in the pixels before."""
        self.hide()
        if self.reshaped:
            self.drop_preview()
            self.clicks = self.boxes = None
            for marks in [marks for marks in self._mark_layers if marks.image is self.image]:
                self._let_go(marks)
                if self.holds(marks.layer):
                    self.viewer.layers.remove(marks.layer)
        self._replaced()

    def _on_visible(self, event: Any = None) -> None:
        self._clicked()

    def _on_transform(self, event: Any = None) -> None:
        """Keep our layers on the image when its pixel size or position is corrected."""
        assert self.image is not None
        mine = [marks.layer for marks in self._mark_layers if marks.image is self.image]
        for layer in (*mine, *(target for image, target in self._made_targets if image is self.image)):
            if layer.ndim == self.image.ndim:
                follow(layer, self.image)
        self.drop_preview()
        self._clicked()
