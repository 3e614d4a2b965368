"""What a run of Boxes to masks is at."""

from __future__ import annotations

from dataclasses import dataclass

from ..napari_io.box_batch import BoxBatch
from ..words import megabytes


@dataclass
class BoxesProgress:
    """How far a run has come.

    Attributes
    ----------
    objects : int
        To be found, in all.
    arrived : (int, int)
        Bytes of the model that is downloaded, and in all, 0 where the server does not tell; ``(0, 0)`` for none.
    """

    objects: int = 0
    arrived: tuple[int, int] = (0, 0)

    def told(self, batch: BoxBatch | None) -> tuple[str, int, int]:
        """A sentence, how much of that is done, and of how much; 0 of 0 where nobody knows.

        Parameters
        ----------
        batch : BoxBatch or None
            None as long as no object is found.
        """
        if batch is not None:
            return f"Object {len(batch.rows):,} of {self.objects:,}", len(batch.rows), self.objects
        done, total = self.arrived
        if done == total:
            return "Preparing …", 0, 0
        # Qt counts with 32 bits, which is 2 GB
        return f"Downloading the model: {megabytes(done, total)}…", (done if total else 0) // 1000, total // 1000
