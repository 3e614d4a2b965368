"""Names of files as they are written down, whichever system they come from."""

from __future__ import annotations


def forward_slashes(name: str) -> str:
    r"""A file name with forward slashes, as every system and every annotation file understands it.

    Examples
    --------
    >>> forward_slashes("day1\\cells.tif")
    'day1/cells.tif'
    """
    return name.replace("\\", "/")
