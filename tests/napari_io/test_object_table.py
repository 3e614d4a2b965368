"""Record and table of the objects of a Labels layer."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from napari.layers import Labels

from napari_dextr.napari_io.object_table import COLUMNS, KEY, given_highest, note, note_highest, record, show, store
from napari_dextr.objects import Mark, ObjectClass, ObjectFacts

CLASSES = [ObjectClass(1, "cell", "#e69f00"), ObjectClass(2, "nucleus", "#56b4e9")]
FACTS = {
    3: ObjectFacts((Mark("extreme", 1, 2), Mark("inside", 3, 4)), class_id=2, score=0.9, seconds=4.5),
    1: ObjectFacts(box=(1.0, 2.0, 3.0, 4.0)),
}


def layer() -> Labels:
    return Labels(np.zeros((8, 8), np.uint16))


def test_what_is_stored_is_read_back() -> None:
    labels = layer()
    store(labels, FACTS, CLASSES, {1: 10, 3: 20})
    assert record(labels) == (FACTS, CLASSES)
    json.dumps(labels.metadata[KEY])  # it can go into a file


def test_the_table_shows_objects_by_label() -> None:
    labels = layer()
    store(labels, FACTS, CLASSES, {1: 10, 3: 20})
    table = labels.features
    assert tuple(table.columns) == COLUMNS
    assert table["index"].tolist() == [1, 3]
    assert table["class"].tolist() == ["", "nucleus"]
    assert table["area"].tolist() == [10, 20]
    assert table["prompts"].tolist() == ["box", "1 extreme, 1 inside"]
    assert np.isnan(table["score"][0])
    assert table["seconds"][1] == 4.5


def test_areas_that_are_not_given_stay() -> None:
    labels = layer()
    store(labels, FACTS, CLASSES, {1: 10})
    store(labels, FACTS, CLASSES, {3: 20})
    assert labels.features["area"].tolist() == [10, 20]
    store(labels, FACTS, CLASSES)
    assert labels.features["area"].tolist() == [10, 20]


def test_the_work_of_others_stays() -> None:
    labels = layer()
    labels.metadata["theirs"] = 1
    labels.metadata[KEY] = {"coco": {"3": 17}}
    labels.features = pd.DataFrame({"index": [3, 9], "my note": ["round", "gone"]})
    store(labels, FACTS, CLASSES)
    assert labels.metadata["theirs"] == 1
    assert labels.metadata[KEY]["coco"] == {"3": 17}
    # 9 is a label of theirs: its row stays, though it is no object of ours
    assert labels.features["index"].tolist() == [1, 3, 9]
    assert labels.features["my note"].fillna("").tolist() == ["", "round", "gone"]


def test_a_table_without_labels_is_kept_as_napari_reads_it() -> None:
    labels = layer()
    labels.features = pd.DataFrame({"mean": [0.0, 10.0, 20.0, 30.0]})
    store(labels, FACTS, CLASSES)
    assert labels.features["index"].tolist() == [0, 1, 2, 3]
    assert labels.features["mean"].tolist() == [0, 10, 20, 30]
    assert labels.features["prompts"].fillna("").tolist() == ["", "box", "", "1 extreme, 1 inside"]
    store(labels, {}, CLASSES)
    assert labels.features["index"].tolist() == [0, 2]  # those of ours have gone with their objects


def test_rows_of_objects_that_were_not_taken_over_stay() -> None:
    labels = layer()
    store(labels, FACTS, CLASSES)
    show(labels, {3: FACTS[3]}, CLASSES)
    assert labels.features["index"].tolist() == [1, 3]


def test_a_label_that_was_given_is_noted() -> None:
    labels = layer()
    assert given_highest(labels) == 0
    note_highest(labels, 7)
    note_highest(labels, 5)
    assert given_highest(labels) == 7


def test_single_objects_change() -> None:
    labels = layer()
    store(labels, FACTS, CLASSES)
    moved = ObjectFacts(score=0.5)
    note(labels, {1: None, 3: moved, 4: FACTS[1]}, CLASSES[:1])
    assert record(labels) == ({3: moved, 4: FACTS[1]}, CLASSES[:1])
    assert labels.features["index"].tolist() == [1, 3]
    show(labels, record(labels)[0], CLASSES)
    assert labels.features["index"].tolist() == [3, 4]


def test_nonsense_is_left_out() -> None:
    labels = layer()
    assert record(labels) == ({}, [])
    labels.metadata[KEY] = "what?"
    assert record(labels) == ({}, [])
    labels.metadata[KEY] = {"objects": {"x": {}, "2": {"marks": 5}, "3": {"score": 0.5}}, "classes": [{"id": 0}, 7]}
    assert record(labels) == ({3: ObjectFacts(score=0.5)}, [])
    labels.metadata[KEY] = {"objects": [1], "classes": None}
    assert record(labels) == ({}, [])
    store(labels, {}, [])
    assert record(labels) == ({}, [])
