from __future__ import annotations

import hashlib
import io
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dextr.errors import ModelError, OutputError
from napari_dextr.models import download
from napari_dextr.models.download import cache_folder, cached_file, fetch
from napari_dextr.models.registry import find

_SILENT = 0  # for a status: no answer at all


class Server:
    """A web server on this machine whose answers a test lists; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes, int]] = []  # status, what is sent, size that is announced
        self.asked = 0
        self.held = False  # whether what comes after an answer keeps the line open and is silent
        self.gate, self.answered = threading.Event(), threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content, announced = server.answers[min(server.asked, len(server.answers) - 1)]
                server.asked += 1
                if status == _SILENT:
                    assert server.gate.wait(60)
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(announced))
                self.end_headers()
                self.wfile.write(content)
                if server.held:
                    self.wfile.flush()
                    server.answered.set()
                    assert server.gate.wait(60)

            def log_message(self, *args: object) -> None:
                """Tests print nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/dextr_coco.pth"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def sends(self, content: bytes, status: int = 200, announced: int | None = None) -> Server:
        self.answers.append((status, content, len(content) if announced is None else announced))
        return self

    def stop(self) -> None:
        self.gate.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(folder))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def weights(hollow_state) -> bytes:
    buffer = io.BytesIO()
    torch.save(hollow_state("psp"), buffer)
    return buffer.getvalue()


@pytest.fixture
def entry(server, weights):
    return replace(find("dextr-coco"), url=server.url, size=len(weights))


def files(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_is_kept(server, cache, entry, weights):
    server.sends(weights)
    path = fetch(entry)
    assert path == cache / "dextr_coco.pth" == cached_file(entry)
    assert path.read_bytes() == weights
    assert files(cache) == ["dextr_coco.pth", "dextr_coco.pth.sha256"]
    assert hashlib.sha256(weights).hexdigest() in (cache / "dextr_coco.pth.sha256").read_text(encoding="utf-8")
    assert fetch(entry) == path
    assert server.asked == 1


def test_progress_runs_to_the_end(server, cache, entry, weights):
    server.sends(weights)
    seen = []
    fetch(entry, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(weights), len(weights))
    assert all(total in (0, len(weights)) and 0 <= done <= total for done, total in seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_nothing_is_printed(server, cache, entry, weights, capfd):
    server.sends(weights)
    fetch(entry)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("first", ["broken off", "busy"])
def test_a_download_that_fails_once_is_tried_again(server, cache, entry, weights, first):
    if first == "busy":
        server.sends(b"later", status=503)
    else:
        server.sends(weights[: len(weights) // 2], announced=len(weights))
    server.sends(weights)
    assert fetch(entry, pause=0).read_bytes() == weights
    assert server.asked == 2


def test_a_connection_that_always_breaks_off(server, cache, entry, weights):
    server.sends(weights[:1000], announced=len(weights))
    with pytest.raises(ModelError) as caught:
        fetch(entry, pause=0)
    assert server.asked == 3
    assert files(cache) == []
    for part in (server.url, str(cache / "dextr_coco.pth"), "by hand"):
        assert part in str(caught.value)


def test_a_server_that_is_down(server, cache, entry):
    away = replace(entry, url="http://127.0.0.1:1/dextr_coco.pth")
    with pytest.raises(ModelError, match="could not be reached") as caught:
        fetch(away, pause=0)
    for part in ("http://127.0.0.1:1/dextr_coco.pth", str(cache / "dextr_coco.pth"), "online"):
        assert part in str(caught.value)
    assert files(cache) == []


def test_a_file_that_is_gone_is_not_asked_for_again(server, cache, entry):
    server.sends(b"not here", status=404)
    with pytest.raises(ModelError, match="answers 404") as caught:
        fetch(entry, pause=0)
    assert str(cache / "dextr_coco.pth") in str(caught.value)
    assert server.asked == 1
    assert files(cache) == []


def test_a_login_page_is_not_kept(server, cache, entry, weights):
    server.sends(b"<!DOCTYPE html><html>please log in</html>".ljust(len(weights)))
    with pytest.raises(ModelError, match="is not the model 'dextr-coco'"):
        fetch(entry, pause=0)
    assert files(cache) == []


def test_a_stub_is_not_kept(server, cache, entry):
    server.sends(b"\x80stub" * 10)
    with pytest.raises(ModelError, match=r"0\.0 MB instead of about"):
        fetch(entry, pause=0)
    assert files(cache) == []


def test_a_published_checksum_is_checked(server, cache, entry, weights):
    server.sends(weights)
    with pytest.raises(ModelError, match="its checksum differs"):
        fetch(replace(entry, sha256="0" * 64))
    assert files(cache) == []
    fetch(replace(entry, sha256=hashlib.sha256(weights).hexdigest()))
    assert "dextr_coco.pth" in files(cache)


def test_a_file_put_there_by_hand_is_taken(server, cache, entry, weights):
    cache.mkdir()
    (cache / "dextr_coco.pth").write_bytes(weights)
    assert fetch(entry) == cache / "dextr_coco.pth"
    assert server.asked == 0
    assert (cache / "dextr_coco.pth.sha256").is_file()


def test_a_wrong_file_put_there_by_hand_is_refused_and_may_be_replaced(server, cache, entry, weights):
    cache.mkdir()
    (cache / "dextr_coco.pth").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="incomplete or damaged"):
        fetch(entry)
    (cache / "dextr_coco.pth").write_bytes(weights)
    assert fetch(entry).read_bytes() == weights


def test_a_kept_file_that_changed_is_noticed(server, cache, entry, weights):
    server.sends(weights)
    path = fetch(entry)
    path.write_bytes(weights[:-1] + b"!")
    with pytest.raises(ModelError, match="has changed since it was first used; delete it"):
        fetch(entry)
    path.unlink()
    assert fetch(entry).read_bytes() == weights


def test_a_cache_that_cannot_be_made(server, tmp_path, monkeypatch, entry):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="is a file, not a folder"):
        fetch(entry)


def test_a_full_disk(server, cache, entry, weights, monkeypatch):
    server.sends(weights)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader", lambda **options: full)
    with pytest.raises(OutputError, match="disk is full"):
        fetch(entry)
    assert files(cache) == []


def test_models_without_an_address(cache, entry):
    with pytest.raises(ModelError, match="no address"):
        fetch(replace(entry, url=None))


def test_the_cache_folder(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("NAPARI_DEXTR_CACHE")
    assert cache_folder().name.startswith("napari-dextr") or "napari-dextr" in cache_folder().parts


def test_pauses_grow(server, cache, entry, monkeypatch):
    pauses = []
    monkeypatch.setattr(download, "_rest", lambda seconds, progress: pauses.append(seconds))
    server.sends(b"later", status=500)
    with pytest.raises(ModelError, match="the server answered 500"):
        fetch(entry, attempts=4, pause=2)
    assert pauses == [2, 4, 8]


class CalledOff(Exception):
    """Somebody does not want to wait."""


@pytest.mark.parametrize("when", ["before the answer", "midway"])
def test_a_download_is_called_off_while_the_server_is_silent(server, cache, entry, weights, when):
    server.held = True
    server.sends(weights[:300_000], status=200 if when == "midway" else _SILENT, announced=len(weights))

    def progress(done, total):
        if server.asked and (done or when != "midway"):
            raise CalledOff

    with pytest.raises(CalledOff):
        fetch(entry, progress=progress)
    assert not server.gate.is_set()  # it still holds the line
    assert files(cache) == []
    server.held = False
    server.sends(weights)
    assert fetch(entry).read_bytes() == weights


def test_a_download_is_called_off_between_two_attempts(server, cache, entry):
    server.sends(b"later", status=503)
    asked = []

    def progress(done, total):
        asked.append(server.asked)
        if threading.current_thread() is threading.main_thread() and asked.count(1) > 50:
            raise CalledOff

    with pytest.raises(CalledOff):
        fetch(entry, progress=progress, pause=3600)
    assert files(cache) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there, Ctrl+C goes to a whole console")
def test_ctrl_c_ends_a_download_and_leaves_nothing(server, cache, entry, weights, tmp_path):
    server.held = True
    server.sends(weights[:300_000], announced=len(weights))
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "picture.png")
    program = f"""
import signal, sys
from dataclasses import replace
from napari_dextr.models import registry
from napari_dextr.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, it may be ignored
found = registry.find
registry.find = lambda name: replace(found(name), url={server.url!r}, size={len(weights)})
sys.argv = ["napari-dextr", "segment", "picture.png", "--points", "5,20 20,5 35,20 20,35", "--model", "dextr-coco"]
sys.argv += ["-o", "mask.png"]
main()
"""
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert server.answered.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode in (1, 130)
    assert "Traceback" not in said
    assert files(cache) == []
    assert not (tmp_path / "mask.png").exists()
