"""All areas of hostile input."""

from __future__ import annotations

from . import checkpoints, coco_files, image_files, images, journals, prompts
from .harness import Area

AREAS: dict[str, Area] = {
    area.name: area
    for area in (
        journals.SESSIONS,
        journals.RUNS,
        coco_files.STRUCTURED,
        coco_files.BYTES,
        image_files.READING,
        image_files.EXPORTING,
        checkpoints.AREA,
        images.AREA,
        prompts.AREA,
    )
}
"""By name, in the order of the report."""
