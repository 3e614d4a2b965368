"""Errors that a user can act on.

Every message is one sentence (two at most) that says what is wrong and what to do. The command line prints
it and exits with code 2; the viewer shows it as a notification. Nothing else should reach a user.
"""

from __future__ import annotations


class DextrError(Exception):
    """Base of every error that this project raises on purpose."""


def first_line(error: BaseException) -> str:
    """First line of somebody else's message, or the name of the error where it says nothing."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


class PromptError(DextrError, ValueError):
    """The marks cannot be used: too few, coincident, outside the image, not finite."""


class UnsupportedMarkError(PromptError):
    """The model was not trained for a kind of mark that the prompt holds.

    Parameters
    ----------
    mark : str
        Kind of mark, one of `napari_dextr.prompt.MARKS`.
    model : str
        Name of the model that was asked.
    models : sequence of str
        Names of registered models that take the mark.
    """

    def __init__(self, mark: str, model: str, models: tuple[str, ...] = ()) -> None:
        self.mark = mark
        self.model = model
        self.models = tuple(models)
        known = ", ".join(f"'{name}'" for name in self.models) or "none of the registered models"
        super().__init__(f"The model '{model}' does not take {mark.replace('_', ' ')} marks; models that do: {known}.")

    def __reduce__(self) -> tuple[type[UnsupportedMarkError], tuple[str, str, tuple[str, ...]]]:
        # Exceptions travel between processes by their arguments; these differ from the message.
        return type(self), (self.mark, self.model, self.models)


class ImageError(DextrError, ValueError):
    """The image cannot be used: empty, wrong number of axes, unreadable file."""


class ModelError(DextrError):
    """A model is unknown, or its weights are missing, broken or of an unknown layout."""


class DataError(DextrError, ValueError):
    """A data set or an annotation file cannot be used."""


class OutputError(DextrError, OSError):
    """A result could not be written; whatever stood there before is untouched."""
