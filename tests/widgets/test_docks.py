"""Other docks of the viewer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton, QWidget

from napari_dextr.widgets.docks import (
    ScrollDock,
    come_forward,
    correct_in_annotate,
    note_in_annotate,
    tell_annotate,
    tell_models_changed,
    used_in_annotate,
)


def test_an_open_annotate_widget_is_told_and_others_are_not() -> None:
    heard: list[Any] = []
    annotate = SimpleNamespace(controller=SimpleNamespace(reload_objects=heard.append))
    window = SimpleNamespace(dock_widgets={"Annotate": annotate, "other": object()})
    tell_annotate(SimpleNamespace(window=window), "labels")
    tell_annotate(SimpleNamespace(window=window), None)
    tell_annotate(object(), "labels")
    assert heard == ["labels"]


def test_an_annotate_widget_that_keeps_the_layer_hears_what_is_written_there() -> None:
    heard: list[Any] = []
    session = SimpleNamespace(targets={"labels": None}, note_written=lambda *written: heard.append(written))
    docks = {"Annotate": SimpleNamespace(controller=SimpleNamespace(session=session)), "other": object()}
    for target in ("labels", "others"):
        note_in_annotate(SimpleNamespace(window=SimpleNamespace(dock_widgets=docks)), target, [], {3: None})
    assert heard == [("labels", [], {3: None})]


def test_a_layer_that_an_annotate_widget_knows_is_used() -> None:
    annotate = SimpleNamespace(controller=SimpleNamespace(session=SimpleNamespace(targets={"labels": None})))
    viewer = SimpleNamespace(window=SimpleNamespace(dock_widgets={"Annotate": annotate, "other": object()}))
    assert used_in_annotate(viewer, "labels")
    assert not used_in_annotate(viewer, "others")
    assert not used_in_annotate(object(), "labels")


def test_every_dock_with_a_list_of_models_is_told() -> None:
    heard: list[str] = []
    docks = {
        name: SimpleNamespace(reload_models=lambda name=name: heard.append(name)) for name in ("Annotate", "Boxes")
    }
    window = SimpleNamespace(dock_widgets={**docks, "other": object()})
    tell_models_changed(SimpleNamespace(window=window))
    tell_models_changed(object())
    assert heard == ["Annotate", "Boxes"]


def test_an_object_is_opened_in_a_dock_that_is_shown() -> None:
    calls: list[Any] = []
    dock = SimpleNamespace(show=lambda: calls.append("show"), raise_=lambda: calls.append("raise"))
    annotate = SimpleNamespace(open_object=lambda *arguments: calls.append(arguments))
    window = SimpleNamespace(add_plugin_dock_widget=lambda *_, **__: (dock, annotate))
    correct_in_annotate(SimpleNamespace(window=window), "image", "labels", 3)
    assert calls == ["show", "raise", ("image", "labels", 3)]


def test_a_dock_comes_forward(qtbot: Any) -> None:
    window, widget = QMainWindow(), QWidget()
    qtbot.addWidget(window)
    dock = QDockWidget(window)
    dock.setWidget(widget)
    window.show()
    dock.hide()
    come_forward(widget)
    assert dock.isVisible()
    come_forward(QWidget())  # without a dock there is nothing to do


def test_a_dock_is_never_narrower_than_what_is_in_it(qtbot: Any) -> None:
    class Dock(ScrollDock):
        def _let_go(self) -> None: ...

    dock, content = Dock(), QPushButton("Accept")
    qtbot.addWidget(dock)
    assert dock.minimumSizeHint().width() > 0
    dock.setWidget(content)
    dock.show()
    narrow = dock.minimumSizeHint().width()
    assert narrow >= content.minimumSizeHint().width() + dock.verticalScrollBar().sizeHint().width()
    content.setText("Accept the object and everything that belongs to it")
    assert dock.minimumSizeHint().width() > narrow


def test_a_dock_lets_go_once_when_it_is_closed_or_taken_out(qtbot: Any) -> None:
    class Dock(ScrollDock):
        ended = 0

        def _let_go(self) -> None:
            self.ended += 1

    window = QMainWindow()
    qtbot.addWidget(window)
    taken, closed = Dock(), Dock()
    window.setCentralWidget(taken)
    window.takeCentralWidget()
    assert taken.ended == 1
    taken.close()
    assert taken.ended == 1
    qtbot.addWidget(closed)
    closed.close()
    closed.release()
    assert closed.ended == 1
