"""The library of models that people trained themselves."""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_dextr import load_model
from napari_dextr.errors import ModelError, OutputError
from napari_dextr.models import own
from napari_dextr.models.checkpoint import load_network, read_checkpoint, write_checkpoint
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.own import (
    export_model,
    keep_model,
    models_folder,
    own_models,
    remove_model,
    rename_model,
    unusable_models,
)
from napari_dextr.models.spec import ModelSpec
from napari_dextr.places import DATA_VARIABLE

OPTIONS = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1, 2]}
SPEC = ModelSpec(
    name="nuclei run", architecture="compact", options=OPTIONS, canvas=64, provenance={"started_from": "embedded"}
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "nuclei run"
    folder.mkdir()
    torch.manual_seed(0)
    write_checkpoint(folder / "best.safetensors", CompactNet(**OPTIONS), SPEC)
    return folder


@pytest.fixture
def library() -> Path:
    return models_folder()


def names() -> list[str]:
    return sorted(model.name for model in own_models())


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# -- where ------------------------------------------------------------------------------------------------------------


def test_the_folder_is_the_systems_for_user_data_unless_it_is_moved(monkeypatch, tmp_path):
    monkeypatch.setenv(own.MODELS_VARIABLE, "~/weights")
    assert models_folder() == Path("~/weights").expanduser()
    monkeypatch.setenv(own.MODELS_VARIABLE, " ")
    monkeypatch.delenv(DATA_VARIABLE)
    usual = models_folder()
    assert usual.is_absolute()
    assert usual.parts[-2:] == ("napari-dextr", "models")


def test_looking_makes_no_folder(library):
    assert own_models() == ()
    assert unusable_models() == {}
    assert not library.exists()


# -- keeping ----------------------------------------------------------------------------------------------------------


def test_a_run_is_kept_under_its_name_or_another(run, library):
    model = keep_model(run)
    assert (model.name, model.path) == ("nuclei run", library / "nuclei run.safetensors")
    assert model.spec == SPEC
    assert model.size == model.path.stat().st_size
    assert keep_model(run / "best.safetensors", "Zellen, 20×").name == "Zellen, 20×"
    assert names() == ["Zellen, 20×", "nuclei run"]


def test_a_file_that_somebody_named_keeps_that_name(run, tmp_path):
    file = tmp_path / "for the lab?.safetensors" if os.name != "nt" else tmp_path / "for the lab-.safetensors"
    file.write_bytes((run / "best.safetensors").read_bytes())
    assert keep_model(file).name == "for the lab-"


def test_what_is_kept_is_the_same_network_whatever_becomes_of_the_run(run, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    (copy / "best.safetensors").write_bytes((run / "best.safetensors").read_bytes())
    model = keep_model(copy, "cells")
    (copy / "best.safetensors").unlink()
    _, expected = read_checkpoint(run)
    spec, state = read_checkpoint(model.path)
    assert spec == replace(SPEC, name="cells")
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert load_model("cells", device="cpu").model_hash == load_model(run, device="cpu").model_hash


def test_a_taken_name_gets_a_number_and_nothing_is_replaced(run, library):
    first = keep_model(run, "cells").path
    before = first.stat()
    assert [keep_model(run, "cells").name, keep_model(run, "CELLS").name] == ["cells 2", "CELLS 3"]
    assert first.stat() == before
    assert files(library) == ["CELLS 3.safetensors", "cells 2.safetensors", "cells.safetensors"]


def test_the_name_of_a_built_in_model_is_refused_with_a_suggestion(run, library):
    with pytest.raises(ModelError, match="comes with napari-dextr.*'my Embedded'"):
        keep_model(run, "Embedded")
    assert not library.exists()


def test_a_run_called_as_a_built_in_model_is_kept_beside_it(run, tmp_path):
    file = tmp_path / "embedded.safetensors"
    file.write_bytes((run / "best.safetensors").read_bytes())
    assert keep_model(file).name == "embedded 2"


def test_a_published_checkpoint_is_kept_as_precise_as_it_is(tmp_path, monkeypatch):
    """Such a file is a pickle of float32; one as large as theirs takes long to write, so this one is read as if."""
    network = CompactNet(**OPTIONS)
    torch.save(network.state_dict(), tmp_path / "ours.pth")
    monkeypatch.setattr(own, "read_checkpoint", lambda _: (SPEC, network.state_dict()))
    model = keep_model(tmp_path / "ours.pth", folder=tmp_path / "library")
    monkeypatch.undo()
    assert (model.name, model.path.name) == ("ours", "ours.safetensors")
    spec, state = read_checkpoint(model.path)
    assert spec == replace(SPEC, name="ours")
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw[:4], lambda raw: b"<html>" * 9])
def test_a_broken_file_is_not_kept(run, library, tmp_path, damage):
    (tmp_path / "a.safetensors").write_bytes(damage((run / "best.safetensors").read_bytes()))
    with pytest.raises(ModelError, match="damaged|web page"):
        keep_model(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="holds no weights"):
        keep_model(tmp_path)
    assert not library.exists()


def test_somebody_who_is_quicker_with_the_name_loses_nothing(run, library, monkeypatch):
    library.mkdir()
    copy = own._copy

    def slow_copy(source: Path, target: Path, name: str) -> None:
        copy(source, target, name)
        if name == "cells":  # meanwhile, in another program
            (library / "cells.safetensors").write_bytes(b"somebody else's")

    monkeypatch.setattr(own, "_copy", slow_copy)
    assert keep_model(run, "cells").name == "cells 2"
    assert (library / "cells.safetensors").read_bytes() == b"somebody else's"
    assert len(files(library)) == 2


def test_two_programs_at_once_keep_two_models(run, library, start_python):
    program = "import sys; from napari_dextr.models.own import keep_model; print(keep_model(sys.argv[1], 'cells').name)"
    started = [start_python("-c", program, run) for _ in range(2)]
    said = [process.communicate()[0].strip() for process in started]
    assert sorted(said) == ["cells", "cells 2"]
    assert names() == ["cells", "cells 2"]
    assert len(files(library)) == 2


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")])
def test_a_full_or_locked_disk_is_told_and_leaves_nothing(run, library, monkeypatch, number, words):
    keep_model(run, "before")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(own.shutil, "copyfileobj", fail)
    with pytest.raises(OutputError, match=words) as caught:
        keep_model(run, "cells")
    assert "NAPARI_DEXTR_MODELS" in str(caught.value)
    assert files(library) == ["before.safetensors"]


def test_a_folder_that_cannot_be_made_is_told(run, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(own.MODELS_VARIABLE, str(tmp_path / "file"))
    assert own_models() == ()
    with pytest.raises(OutputError, match=r"not kept: .*is a file.*NAPARI_DEXTR_MODELS"):
        keep_model(run, "cells")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows replaces nothing by itself")
def test_on_a_disk_without_links_nothing_is_replaced_either(run, library, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.link", fail)
    keep_model(run, "cells")
    assert keep_model(run, "cells").name == "cells 2"
    rename_model("cells", "nuclei")
    with pytest.raises(ModelError, match="already"):
        rename_model("nuclei", "cells 2")
    assert files(library) == ["cells 2.safetensors", "nuclei.safetensors"]


# -- listing ----------------------------------------------------------------------------------------------------------


def test_the_newest_comes_first(run):
    for age, name in enumerate(("new", "older", "oldest")):
        path = keep_model(run, name).path
        os.utime(path, (1e9 - age, 1e9 - age))
    assert [model.name for model in own_models()] == ["new", "older", "oldest"]


def test_what_is_no_model_is_passed_over_and_told(run, library):
    raw = (run / "best.safetensors").read_bytes()
    good = keep_model(run, "good").path
    (library / "cut.safetensors").write_bytes(raw[:-10])
    (library / "empty.safetensors").write_bytes(b"")
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (library / "foreign.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"0000")
    (library / "embedded.safetensors").write_bytes(raw)
    (library / ".hidden.safetensors").write_bytes(raw)
    (library / "notes.txt").write_text("mine", encoding="utf-8")
    (library / "folder.safetensors").mkdir()
    assert [model.path for model in own_models()] == [good]
    told = unusable_models()
    assert sorted(told) == ["cut", "embedded", "empty", "foreign"]
    assert "damaged" in told["cut"]
    assert "damaged" in told["empty"]
    assert "no spec" in told["foreign"]
    assert "another" in told["embedded"]
    assert all(str(library) in sentence for sentence in told.values())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_text_is_passed_over(run, library):
    keep_model(run, "cells")
    Path(os.fsdecode(os.fsencode(library) + b"/caf\xe9.safetensors")).write_bytes(
        (run / "best.safetensors").read_bytes()
    )
    assert names() == ["cells"]
    assert unusable_models() == {}


def test_a_header_is_read_once_until_the_file_changes(run, library, monkeypatch):
    path = keep_model(run, "cells").path
    own_models()
    reads: list[Path] = []
    read_spec = own.read_spec
    monkeypatch.setattr(own, "read_spec", lambda path: reads.append(path) or read_spec(path))
    own_models()
    assert reads == []
    newer = replace(SPEC, provenance={"started_from": "scratch"})
    write_checkpoint(path, CompactNet(**OPTIONS), newer)
    (found,) = own_models()
    assert found.spec.provenance == {"started_from": "scratch"}
    assert reads == [path]


def test_a_file_that_goes_while_they_are_listed(run, monkeypatch):
    keep_model(run, "cells")
    gone = keep_model(run, "gone").path
    stamp = own._stamp

    def racing(path: Path) -> tuple[int, int, int]:
        gone.unlink(missing_ok=True)
        return stamp(path)

    monkeypatch.setattr(own, "_stamp", racing)
    assert names() == ["cells"]


# -- renaming, removing, exporting ------------------------------------------------------------------------------------


def test_a_model_gets_another_name_and_stays_the_same(run, library):
    before = keep_model(run, "cells")
    after = rename_model("cells", " nuclei ")
    assert (after.name, after.spec.name, after.stamp) == ("nuclei", "nuclei", before.stamp)
    assert files(library) == ["nuclei.safetensors"]
    assert load_model("nuclei", device="cpu").spec.name == "nuclei"
    assert rename_model("nuclei", "nuclei") == after
    assert rename_model("nuclei", "Nuclei").name == "Nuclei"
    assert files(library) == ["Nuclei.safetensors"]


def test_renaming_replaces_no_other_model(run, library):
    keep_model(run, "cells")
    keep_model(run, "Nuclei")
    with pytest.raises(ModelError, match="'nuclei' already.*'nuclei 2'"):
        rename_model("cells", "nuclei")
    with pytest.raises(ModelError, match="comes with"):
        rename_model("cells", "dextr-coco")
    with pytest.raises(ModelError, match="'a-b'"):
        rename_model("cells", "a/b")
    assert names() == ["Nuclei", "cells"]


def test_removing_touches_nothing_else(run, library):
    keep_model(run, "cells")
    keep_model(run, "cells 2")
    (library / "cells.txt").write_text("notes", encoding="utf-8")
    remove_model("cells")
    assert files(library) == ["cells 2.safetensors", "cells.txt"]
    assert (run / "best.safetensors").is_file()


def test_a_broken_file_can_be_removed_by_its_name(run, library):
    keep_model(run, "cells").path.write_bytes(b"cut")
    with pytest.raises(ModelError, match="damaged"):
        export_model("cells", library.parent / "out.safetensors")
    remove_model("cells")
    assert files(library) == []


def test_an_exported_model_opens_elsewhere_and_knows_its_name(run, tmp_path):
    keep_model(run, "cells")
    rename_model("cells", "nuclei v1.2")
    assert export_model("nuclei v1.2", tmp_path) == tmp_path / "nuclei v1.2.safetensors"
    written = export_model("nuclei v1.2", tmp_path / "for.the.lab")
    assert written == tmp_path / "for.the.lab.safetensors"
    spec, _ = load_network(written)
    assert spec == replace(SPEC, name="nuclei v1.2")


def test_exporting_replaces_only_what_it_may(run, tmp_path):
    keep_model(run, "cells")
    target = tmp_path / "a.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists; choose another name"):
        export_model("cells", target)
    assert target.read_bytes() == b"precious"
    export_model("cells", target, overwrite=True)
    assert load_network(target)[0].name == "cells"
    with pytest.raises(OutputError, match="folder does not exist"):
        export_model("cells", tmp_path / "no" / "a.safetensors")


@pytest.mark.parametrize("act", [remove_model, lambda n: rename_model(n, "x"), lambda n: export_model(n, "x")])
def test_names_that_are_not_there(run, act):
    with pytest.raises(ModelError, match="kept none yet"):
        act("cells")
    keep_model(run, "Nuclei")
    with pytest.raises(ModelError, match="Did you mean 'Nuclei'"):
        act("nuklei")
    with pytest.raises(ModelError, match="yours are Nuclei"):
        act("../x")
    with pytest.raises(ModelError, match="comes with napari-dextr"):
        act("embedded")


def test_a_disk_that_refuses_is_told(run, monkeypatch):
    keep_model(run, "cells")

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(Path, "unlink", fail)
    monkeypatch.setattr(own, "move_new", fail)
    with pytest.raises(OutputError, match="cannot be removed.*close the program"):
        remove_model("cells")
    with pytest.raises(OutputError, match="cannot be renamed.*close the program"):
        rename_model("cells", "nuclei")
    monkeypatch.undo()
