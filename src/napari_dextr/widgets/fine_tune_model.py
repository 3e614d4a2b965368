"""The model that a fine-tuning made: kept, used, renamed, written to a file, taken back. Nothing is ever replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..models import own
from .docks import open_annotate, tell_models_changed


class NewModel:
    """A new model, and the one that it may follow in the Annotate widget.

    Parameters
    ----------
    viewer : napari.Viewer
    annotate : callable, optional
        Gives the Annotate widget of a viewer, which it opens where it is not; tests pass their own.

    Attributes
    ----------
    name : str or None
        In the library; None while it is not kept.
    old : str or None
        What the Annotate widget used before the new model; None while the new model is not in use.
    """

    def __init__(self, viewer: Any, annotate: Callable[[Any], Any] = open_annotate) -> None:
        self._viewer = viewer
        self._annotate = annotate
        self.name: str | None = None
        self.old: str | None = None

    def take(self, name: str | None) -> None:
        """Another model was made; it is kept under this name, or not kept."""
        self.name, self.old = name, None
        if name is not None:
            tell_models_changed(self._viewer)

    def use(self) -> None:
        """Annotate with it from now on."""
        assert self.name is not None
        models = self._annotate(self._viewer).models
        if models.source != self.name:
            self.old = models.source
            models.choose(self.name)

    def revert(self) -> None:
        """Annotate with what was in use before."""
        if self.old is not None:
            self._annotate(self._viewer).models.choose(self.old)
            self.old = None

    def rename(self, new: str) -> None:
        """Give it another name.

        Raises
        ------
        ModelError, OutputError
            If it cannot have that name.
        """
        assert self.name is not None
        self.name = own.rename_model(self.name, new).name
        tell_models_changed(self._viewer)

    def export(self, path: str | Path) -> Path:
        """Write it to a file. One that is there is replaced only under the very name that the user agreed to.

        Raises
        ------
        OutputError
            If that is impossible.
        """
        assert self.name is not None
        agreed = Path(path).suffix.lower() == own.SUFFIX  # else it gets an ending that the dialog did not ask about
        return own.export_model(self.name, path, overwrite=agreed)

    def remove(self) -> None:
        """Throw it away; the Annotate widget goes back to what it used before, unless it uses another by now.

        Raises
        ------
        OutputError
            If its file cannot be removed.
        """
        if self.old is not None and self._annotate(self._viewer).models.source == self.name:
            self.revert()
        self.old = None
        if self.name is not None:
            own.remove_model(self.name)
            self.name = None
            tell_models_changed(self._viewer)
