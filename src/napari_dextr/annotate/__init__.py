"""Boxes and extreme points of a COCO file to masks: whole data sets, on this machine or on a cluster."""

from __future__ import annotations

from .dataset import AnnotateReport, AnnotateSettings, annotate_coco
from .prompts import PROMPTS, prompt_of, prompt_of_box
from .review import REVIEW_COLUMNS, ReviewRow, sort_for_review, write_review

__all__ = [
    "PROMPTS",
    "REVIEW_COLUMNS",
    "AnnotateReport",
    "AnnotateSettings",
    "ReviewRow",
    "annotate_coco",
    "prompt_of",
    "prompt_of_box",
    "sort_for_review",
    "write_review",
]
