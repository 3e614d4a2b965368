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


def megabytes(arrived: int, total: int) -> str:
    """How much of a download has arrived.

    Parameters
    ----------
    arrived, total : int
        Bytes; a total of 0 is one that the server does not tell.

    Examples
    --------
    >>> megabytes(40_000_000, 200_000_000), megabytes(40_000_000, 0)
    ('40 of 200 MB', '40 MB')
    """
    return f"{arrived / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{arrived / 1e6:.0f} MB"
