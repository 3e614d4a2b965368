"""What the thread of a training does."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_dextr.errors import DextrError, ModelError
from napari_dextr.widgets import fine_tune_work as work
from napari_dextr.widgets.background import Cancelled
from napari_dextr.widgets.fine_tune_form import Choices
from napari_dextr.widgets.fine_tune_sources import COCO, AnnotationFile

from .fake_training import CUTTING, NO_HELP, Stage, runs

FILES = (AnnotationFile(COCO, Path("a.json")),)
CHOICES = Choices("embedded", "cpu", "quick", {"steps": 7}, 0.3, False, "cells")


def order(fresh: bool = True, **others: Any) -> work.Order:
    return work.Order(lambda: work.make_plan([], FILES, CHOICES), fresh, **others)


def test_a_plan_holds_what_was_chosen(library: Path) -> None:
    plan = work.make_plan([], FILES, CHOICES)
    assert (plan.name, plan.hold_out, dict(plan.settings)) == ("cells", 0.3, {"steps": 7, "turning": ()})
    assert plan.out.parent == library.parent / "runs"
    again = work.make_plan([], FILES, Choices("embedded", "cpu", "quick"))
    assert again.out != plan.out
    assert again.name
    assert "turning" not in again.settings


def test_a_bad_name_makes_no_folder(library: Path) -> None:
    with pytest.raises(ModelError):
        work.make_plan([], FILES, Choices("embedded", "cpu", "quick", name="a/b"))
    assert runs(library) == []


def test_files_and_layers_are_joined(tmp_path: Path) -> None:
    one = work.joined([], FILES)
    assert one.name == "'a.json'"
    two = work.joined([one], (AnnotationFile(COCO, Path("b.json"), tmp_path),))
    assert "a.json" in two.name
    assert "b.json" in two.name
    with pytest.raises(DextrError):
        work.joined([], ())


def test_news_reach_the_listener_in_order(stage: Stage, library: Path) -> None:
    news: list[Any] = []
    ended = work.train(order(), stage.make, news.append)
    assert (isinstance(news[0], str), news[-1]) == (True, "The verdict is in.")
    assert [item.step for item in news[1:-1]] == [1, 2, 3, 4, 5]
    assert ended is not None
    assert ended.kept == "cells"


def test_without_help_nothing_is_kept(stage: Stage, library: Path) -> None:
    stage.verdict = NO_HELP
    ended = work.train(order(), stage.make, lambda _: None)
    assert ended is not None
    assert ended.kept is None
    assert "unless you keep it" in ended.verdict()[2]


def test_what_is_stopped_before_anything_was_learned_leaves_nothing(stage: Stage, library: Path) -> None:
    stage.hold_at = CUTTING
    stage.gate.set()
    assert work.train(order(stopping=True), stage.make, lambda _: None) is None
    assert runs(library) == []


@pytest.mark.parametrize("discard", [False, True])
def test_a_cancelled_training_is_removed_only_where_that_was_asked(stage: Stage, library: Path, discard: bool) -> None:
    def tell(item: Any) -> None:
        if getattr(item, "step", 0) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        work.train(order(discard=discard), stage.make, tell)
    assert stage.closed.is_set()
    assert len(runs(library)) == (0 if discard else 1)


def test_what_was_asked_before_the_training_was_there_is_not_forgotten(stage: Stage, library: Path) -> None:
    ended = work.train(order(stopping=True), stage.make, lambda _: None)
    assert ended.outcome.ended == "stopped"


def test_a_resumed_training_is_not_removed_by_an_error(stage: Stage, library: Path) -> None:
    stage.error, stage.error_at = ValueError("broken"), 1
    with pytest.raises(ValueError, match="broken"):
        work.train(order(fresh=False), stage.make, lambda _: None)
    assert len(runs(library)) == 1


def test_trainings_of_two_viewers_give_all_threads_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        first, second = work.manners(), work.manners()
        with first:
            second.__enter__()
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2  # the other one is still at it
        second.__exit__(None, None, None)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_training_asks_whether_anybody_waits(library: Path) -> None:
    def tell(item: Any) -> None:
        if item is None:
            raise Cancelled

    plan = work.make_plan([], FILES, CHOICES)
    with pytest.raises(Cancelled):
        work.make_tuning(plan, tell)._check()


def test_the_thread_leaves_room_for_the_viewer() -> None:
    seen: dict[str, int] = {}

    def run() -> None:
        with work.manners():
            seen["threads"] = torch.get_num_threads()
            if sys.platform == "linux":
                seen["nice"] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        torch.set_num_threads(before)
    assert seen["threads"] == 1
    if sys.platform == "linux":
        assert seen["nice"] > os.getpriority(os.PRIO_PROCESS, 0)
