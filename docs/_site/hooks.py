"""What mkdocs calls while it builds the site: pages say where something generated stands, and it is put there.

``<!-- generated: NAME -->`` in a page becomes what `parts.PARTS` makes of the code, ``<!-- included: FILE -->`` the
text of a file of the repository. Nothing generated is kept in the repository, so nothing there can be out of date; who
reads a page there is told by `NOTICE`, which the site leaves out. ``SITE_URL`` in the environment says where the site
will be.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

sys.path.insert(0, str(Path(__file__).parent))

from links import DOCS, PROJECT, settled
from parts import PARTS

_GENERATED = re.compile(r"<!-- generated: (\w+) -->")
_INCLUDED = re.compile(r"<!-- included: (\S+) -->")


NOTICE = "*(This part is made with the site: `make docs`, then open `site/index.html`.)*"


def on_config(config: Any) -> Any:
    """Tell the site its address, where it has one."""
    config["site_url"] = os.environ.get("SITE_URL") or config["site_url"]
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put in what is generated or included, and let links to files of the repository lead to their pages."""
    source: str = page.file.src_uri
    markdown = settled(markdown.replace(NOTICE, ""), DOCS / source, source)
    markdown = _INCLUDED.sub(lambda found: _included(found[1], source), markdown)
    return _GENERATED.sub(lambda found: _generated(found[1], source), markdown)


def _generated(name: str, source: str) -> str:
    make: Callable[[], str] | None = PARTS.get(name)
    if make is None:
        raise PluginError(f"{source} asks for '{name}', which nothing generates; there are {', '.join(PARTS)}.")
    return make()


def _included(name: str, source: str) -> str:
    file = PROJECT / name
    if not file.is_file():
        raise PluginError(f"{source} includes '{name}', which is not there.")
    return settled(file.read_text(encoding="utf-8"), file, source)
