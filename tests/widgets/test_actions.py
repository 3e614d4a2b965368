"""Every key has an action, and the keys reach it."""

from __future__ import annotations

from typing import Any

from napari_dextr.napari_io.keys import SHORTCUTS
from napari_dextr.widgets.actions import actions_of


def test_every_shortcut_has_an_action(full: Any) -> None:
    assert set(actions_of(full.do)) == {item.action for item in SHORTCUTS}


def test_actions_act(full: Any) -> None:
    actions = actions_of(full.do)
    full.do.objects.add_class("cell")
    actions["class_1"]()
    assert full.do.session.current_class == 1
    actions["next_kind"]()
    assert full.do.prompts.kind == "boundary"
    actions["extreme"]()
    full.segment()
    actions["withdraw"]()
    assert len(full.do.session.marks) == 3
    actions["force"]()
    full.wait()
    actions["accept"]()
    assert list(full.do.session.objects) == [1]
