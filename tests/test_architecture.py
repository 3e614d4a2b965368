"""The house rules, asserted: who may import whom, what stays light, how long a module may be, what has a test."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parent.parent
PACKAGE = "napari_dextr"
SOURCE = PROJECT / "src" / PACKAGE
TESTS = PROJECT / "tests"

# From the ground up; a room may import from its own floor and from lower ones. `models` and `segmenter` share a floor,
# because `models.load_model` hands out a Segmenter.
FLOORS = (
    {
        "errors", "files", "prompt", "image", "image_file", "mask_file", "frame", "guidance", "simulation",
        "postprocess", "obedience", "metrics", "rle", "locks", "memory", "objects", "places", "segmentation", "threads",
        "file_names", "words", "noise",
    },
    {"models", "segmenter"},
    {"session", "propagation", "coco", "label_formats", "annotate", "baselines", "evaluation", "training", "overlay"},
    {"demo", "bench", "bench_coco", "session_bench"},
    {"cli"},
    {"napari_io"},
    {"widgets"},
)  # fmt: skip
VIEWER_ROOMS = {"widgets", "napari_io"}
VIEWER_LIBRARIES = {"napari", "qtpy", "magicgui", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
HEAVY = {"torch", "torchvision", "skimage", "scipy", "matplotlib", "napari"}
# What a program or the viewer imports at its start, before anybody has asked for a mask.
LIGHT = (
    "", "errors", "prompt", "objects", "segmentation", "session", "session.autosave", "session.recovery", "coco", "cli",
    "models", "models.spec", "models.catalogue", "models.registry", "models.own",
)  # fmt: skip
# Import name -> name of the distribution, where they differ.
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "yaml": "pyyaml"}


@dataclass(frozen=True)
class Import:
    """One imported module, as written in one place."""

    module: str  # absolute, e.g. "torch.nn" or "napari_dextr.models.spec"
    line: int
    top: bool  # runs when the module is imported
    typing: bool  # only type checkers see it


def module_name(path: Path) -> str:
    """Dotted name of a source file inside the package; "" is the package itself."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@cache
def modules() -> dict[str, Path]:
    return {module_name(path): path for path in sources()}


def room(name: str) -> str:
    return name.split(".")[0]


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


@cache
def imports(path: Path) -> tuple[Import, ...]:
    package = [PACKAGE, *path.relative_to(SOURCE).parts[:-1]]

    def visit(node: ast.AST, top: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, top, typing)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            if source.split(".")[0] != PACKAGE:
                yield Import(source, node.lineno, top, typing)
                return
            for alias in node.names:  # `from .models import spec` means the module, `from .models import x` its parent
                inner = f"{source}.{alias.name}"
                known = inner.removeprefix(f"{PACKAGE}.") in modules()
                yield Import(inner if known else source, node.lineno, top, typing)
        elif _is_type_checking(node):
            for child in node.body:
                yield from visit(child, top, True)
            for child in node.orelse:
                yield from visit(child, top, typing)
        else:
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            for child in ast.iter_child_nodes(node):
                yield from visit(child, top and not inside, typing)

    return tuple(visit(ast.parse(path.read_text(encoding="utf-8")), True, False))


def internal(found: Import) -> str | None:
    """Name inside the package of what is imported, or None for other packages."""
    if found.module == PACKAGE:
        return ""
    return found.module.removeprefix(f"{PACKAGE}.") if found.module.startswith(f"{PACKAGE}.") else None


def loaded_with(name: str) -> set[str]:
    """Modules of the package that importing one of them runs, itself and the packages around them included."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in seen or current not in modules():
            continue
        seen.add(current)
        waiting.append(current.rpartition(".")[0])
        for found in imports(modules()[current]):
            target = internal(found)
            if found.top and not found.typing and target is not None:
                waiting.append(target)
    return seen


def test_the_core_imports_neither_napari_nor_qt() -> None:
    guilty = [
        f"{path.relative_to(PROJECT)}:{found.line} imports {found.module}"
        for path in sources()
        if room(module_name(path)) not in VIEWER_ROOMS
        for found in imports(path)
        if found.module.split(".")[0] in VIEWER_LIBRARIES
    ]
    assert not guilty, "\n".join(guilty)


def test_no_room_imports_from_a_higher_floor() -> None:
    level = {name: number for number, rooms in enumerate(FLOORS) for name in rooms}
    level["__main__"] = level["cli"]

    def floor(name: str) -> int:
        return level[room(name) if name == "__main__" else room(name).lstrip("_")]

    homeless = {room(name) for name in modules() if name} - {*level, *(f"_{name}" for name in level)}
    assert not homeless, f"name the floor of {sorted(homeless)} in FLOORS"

    guilty = [
        f"{path.relative_to(PROJECT)}:{found.line} imports {target}"
        for path in sources()
        if module_name(path)
        for found in imports(path)
        if not found.typing and (target := internal(found)) and floor(target) > floor(module_name(path))
    ]
    assert not guilty, "\n".join(guilty)


def test_no_circular_imports() -> None:
    edges = {
        name: {
            target
            for found in imports(path)
            if found.top and not found.typing and (target := internal(found)) is not None and target != name
        }
        for name, path in modules().items()
    }
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        for target in edges.get(name, ()):
            walk(target, (*trail, name))
        done.add(name)

    for name in edges:
        walk(name, ())


@pytest.mark.parametrize("name", [name for name in LIGHT if name in modules()])
def test_light_modules_import_nothing_heavy(name: str) -> None:
    guilty = [
        f"{modules()[loaded].relative_to(PROJECT)}:{found.line} imports {found.module}"
        for loaded in sorted(loaded_with(name))
        for found in imports(modules()[loaded])
        if found.top and not found.typing and found.module.split(".")[0] in HEAVY
    ]
    assert not guilty, "\n".join(guilty)


@pytest.mark.parametrize("name", [name for name in LIGHT if name in modules()])
def test_importing_a_light_module_loads_nothing_heavy(name: str) -> None:
    target = f"{PACKAGE}.{name}".rstrip(".")
    program = f"import sys, {target}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_modules_have_one_subject(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = 300 if room(module_name(path)) == "widgets" else 400
    assert lines <= limit, f"{path.relative_to(PROJECT)} has {lines} lines; over {limit} a module has two subjects"


def expected_test(path: Path) -> Path:
    """`models/_runtime.py` -> `tests/models/test_runtime.py`; `models/__init__.py` -> `tests/models/test_init.py`."""
    inside = path.relative_to(SOURCE)
    return TESTS / inside.parent / f"test_{path.stem.strip('_')}.py"


def has_code(path: Path) -> bool:
    """Whether a module defines a function or a class (an ``__init__`` that only gathers names does not)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in ast.walk(tree))


def test_every_module_has_a_test_file() -> None:
    missing = [
        str(expected_test(path).relative_to(PROJECT))
        for path in sources()
        if path.stem != "__main__" and (path.stem != "__init__" or has_code(path)) and not expected_test(path).exists()
    ]
    assert not missing, f"no test file: {', '.join(missing)}"


def test_every_test_file_has_a_module() -> None:
    whole_project = {
        "test_architecture.py",
        "test_every_image.py",
        "test_random_work.py",
        "test_docs.py",
        "test_docstrings.py",
        "test_stress.py",
        "test_pictures.py",
        "test_project.py",
        "test_own_screen.py",  # of the tests themselves
        "test_warm_python.py",
    }
    expected = {expected_test(path) for path in sources()}
    strays = [
        str(path.relative_to(PROJECT))
        for path in sorted(TESTS.rglob("test_*.py"))
        if path not in expected and path.name not in whole_project
    ]
    assert not strays, f"tests mirror src; these have no module: {', '.join(strays)}"


def test_dependencies_are_what_the_source_imports() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=!~\[; ]", item)[0].lower() for item in project["dependencies"]}
    built_in = {*sys.stdlib_module_names, "tomllib"}  # the latter since Python 3.11; `tomli` stands in before
    # the GrabCut baseline, the large image of `bench`, `annotate --cluster`: each says how to get it
    optional = {"cv2", "zarr", "distributed"}
    used = {
        DISTRIBUTIONS.get(top, top).lower()
        for path in sources()
        for found in imports(path)
        if (top := found.module.split(".")[0]) not in {*built_in, PACKAGE, *optional} and not found.typing
    }
    assert used - declared == set(), "imported, but not in `dependencies`"
    assert declared - used == set(), "in `dependencies`, but not imported"
