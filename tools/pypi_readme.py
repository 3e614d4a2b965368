"""Make the links of README.md absolute, and name the project's pages in pyproject.toml: PyPI knows neither by itself.

    python tools/pypi_readme.py https://github.com/OWNER/NAME v1.2.3

The release runs it in its own checkout, before the build: README.md itself stays relative, so that it is right in every
clone, fork and branch, and pyproject.toml names no address, which a fork would have to change. Only GitHub's addresses
are known.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"

_LINK = re.compile(r"(!?)(\[[^\]\n]*\])\((?![a-z][a-z0-9+.-]*:|#)([^)\s]+)\)", re.IGNORECASE)


def absolute(text: str, repository: str, version: str) -> str:
    """The Markdown text with absolute links: pictures to their raw files, everything else to its page.

    Parameters
    ----------
    text : str
    repository : str
        Address of the repository on GitHub.
    version : str
        A tag, branch or commit that holds the files.
    """
    home = repository.removesuffix("/").removesuffix(".git")

    def target(match: re.Match[str]) -> str:
        picture, label, path = match.groups()
        return f"{picture}{label}({home}/{'raw' if picture else 'blob'}/{version}/{path})"

    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)  # code stays as it is
    return "".join(part if part.startswith("```") else _LINK.sub(target, part) for part in parts)


def with_addresses(text: str, repository: str, version: str) -> str:
    """The text of pyproject.toml with the table ``project.urls``, which PyPI and the napari hub show beside the README.

    Raises
    ------
    ValueError
        If it has such a table already, or no place for it.
    """
    home = repository.removesuffix("/").removesuffix(".git")
    place = "\n[project.scripts]\n"
    if "[project.urls]" in text or place not in text:
        raise ValueError("pyproject.toml has addresses already, or no [project.scripts] to put them before.")
    table = f"""
[project.urls]
Source = "{home}"
Documentation = "{home}/blob/{version}/docs/index.md"
Issues = "{home}/issues"
Changelog = "{home}/blob/{version}/CHANGELOG.md"
"""
    return text.replace(place, f"{table}{place}", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="address of the repository on GitHub")
    parser.add_argument("version", help="tag, branch or commit that holds the files")
    options = parser.parse_args()
    text = absolute(README.read_text(encoding="utf-8"), options.repository, options.version)
    README.write_text(text, encoding="utf-8", newline="\n")
    project = README.parent / "pyproject.toml"
    named = with_addresses(project.read_text(encoding="utf-8"), options.repository, options.version)
    project.write_text(named, encoding="utf-8", newline="\n")
    print(README, project)


if __name__ == "__main__":
    main()
