"""The list of masks to look at: what failed first, then by falling doubt."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import OutputError
from ..files import atomic_write, check_target


@dataclass(frozen=True)
class ReviewRow:
    """One object of a review list.

    Attributes
    ----------
    annotation_id, image_id : int
    file_name : str
        Of the image.
    category : str
    score : float or None
        IoU that the model expects of its mask; None where it predicts none, or there is no mask.
    area : int
        Pixels of the mask.
    problem : str
        Why there is no mask, or "".
    """

    annotation_id: int
    image_id: int
    file_name: str
    category: str
    score: float | None
    area: int
    problem: str = ""


REVIEW_COLUMNS = tuple(item.name for item in fields(ReviewRow))


def sort_for_review(rows: Iterable[ReviewRow]) -> list[ReviewRow]:
    """Rows in the order in which to look at them: no mask, then the lowest scores, then what has no score."""
    return sorted(
        rows,
        key=lambda row: (
            not row.problem,
            row.score is None,
            row.score if row.score is not None else 0.0,
            row.annotation_id,
        ),
    )


def review_beside(out: Path) -> Path:
    """Where the review list of a file of masks goes unless told."""
    return out.with_suffix(".review.csv")


def check_review_path(path: str | os.PathLike[str]) -> Path:
    """The path, if a review list may be written there; raises `OutputError`."""
    file = Path(path)
    if file.suffix.lower() not in (".csv", ".json"):
        raise OutputError(f"'{file}' cannot be written: the name of a review list ends in .csv or .json.")
    return check_target(file)


def write_review(path: str | os.PathLike[str], rows: Iterable[ReviewRow]) -> None:
    """Write a review list, sorted, as CSV or JSON by the name's suffix.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    file = check_review_path(path)
    ordered = sort_for_review(rows)
    with atomic_write(file) as temporary:
        if file.suffix.lower() == ".json":
            temporary.write_text(json.dumps([asdict(row) for row in ordered], indent=1) + "\n", encoding="utf-8")
            return
        # a name that another program cut in half may hold half a character
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(REVIEW_COLUMNS)
            writer.writerows([getattr(row, name) for name in REVIEW_COLUMNS] for row in ordered)
