"""What our dock widgets have in common, and how one finds another: the Annotate widget, and the way back from it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QDockWidget, QScrollArea, QWidget


class ScrollDock(QScrollArea):
    """A dock widget that scrolls up and down, and lets go of the viewer once when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._released = False
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """Wide enough for what is in it: there is no scrolling sideways."""
        content, hint = self.widget(), super().minimumSizeHint()
        if content is None:
            return hint
        width = content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return hint.expandedTo(QSize(width, 0))

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Notice that what is in it needs another width."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    def release(self) -> None:
        """Let go of the viewer and of what runs. Called when the dock is closed."""
        if not self._released:
            self._released = True
            self._let_go()

    def _let_go(self) -> None:
        raise NotImplementedError

    def event(self, event: Any) -> bool:
        """Notice that napari has taken the widget out of its window."""
        handled = bool(super().event(event))
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.release()
        return handled

    def closeEvent(self, event: Any) -> None:
        self.release()
        super().closeEvent(event)


def open_annotate(viewer: Any) -> Any:
    """The Annotate widget, brought to the front; opened where it is not."""
    dock, annotate = viewer.window.add_plugin_dock_widget("napari-dextr", "Annotate", tabify=True)
    dock.show()
    dock.raise_()
    return annotate


def correct_in_annotate(viewer: Any, image: Any, target: Any, label: int) -> None:
    """Open an object in the Annotate widget."""
    open_annotate(viewer).open_object(image, target, label)


def tell_annotate(viewer: Any, target: Any) -> None:
    """Let an open Annotate widget hear that there are other objects in a layer (None: there is no layer)."""
    for widget in _docked(viewer):
        reload = getattr(getattr(widget, "controller", None), "reload_objects", None)
        if reload is not None and target is not None:
            reload(target)


def note_in_annotate(viewer: Any, target: Any, pixels: list[Any], objects: dict[int, Any]) -> None:
    """Let an open Annotate widget that keeps a layer hear what was just written there.

    Parameters
    ----------
    viewer : napari.Viewer
    target : Labels
    pixels, objects
        As `napari_dextr.session.Session.note_written` takes them.
    """
    for session in _keeping(viewer, target):
        session.note_written(target, pixels, objects)


def used_in_annotate(viewer: Any, target: Any) -> bool:
    """Whether an open Annotate widget writes, or has written, into a layer: its undo needs it."""
    return bool(_keeping(viewer, target))


def _keeping(viewer: Any, target: Any) -> list[Any]:
    """Sessions of Annotate widgets that keep a layer."""
    sessions = [getattr(getattr(widget, "controller", None), "session", None) for widget in _docked(viewer)]
    return [session for session in sessions if session is not None and target in session.targets]


def tell_models_changed(viewer: Any) -> None:
    """Let every dock widget with a list of models hear that one was kept, renamed or removed."""
    for widget in _docked(viewer):
        reload = getattr(widget, "reload_models", None)
        if reload is not None:
            reload()


def _docked(viewer: Any) -> list[Any]:
    return list(dict(getattr(getattr(viewer, "window", None), "dock_widgets", {})).values())


def come_forward(widget: QWidget) -> None:
    """Bring the dock of a widget to the front, where it has one."""
    dock = widget.parentWidget()
    if isinstance(dock, QDockWidget):
        dock.show()
        dock.raise_()
