from __future__ import annotations

import subprocess
import sys

import pytest

from napari_dextr.models.triton import without_triton


def test_triton_cannot_be_imported_meanwhile(monkeypatch):
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    with without_triton(), pytest.raises(ImportError):
        __import__("triton")
    assert "triton" not in sys.modules


def test_what_is_loaded_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", sys)
    with without_triton():
        assert sys.modules["triton"] is sys
    assert sys.modules["triton"] is sys


def test_an_encoder_of_torchvision_does_not_load_it():
    pytest.importorskip("torchvision")
    program = (
        "import sys; from napari_dextr.models.backbone import BackboneNet; BackboneNet('resnet18', pretrained=False); "
        "print('torchvision' in sys.modules, 'triton' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "False"]
