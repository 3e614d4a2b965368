"""Words that many messages share."""

from __future__ import annotations


def number_of(count: int, noun: str) -> str:
    """A count with its noun, in the plural where it has to be.

    Parameters
    ----------
    count : int
    noun : str
        In the singular; its plural ends in s.

    Examples
    --------
    >>> number_of(1, "object"), number_of(1200, "image")
    ('1 object', '1,200 images')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
