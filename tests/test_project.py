"""What packaging promises: one version, one manifest, licences and entry points that exist; and releases that agree."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import napari_dextr

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_has_one_place() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    stated = (PROJECT / PYPROJECT["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.search(r'^__version__ = "(.+)"$', stated, re.MULTILINE)[1] == napari_dextr.__version__


def test_the_manifest_is_where_the_entry_point_says() -> None:
    module, file = PYPROJECT["project"]["entry-points"]["napari.manifest"]["napari-dextr"].split(":")
    folder = Path(importlib.import_module(module).__file__).parent
    assert re.search(r"^name: napari-dextr$", (folder / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_top_level_manifest_is_a_link_to_the_packaged_one() -> None:
    link, packaged = PROJECT / "napari.yaml", PROJECT / "src" / "napari_dextr" / "napari.yaml"
    # Where git makes no links (Windows) the file holds the path instead.
    assert link.samefile(packaged) or link.read_text(encoding="utf-8") == "src/napari_dextr/napari.yaml"


def test_the_console_script_exists() -> None:
    module, function = PYPROJECT["project"]["scripts"]["napari-dextr"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_no_qt_binding_is_forced_on_users() -> None:
    required = " ".join(PYPROJECT["project"]["dependencies"]).lower()
    assert not re.search(r"pyqt|pyside|napari\[", required)


def test_the_versions_tested_as_the_lowest_are_those_that_are_promised() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    bounds = {}
    for requirement in (*PYPROJECT["project"]["dependencies"], *extras["all"], *extras["cluster"], *extras["test"]):
        name, bound = re.match(r"([\w-]+)(?:\[.+\])?(?:>=([\d.]+))?", requirement).groups()
        if bound is not None:
            bounds[name] = bound
    text = (PROJECT / "constraints" / "lowest.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE))
    assert set(pins) == set(bounds)
    assert {name: pin for name, pin in pins.items() if not f"{pin}.".startswith(f"{bounds[name]}.")} == {}


def test_the_hub_finds_the_plugin() -> None:
    assert "Framework :: napari" in PYPROJECT["project"]["classifiers"]
    assert PYPROJECT["project"]["license"] == "BSD-3-Clause"


# -- texts that people and hosts look for ------------------------------------------------------------------------------


def tool(name: str) -> ModuleType:
    """A program of the folder tools, imported."""
    spec = importlib.util.spec_from_file_location(f"tools_{name}", PROJECT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_is_complete_and_names_this_version_and_licence() -> None:
    citation = read_yaml(PROJECT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what version 1.2.0 of the format requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert str(citation["version"]) == napari_dextr.__version__
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PYPROJECT["project"]["authors"]
    ]
    for reference in [citation["preferred-citation"], *citation["references"]]:
        assert {"type", "title", "authors"} <= set(reference)
        assert all({"family-names", "given-names"} <= set(author) for author in reference["authors"])


def test_the_source_archive_holds_what_it_names() -> None:
    named = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    assert [name for name in named if not (PROJECT / name).exists()] == []
    assert {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md"} <= set(named)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md", "README.md"])
def test_links_and_targets_in_texts_exist(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [link for link in links if not (PROJECT / link).exists()] == []
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = {
        word
        for line in re.findall(r"`make ([a-z ]+)`|^make (\w+)", text, re.MULTILINE)
        for word in "".join(line).split()
    }
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_files_that_contributors_are_sent_to_exist() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    inside = re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", text)
    places = (PROJECT, PROJECT / "src" / "napari_dextr", PROJECT / "docs")
    assert len(inside) > 15
    assert [name for name in inside if not any((place / name).exists() for place in places)] == []


def test_issue_forms_ask_and_explain() -> None:
    forms = sorted((PROJECT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) > 2
    for path in forms:
        form = read_yaml(path)
        if path.name == "config.yml":
            assert set(form) <= {"blank_issues_enabled", "contact_links"}
            continue
        assert {"name", "description", "body"} <= set(form), path.name
        for item in form["body"]:
            assert item["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}, path.name
            assert item["type"] == "markdown" or item["attributes"]["label"], path.name
        ids = [item["id"] for item in form["body"] if "id" in item]
        assert len(ids) == len(set(ids)), path.name


# -- releases ----------------------------------------------------------------------------------------------------------


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(PROJECT / ".github" / "workflows" / name)
    return found


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", step.get("uses", "")) for step in job["steps"])


def test_nothing_is_published_before_it_was_checked_and_installed() -> None:
    jobs = workflow("release.yml")["jobs"]
    assert set(jobs["publish"]["needs"]) == {"build", "install"}
    assert jobs["page"]["needs"] == "publish"
    assert jobs["install"]["needs"] == "build"
    build = commands(jobs["build"])
    for step in ("tools/release_notes.py", "make test", "make lint types", "make manifest", "make wheel"):
        assert step in build
    assert 'napari-dextr" demo' in commands(jobs["install"])


def test_only_the_job_that_publishes_may_ask_for_an_identity() -> None:
    release = workflow("release.yml")
    assert release["permissions"] == {"contents": "read"}
    assert release[True]["push"] == {"tags": ["v*"]}  # YAML reads the key `on` as true
    allowed = {name: job["permissions"] for name, job in release["jobs"].items() if "permissions" in job}
    assert allowed == {"publish": {"id-token": "write"}, "page": {"contents": "write"}}
    assert "pypa/gh-action-pypi-publish" in commands(release["jobs"]["publish"])
    assert "password" not in str(release)


def test_workflows_call_what_there_is() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for path in sorted((PROJECT / ".github" / "workflows").glob("*.yml")):
        for job in workflow(path.name)["jobs"].values():
            for line in commands(job).splitlines():
                if found := re.match(r"make ([\w ]+)$", line):
                    missing = [name for name in found[1].split() if not re.search(rf"^{name}:", makefile, re.MULTILINE)]
                    assert missing == [], path.name
                for script in re.findall(r"\btools/\S+\.(?:py|sh)\b", line):
                    assert (PROJECT / script).is_file(), path.name


def test_the_wheel_is_built_twice_and_looked_into() -> None:
    recipe = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("\nwheel:")[2].partition("\n\n")[0]
    steps = [recipe.find(step) for step in ("tools/build_twice.py", "twine check --strict", "tools/check_wheel.py")]
    assert -1 not in steps
    assert steps == sorted(steps)


def release_of(folder: Path, version: str, changelog: str) -> Path:
    """A project that states a version in the package and in the citation."""
    package = folder / "src" / "napari_dextr"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")
    (folder / "CITATION.cff").write_text(
        f"title: napari-dextr\nversion: {version}\ndate-released: 2027-01-31\n", encoding="utf-8"
    )
    (folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return folder


DATED = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-31\n\n- New.\n\n## [0.1.0] - 2026-12-01\n\n- First.\n"


def test_notes_are_the_section_of_the_tag(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    project = release_of(tmp_path, "0.2.0", DATED)
    assert tool("release_notes").main("v0.2.0", "", project) == 0
    assert capfdbinary.readouterr().out == b"- New.\n"
    (project / "CHANGELOG.md").write_text(DATED.replace("New.", "New [card](src/card.md)."), encoding="utf-8")
    assert tool("release_notes").main("v0.2.0", "https://github.com/a/b", project) == 0
    assert capfdbinary.readouterr().out == b"- New [card](https://github.com/a/b/blob/v0.2.0/src/card.md).\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "told"),
    [
        ("0.2.0", DATED, "not of the form"),
        ("v0.2", DATED, "not of the form"),
        ("v0.1.0", DATED, "package says 0.2.0"),
        ("v0.1.0", DATED, "CITATION.cff says 0.2.0"),
        ("v0.2.0", DATED.replace(" - 2027-01-31", ""), "has no section"),
        ("v0.2.0", DATED.replace("- New.", ""), "has no section"),
        ("v0.2.0", "# Changelog\n", "has no section"),
        ("v0.2.0", DATED.replace("- New.", "Nothing has been published yet: soon.\n- New."), "take it out"),
    ],
)
def test_a_tag_that_does_not_agree_is_refused(tmp_path: Path, tag: str, changelog: str, told: str) -> None:
    module = tool("release_notes")
    project = release_of(tmp_path, "0.2.0", changelog)
    assert any(told in problem for problem in module.disagreements(tag, project))
    assert module.main(tag, "", project) == 1


def test_a_citation_without_a_day_is_refused(tmp_path: Path) -> None:
    module = tool("release_notes")
    project = release_of(tmp_path, "0.2.0", DATED)
    assert module.disagreements("v0.2.0", project) == []
    (project / "CITATION.cff").write_text("version: 0.2.0\n", encoding="utf-8")
    assert any("date-released" in problem for problem in module.disagreements("v0.2.0", project))


def test_the_changelog_of_this_project_can_be_read() -> None:
    module = tool("release_notes")
    assert module.package_version() == module.citation_version() == napari_dextr.__version__
    sections = module.sections()
    assert next(iter(sections)) == "Unreleased"
    assert any(notes for notes, _ in sections.values())


def test_a_wheel_lacks_nothing_and_holds_nothing_else() -> None:
    module = tool("check_wheel")
    files = module.package_files()
    assert not any("__pycache__" in name for name in files)
    names = [*files, "napari_dextr-0.1.0.dist-info/METADATA"]
    assert module.what_is_wrong(names, 2**20, files) == []
    weights = "napari_dextr/models/weights/embedded.safetensors"
    assert "missing" in module.what_is_wrong([name for name in names if name != weights], 2**20, files)[0]
    assert "does not belong" in module.what_is_wrong([*names, "tests/test_project.py"], 2**20, files)[0]
    assert "limit" in module.what_is_wrong(names, 26 * 2**20, files)[0]


def test_builds_are_compared_to_the_last_byte(tmp_path: Path) -> None:
    module = tool("build_twice")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.whl").write_bytes(b"same")
        os.utime(tmp_path / name / "a.whl", (0, len(name)))
    assert module.differences(tmp_path / "first", tmp_path / "second") == []
    (tmp_path / "second" / "a.whl").write_bytes(b"samE")
    assert "a.whl differs" in module.differences(tmp_path / "first", tmp_path / "second")[0]
    shutil.rmtree(tmp_path / "second")
    (tmp_path / "second").mkdir()
    assert "a.whl differs" in module.differences(tmp_path / "first", tmp_path / "second")[0]


def test_a_pool_with_too_few_objects_is_told():
    chosen = tool("kshot")._chosen
    assert sorted(number for objects in chosen([[1, 2, 3], [4, 5]], 5, 0) for number in objects) == [1, 2, 3, 4, 5]
    with pytest.raises(SystemExit, match="hold 5 objects only, not 10"):
        chosen([[1, 2, 3], [4, 5]], 10, 0)


def test_models_are_merged_by_their_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from napari_dextr.models import open_network
    from napari_dextr.models.checkpoint import write_checkpoint

    spec, network = open_network("embedded")
    name = next(iter(network.state_dict()))
    before = network.state_dict()[name].clone()
    network.load_state_dict({key: value + 1 if key == name else value for key, value in network.state_dict().items()})
    other = write_checkpoint(tmp_path / "other.safetensors", network, spec, dtype=torch.float32)
    out = tmp_path / "merged.safetensors"
    monkeypatch.setattr(
        "sys.argv", ["merge_models.py", str(out), "--add", "0.25", str(other), "--add", "0.5", "embedded"]
    )
    tool("merge_models").main()
    merged_spec, merged = open_network(out)
    assert torch.allclose(merged.state_dict()[name], before + 0.25, atol=2e-3)
    assert merged_spec.canvas == spec.canvas
    assert merged_spec.provenance["merged"] == 2
