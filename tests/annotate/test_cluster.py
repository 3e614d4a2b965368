"""A cluster does the same work, with the same results."""

from __future__ import annotations

import pytest

from napari_dextr.annotate import AnnotateSettings, annotate_coco
from napari_dextr.annotate import cluster as module
from napari_dextr.annotate.cluster import Job, connect, spread
from napari_dextr.errors import DataError

distributed = pytest.importorskip("distributed")


@pytest.fixture
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.fixture
def job(pack, weights) -> Job:
    return Job(str(weights), "cpu", "full", None, str(pack / "images"), AnnotateSettings())


def test_the_result_is_that_of_this_machine(pack, model, client, job):
    here = annotate_coco(pack / "a.json", pack / "images", pack / "here.json", model)
    there = annotate_coco(pack / "a.json", pack / "images", pack / "there.json", model, worker=spread(client, job))
    assert there.path.read_bytes() == here.path.read_bytes()
    assert there.rows == here.rows
    assert there.problems == here.problems


def test_a_task_that_fails_on_the_cluster_is_told(pack, model, client, job, monkeypatch):
    def lost(job: Job, task: object) -> None:
        raise RuntimeError("worker\nlost")

    monkeypatch.setattr(module, "work_on", lost)
    report = annotate_coco(pack / "a.json", pack / "images", pack / "out.json", model, worker=spread(client, job))
    assert report.masks == 0
    assert len(report.problems) == 4
    assert all("failed on the cluster (RuntimeError: worker lost)" in problem for problem in report.problems)


def test_an_address_where_nobody_answers_is_told(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(DataError, match="No dask scheduler answers at 'tcp://nowhere:1'"), connect("tcp://nowhere:1"):
        pytest.fail("the block must not run")


def test_without_distributed_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"napari-dextr\[cluster\]"), connect("local"):
        pytest.fail("the block must not run")
