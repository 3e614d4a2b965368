"""What every test stands on: no window on the desk, few threads, property tests that do not race a clock."""

from __future__ import annotations

import gc
import os
import secrets
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from napari_dextr.locks import FileLock

from .own_screen import OFF_SCREEN, take_own_screen, tidy_up
from .warm_python import WarmPython

OWN_SCREEN = take_own_screen(os.environ)  # before Qt opens its display
SHARED_SCREEN = "PYTEST_XDIST_WORKER" in os.environ and not OWN_SCREEN

# A Linux machine without a display still runs every test that opens no full viewer. macOS and Windows always have one.
HAS_SCREEN = not sys.platform.startswith("linux") or bool(
    os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
)
if not HAS_SCREEN:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HAS_SCREEN = HAS_SCREEN and os.environ.get("QT_QPA_PLATFORM") not in OFF_SCREEN

os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"  # touching a layer from a worker raises
# Viewer tests must neither read nor change the preferences of whoever runs them.
os.environ["NAPARI_CONFIG"] = ""
# One thread: the networks of the tests are small, and threads that wait for each other on a busy machine made them
# three to ten times slower. Read by torch and OpenBLAS when they are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int | None:
    """How many processes `make test` starts: one a processor, and no more than four, since each takes over 1 GB."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first where several processes share the work: the last of them would run on alone."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    spare_the_collector()


def spare_the_collector() -> None:
    """Have Python's collector pass over what is there before a test makes anything: half a million objects of modules.

    napari collects whenever a layer leaves a viewer that is shown, and Python does by itself; each time that took a
    third of a second, of which nothing came. Garbage is gone before, so that it is not kept for good.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    tidy_up()  # not at the exit of the process: pytest-xdist ends its workers before Python puts itself in order


@pytest.fixture(autouse=True)
def _no_own_models(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep every test away from models, runs and sessions of whoever runs it, and from those of other tests."""
    base, name = tmp_path_factory.getbasetemp(), secrets.token_hex(4)  # made where a test keeps something
    monkeypatch.setenv("NAPARI_DEXTR_DATA", str(base / f"data-{name}"))
    monkeypatch.setenv("NAPARI_DEXTR_MODELS", str(base / f"models-{name}"))


@pytest.fixture(autouse=True)
def _screen_or_failure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail, by name, a test that opens a full viewer where nothing draws OpenGL: a skip would go unnoticed.

    Where several processes share a screen (macOS, Windows), one viewer at a time is on it.
    """
    wants = request.node.get_closest_marker("screen") or "make_napari_viewer" in request.fixturenames
    if wants and not HAS_SCREEN:
        pytest.fail("needs a screen: run `make test`, or `xvfb-run -a python -m pytest`", pytrace=False)
    if wants and not gc.get_freeze_count():  # a training in the viewer has undone it
        spare_the_collector()
    if not wants or not SHARED_SCREEN:
        yield
        return
    screen = FileLock(tmp_path_factory.getbasetemp().parent / "screen.lock")  # the folder of all the processes
    while not screen.acquire():
        time.sleep(0.1)
    yield
    screen.release(remove=False)


@pytest.fixture(scope="session")
def start_python() -> Iterator[WarmPython]:
    """Starts programs in processes of their own, which have torch at once."""
    started = WarmPython()
    yield started
    started.close()
