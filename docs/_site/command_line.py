"""The command line as a page: every command with every option, read from the program itself."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from napari_dextr.cli import app

_PLAIN = {Path: "path", str: "text", int: "integer", float: "number"}
_BOLD = re.compile(r"\[/?bold\]")
_OPTION = re.compile(r"(?<![\w`-])--[a-z][a-z-]*[a-z]")


@dataclass(frozen=True)
class Entry:
    """An argument or option.

    Attributes
    ----------
    names : tuple of str
        As typed: ``("--output", "-o")``; the placeholder of an argument.
    takes : str
        What stands behind it; empty for a flag.
    default : str
        Empty where there is none to tell.
    """

    names: tuple[str, ...]
    takes: str
    default: str
    text: str
    panel: str
    required: bool
    is_argument: bool


def reference() -> str:
    """The page: the program, then its commands in the order of ``--help``."""
    program: Any = typer.main.get_command(app)
    parts = [_prose(program.help), _table(_entries(program)), *_commands(program, "napari-dextr", level=2)]
    return "\n\n".join(parts)


def _commands(group: Any, before: str, level: int) -> Iterator[str]:
    """A section for each command of a group, and for the commands below it."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        entries, whole = tuple(_entries(command)), f"{before} {name}"
        below = getattr(command, "commands", None)
        usage = " ".join((whole, *_required(entries), "[OPTIONS]", *(["[COMMAND]"] if below else [])))
        title = whole.removeprefix("napari-dextr ")
        yield f"{'#' * level} {title} {{ #{title.replace(' ', '-')} }}"
        yield f"```text\n{usage}\n```"
        yield _prose(command.help)
        yield from (_panel(panel, entries) for panel in dict.fromkeys(entry.panel for entry in entries))
        if below:
            yield from _commands(command, whole, level + 1)


def _kind(hint: Any) -> Any:
    """``list[Path] | None`` is a Path."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return _kind(next(each for each in typing.get_args(hint) if each is not type(None)))
    return _kind(typing.get_args(hint)[0]) if typing.get_origin(hint) is list else hint


def _entries(command: Any) -> Iterator[Entry]:
    hints = typing.get_type_hints(inspect.unwrap(command.callback))
    for param in command.params:
        if getattr(param, "hidden", False):
            continue
        is_argument = param.param_type_name == "argument"
        kind = _kind(hints.get(param.name))
        names = (param.metavar or param.name.upper(),) if is_argument else (*param.opts, *param.secondary_opts)
        yield Entry(
            names,
            "" if is_argument or getattr(param, "is_flag", False) else _takes(param, kind),
            _default(param),
            param.help or "",
            getattr(param, "rich_help_panel", None) or ("Arguments" if is_argument else "Options"),
            bool(param.required),
            is_argument,
        )


def _takes(param: Any, kind: Any) -> str:
    if param.metavar:
        return str(param.metavar).strip("[]")
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return " | ".join(str(each.value) for each in kind)
    ranged = param if hasattr(param, "min") else getattr(param, "type", None)  # typer before and since 0.26
    low, high = (getattr(ranged, end, None) for end in ("min", "max"))
    bounds = {
        (True, True): f" {low:g} to {high:g}" if None not in (low, high) else "",
        (True, False): f" ≥ {low:g}" if low is not None else "",
        (False, True): f" ≤ {high:g}" if high is not None else "",
    }.get((low is not None, high is not None), "")
    return _PLAIN.get(kind, "value") + bounds


def _default(param: Any) -> str:
    shown, value = getattr(param, "show_default", True), param.default
    if isinstance(shown, str):
        return shown
    if not shown or value is None or value is False or callable(value) or value in ((), []):
        return ""
    return str(value.value if isinstance(value, Enum) else value)


def _required(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.is_argument:
            yield entry.names[0] if entry.required else f"[{entry.names[0].strip('[]')}]"
        elif entry.required:
            yield f"{entry.names[0]} {entry.takes.upper()}"


def _panel(title: str, entries: Iterable[Entry]) -> str:
    mine = [entry for entry in entries if entry.panel == title]
    heading = "" if title == "Options" or mine[0].is_argument else f"**{title}**\n\n"
    return heading + _table(mine)


def _table(entries: Iterable[Entry]) -> str:
    entries = list(entries)
    head = "argument" if entries and entries[0].is_argument else "option"
    rows = [f"| {head} | what it does | default |", "|---|---|---|"]
    for entry in entries:
        names = " ".join(f"`{name}`{{ .option }}" for name in entry.names)
        takes = f"<br><small>{_cell(entry.takes)}</small>" if entry.takes else ""
        default = "**required**" if entry.required else f"`{entry.default}`" if entry.default else ""
        rows.append(f"| {names}{takes} | {_cell(entry.text)} | {default} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    """Text that a cell of a table may hold."""
    pieces = re.split(r"(`[^`]*`)", text)
    pieces[::2] = [piece.replace("|", "&#124;").replace("<", "&lt;").replace("*", r"\*") for piece in pieces[::2]]
    return "".join(pieces)


def _prose(text: str | None) -> str:
    """The help of a command: paragraphs, and its examples as code."""
    blocks: list[str] = []
    code = False
    for paragraph in _BOLD.sub("**", text or "").split("\n\n"):
        indented = paragraph.startswith("    ")
        lines = inspect.cleandoc(paragraph) if indented else _OPTION.sub(r"`\g<0>`", paragraph)
        if indented and code:
            blocks[-1] = blocks[-1].removesuffix("\n```") + f"\n{lines}\n```"
        else:
            blocks.append(f"```sh\n{lines}\n```" if indented else lines)
        code = indented
    return "\n\n".join(blocks)
