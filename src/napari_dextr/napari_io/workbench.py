"""The layers of one annotation widget: clicks, preview and target, kept together whatever the user does to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..prompt import Region
from .click_layer import ClickLayer
from .label_layers import clear_preview, new_preview, new_target, show_preview
from .placement import TRANSFORMS, follow, plain, same_place
from .planes import Plane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer


class Workbench:
    """Makes the layers, puts them in order, and notices when they go. Layers are told apart by identity.

    Parameters
    ----------
    viewer : ViewerModel
        Or a viewer, or napari's proxy of it.
    clicked : callable
        Called after the user changed the clicks of the present image.
    """

    def __init__(self, viewer: ViewerModel, clicked: Callable[[], None]) -> None:
        self.viewer = viewer
        self.image: Image | None = None
        self.clicks: ClickLayer | None = None
        self.preview: Labels | None = None
        self._clicked = clicked
        self._click_layers: list[ClickLayer] = []
        self._made_targets: list[tuple[Image, Labels]] = []

    def holds(self, layer: Any) -> bool:
        """Whether a layer is in the viewer."""
        return any(plain(other) is plain(layer) for other in self.viewer.layers)

    # -- image and clicks -------------------------------------------------------------------------------------

    def set_image(self, image: Image | None) -> None:
        """Work on another image. Clicks of the former one stay in their layer; empty layers are removed."""
        self._watch(False)
        self.drop_preview()
        self.clicks, self.image = None, plain(image)
        for clicks in [clicks for clicks in self._click_layers if clicks.image is not self.image]:
            if not len(clicks.layer.data):
                self._let_go(clicks)
                if self.holds(clicks.layer):
                    self.viewer.layers.remove(clicks.layer)
        if self.image is not None:
            self._watch(True)
            self.make_clicks()

    def make_clicks(self) -> ClickLayer:
        """The click layer of the present image: an earlier one, or a new one."""
        assert self.image is not None
        for clicks in self._click_layers:
            if clicks.image is self.image:
                self.clicks = clicks
                return clicks
        clicks = ClickLayer(self.image, lambda: self._on_clicks(clicks))
        self._click_layers.append(clicks)
        self.clicks = clicks
        self.viewer.add_layer(clicks.layer)
        return clicks

    def arm(self) -> None:
        """Make the click layer active in add mode."""
        if self.clicks is not None:
            self.clicks.layer.visible = True
            self.viewer.layers.selection.active = self.clicks.layer
            self.clicks.layer.mode = "add"

    @property
    def armed(self) -> bool:
        """Whether a click on the canvas now makes a point."""
        if self.clicks is None:
            return False
        active = plain(self.viewer.layers.selection.active)
        return active is self.clicks.layer and str(self.clicks.layer.mode) == "add"

    # -- preview ------------------------------------------------------------------------------------------------

    def show(self, plane: Plane, region: Region, mask: npt.NDArray[np.bool_]) -> None:
        """Show a mask in the preview, which is made where it is missing."""
        assert self.image is not None
        if self.preview is None:
            self.preview = new_preview(self.image)
            self._insert_below_clicks(self.preview)
        show_preview(self.preview, self.image, plane, region, mask)

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

    def made_target(self) -> Labels | None:
        """A target made here before that lies over the present image."""
        assert self.image is not None
        for _, target in reversed(self._made_targets):
            if self.holds(target) and same_place(target, self.image):
                return target
        return None

    def make_target(self) -> Labels:
        """A new target for the present image."""
        assert self.image is not None
        target = new_target(self.image)
        self._made_targets.append((self.image, target))
        self._insert_below_clicks(target, below_preview=True)
        return target

    # -- what the user does to layers -----------------------------------------------------------------------------

    def forget(self, layer: Layer) -> bool:
        """Let go of a layer that was removed from the viewer; True if it was the present image or click layer.

        Changes no layers: napari is still busy removing.
        """
        layer = plain(layer)
        present = layer is self.image or (self.clicks is not None and layer is self.clicks.layer)
        if layer is self.preview:
            self.preview = None
        if layer is self.image:
            self._watch(False)
            self.image = self.clicks = None  # `set_image` tidies up
        self._made_targets = [made for made in self._made_targets if made[1] is not layer]
        for clicks in [clicks for clicks in self._click_layers if clicks.layer is layer]:
            self._let_go(clicks)
            if clicks is self.clicks:
                self.clicks = None
        return present

    def close(self) -> None:
        """Stop listening; leave the user's clicks and labels, take away the preview and an empty click layer."""
        self.set_image(None)
        for clicks in list(self._click_layers):
            self._let_go(clicks)

    def _let_go(self, clicks: ClickLayer) -> None:
        clicks.release()
        self._click_layers.remove(clicks)

    def _on_clicks(self, clicks: ClickLayer) -> None:
        if clicks is self.clicks:
            self._clicked()

    def _insert_below_clicks(self, layer: Labels, *, below_preview: bool = False) -> None:
        """Add a layer under the points without changing what is active."""
        active = self.viewer.layers.selection.active
        mode = None if self.clicks is None else self.clicks.layer.mode
        anchors = [self.preview] if below_preview and self.preview is not None else []
        if self.clicks is not None:
            anchors.append(self.clicks.layer)
        layers = [plain(other) for other in self.viewer.layers]
        place = min((layers.index(anchor) for anchor in anchors if anchor in layers), default=len(layers))
        self.viewer.layers.insert(place, layer)
        self.viewer.layers.selection.active = active
        if self.clicks is not None and mode is not None:
            self.clicks.layer.mode = mode

    def _watch(self, on: bool) -> None:
        if self.image is None:
            return
        for name in TRANSFORMS:
            event = getattr(self.image.events, name)
            if on:
                event.connect(self._on_transform)
            else:
                event.disconnect(self._on_transform)

    def _on_transform(self, event: Any = None) -> None:
        """Keep our layers on the image when its pixel size or position is corrected."""
        assert self.image is not None
        mine = [clicks.layer for clicks in self._click_layers if clicks.image is self.image]
        for layer in (*mine, *(target for image, target in self._made_targets if image is self.image)):
            follow(layer, self.image)
        self.drop_preview()
        self._clicked()
