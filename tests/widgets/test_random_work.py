"""Whatever a person does in whatever order: nothing fails unexpectedly, and undo goes all the way back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

PLANES, HEIGHT, WIDTH = 3, 40, 50
STEPS = 60


class Person:
    """Does one random thing after the other."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig, self.do, self.viewer = rig, rig.do, rig.viewer
        self.chance = random.Random(seed)
        self.image = rig.open(np.zeros((PLANES, HEIGHT, WIDTH), np.uint8), scale=(2, 0.5, 0.5))
        self.did: list[str] = []

    def work(self, deeds: list[str]) -> None:
        for _ in range(STEPS):
            deed = self.chance.choice(deeds)
            self.did.append(deed)
            getattr(self, deed)()
            if self.chance.random() < 0.8:  # else the next thing happens while the model is at work
                self.rig.wait()
            self.check()
        self.rig.wait()

    def check(self) -> None:
        unexpected = [text for text, _ in self.rig.notices if "unexpectedly" in text]
        assert not unexpected, (unexpected, self.did)
        assert self.do.session.busy or not self.do.prompts.hold, self.did
        clicks, plane = self.do.bench.clicks, self.do.prompts.plane
        if clicks is not None and plane is not None and not self.do.prompts.hold:
            assert clicks.marks(plane) == pytest.approx(self.do.session.marks) or len(clicks.marks(plane)) == len(
                self.do.session.marks
            ), self.did
        boxes = self.do.bench.boxes
        if boxes is not None and plane is not None and not self.do.prompts.hold:
            assert boxes.box(plane) == pytest.approx(self.do.session.box), self.did

    def place(self) -> list[float]:
        index = 0 if self.do.prompts.plane is None else self.do.prompts.plane.index[0]
        return [index, self.chance.uniform(0, HEIGHT - 1), self.chance.uniform(0, WIDTH - 1)]

    # -- marks --------------------------------------------------------------------------------------------------

    def click(self) -> None:
        if self.do.bench.clicks is None:
            self.do.arm()
        if self.do.bench.clicks is not None:
            self.rig.layer.add(self.place())

    def object(self) -> None:
        for _ in range(4):
            self.click()

    def drag(self) -> None:
        clicks = self.do.bench.clicks
        if clicks is not None and len(clicks.layer.data):
            moved = np.array(clicks.layer.data)
            moved[self.chance.randrange(len(moved)), 1:] = self.place()[1:]
            clicks.layer.data = moved

    def remove(self) -> None:
        clicks = self.do.bench.clicks
        if clicks is not None and len(clicks.layer.data):
            clicks.layer.selected_data = {self.chance.randrange(len(clicks.layer.data))}
            clicks.layer.remove_selected()

    def draw(self) -> None:
        self.do.set_kind("box")
        boxes = self.do.bench.boxes
        if boxes is not None:
            first, last = self.place(), self.place()
            r0, r1 = sorted((first[1], last[1]))
            c0, c1 = sorted((first[2], last[2]))
            z = first[0]
            boxes.layer.add_rectangles(np.array([[z, r0, c0], [z, r0, c1], [z, r1, c1], [z, r1, c0]]))

    def kind(self) -> None:
        self.do.set_kind(self.chance.choice(self.do.prompts.choices))

    def tune(self) -> None:
        self.do.tune(self.chance.choice([None, 0.3, 0.7]), None)

    def withdraw(self) -> None:
        self.do.withdraw()

    def force(self) -> None:
        self.do.force()

    def discard(self) -> None:
        self.do.discard()

    # -- objects ------------------------------------------------------------------------------------------------

    def accept(self) -> None:
        self.do.accept()

    def reopen(self) -> None:
        self.do.reopen(self.chance.choice([*self.do.session.objects, 99]))

    def delete(self) -> None:
        self.do.delete(self.chance.choice([*self.do.session.objects, 99]))

    def classes(self) -> None:
        self.do.objects.add_class(f"class {self.chance.randrange(4)}")

    def choose_class(self) -> None:
        self.do.objects.next_class()

    def classify(self) -> None:
        self.do.objects.classify(self.chance.choice([*self.do.session.objects, 99]))

    def remove_class(self) -> None:
        for item in self.do.session.classes[:1]:
            self.do.objects.remove_class(item.id)

    def paint(self) -> None:
        layer = self.do.target.layer
        if layer is not None and self.viewer.dims.ndisplay == 2:
            layer.paint([int(value) for value in self.place()], self.chance.randrange(4))

    # -- back and forth -----------------------------------------------------------------------------------------

    def undo(self) -> None:
        self.do.undo()

    def redo(self) -> None:
        self.do.redo()

    # -- the viewer ---------------------------------------------------------------------------------------------

    def turn(self) -> None:
        self.viewer.dims.set_current_step(0, self.chance.randrange(PLANES))

    def automatic(self) -> None:
        self.do.set_auto_accept(self.chance.random() < 0.5)

    def remove_layer(self) -> None:
        ours = [layer for layer in self.viewer.layers if layer is not self.image]
        if ours:
            self.viewer.layers.remove(self.chance.choice(ours))

    def target(self) -> None:
        self.do.set_target(None)

    def other_image(self) -> None:
        self.do.set_image(self.viewer.add_image(np.zeros((PLANES, HEIGHT, WIDTH), np.uint8)))

    def same_image(self) -> None:
        self.do.set_image(self.image)

    def view_3d(self) -> None:
        self.viewer.dims.ndisplay = 3
        self.viewer.dims.ndisplay = 2

    def transpose(self) -> None:
        self.viewer.dims.transpose()

    def activate(self) -> None:
        self.viewer.layers.selection.active = self.chance.choice(list(self.viewer.layers))


MARKS = ["click", "click", "object", "object", "drag", "remove", "draw", "kind", "tune", "withdraw", "force", "discard"]
OBJECTS = [
    "accept",
    "accept",
    "accept",
    "reopen",
    "delete",
    "classes",
    "choose_class",
    "classify",
    "remove_class",
    "paint",
]
BACK = ["undo", "undo", "redo"]
LAYERS = ["remove_layer", "target", "other_image", "same_image", "view_3d", "transpose"]


@pytest.mark.parametrize("seed", range(4))
def test_undo_of_everything_is_the_beginning(full: Rig, seed: int) -> None:
    person = Person(full, seed)
    person.work([*MARKS, *OBJECTS, *BACK, "turn", "activate", "automatic"])
    full.do.set_auto_accept(False)
    while full.do.session.can_redo:  # the person may have ended with undo
        full.do.redo()
    target = full.do.target.layer
    end = None if target is None else np.array(target.data)
    steps = 0
    while full.do.session.can_undo:
        full.do.undo()
        steps += 1
        assert steps < 20 * STEPS, person.did
    full.wait()
    person.check()
    assert full.do.session.marks == ()
    assert full.do.session.box is None
    assert not full.do.session.objects
    assert not full.do.session.classes
    assert len(full.layer.data) == 0
    assert target is None or not target.data.any(), person.did
    for _ in range(steps):
        full.do.redo()
    assert not full.do.session.can_redo
    if target is not None:
        np.testing.assert_array_equal(target.data, end)


@pytest.mark.parametrize("seed", range(4))
def test_layers_come_and_go_at_any_time(full: Rig, seed: int) -> None:
    person = Person(full, seed)
    person.work([*MARKS, *OBJECTS, *BACK, *LAYERS, "turn", "activate", "automatic"])
    for _ in range(20 * STEPS):
        full.do.undo()
        full.wait()
        if not full.do.session.can_undo or full.do.notices.problem is not None:  # a layer of that step is gone
            break
    person.check()
