"""What every test stands on: no window on the desk, few threads, property tests that do not race a clock."""

from __future__ import annotations

import os
import secrets
import sys

import pytest
from hypothesis import HealthCheck, settings

# A Linux machine without a display still runs every test that opens no full viewer. macOS and Windows always have one.
HAS_SCREEN = not sys.platform.startswith("linux") or bool(
    os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
)
if not HAS_SCREEN:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HAS_SCREEN = HAS_SCREEN and os.environ.get("QT_QPA_PLATFORM") not in {"offscreen", "minimal"}

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


@pytest.fixture(autouse=True)
def _no_own_models(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep every test away from the models of whoever runs it, and from those of other tests."""
    folder = tmp_path_factory.getbasetemp() / f"models-{secrets.token_hex(4)}"  # made where a test keeps a model
    monkeypatch.setenv("NAPARI_DEXTR_MODELS", str(folder))


@pytest.fixture(autouse=True)
def _screen_or_failure(request: pytest.FixtureRequest) -> None:
    """Fail, by name, a test that opens a full viewer where nothing draws OpenGL: a skip would go unnoticed."""
    wants = request.node.get_closest_marker("screen") or "make_napari_viewer" in request.fixturenames
    if wants and not HAS_SCREEN:
        pytest.fail("needs a screen: run `make test`, or `xvfb-run -a python -m pytest`", pytrace=False)
