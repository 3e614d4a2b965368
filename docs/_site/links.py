"""Links of files of the repository, as they must be on the site's pages."""

from __future__ import annotations

import os
import re
from pathlib import Path

DOCS = Path(__file__).parent.parent
PROJECT = DOCS.parent

HOMES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "src/napari_dextr/models/weights/MODEL_CARD.md": "embedded_model.md",
}
"""Files of the repository to the pages that show them: links to the ones become links to the others."""

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<rest>#[^)\s]*)?(?=[)\s])")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_NOWHERE = "\0"  # stands for what no page shows
_NAMED = re.compile(rf"\[([^\]]*)\]\({_NOWHERE}\)")


def settled(markdown: str, file: Path, page: str) -> str:
    """The text of a file with its links as they must be on a page; what is no page is named without a link.

    Parameters
    ----------
    markdown : str
    file : Path
        Where the text stands; its links start there.
    page : str
        Where it is shown, relative to the folder of pages.
    """

    def settle(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(file.parent / found["path"]))
        if not target.is_relative_to(PROJECT):
            return found[0]
        home = HOMES.get(target.relative_to(PROJECT).as_posix())
        if home is None and not target.is_relative_to(DOCS):
            return _NOWHERE
        target = target if home is None else DOCS / home
        return Path(os.path.relpath(target, (DOCS / page).parent)).as_posix() + (found["rest"] or "")

    pieces = _CODE.split(markdown)  # every second one is code, where nothing is a link
    pieces[::2] = [_LINK.sub(settle, piece) for piece in pieces[::2]]
    # A bar in code in a table: GitHub wants it escaped, Python's Markdown then shows the backslash.
    pieces[1::2] = [piece if piece.startswith("```") else piece.replace(r"\|", "|") for piece in pieces[1::2]]
    return _NAMED.sub(r"\1", "".join(pieces))
