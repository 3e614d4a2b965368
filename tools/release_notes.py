"""Print the notes of a release, if everything agrees with its tag.

    python tools/release_notes.py v0.1.0 [https://github.com/OWNER/NAME]

The version of the package, a dated section of the changelog and the citation must all name the version of the tag.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pypi_readme import absolute

PROJECT = Path(__file__).resolve().parent.parent
_UNPUBLISHED = "Nothing has been published yet"
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def main(tag: str = "", repository: str = "", project: Path = PROJECT) -> int:
    """``repository`` is its address on GitHub, for the links of the notes: a release page has no neighbours."""
    problems = disagreements(tag, project)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    notes, _ = sections(project)[tag.removeprefix("v")]
    if repository:
        notes = absolute(notes, repository, tag)
    sys.stdout.buffer.write(f"{notes}\n".encode())  # Windows would write another encoding
    return 0


def disagreements(tag: str, project: Path = PROJECT) -> list[str]:
    """What must be mended before this tag is released, a sentence each."""
    version = tag.removeprefix("v")
    if not re.fullmatch(r"v\d+\.\d+\.\d+(rc\d+)?", tag):
        return [f"The tag '{tag}' is not of the form v1.2.3 or v1.2.3rc1."]
    problems = []
    if (packaged := package_version(project)) != version:
        problems.append(f"The package says {packaged}, the tag {version}: change src/napari_dextr/__init__.py.")
    if (cited := citation_version(project)) != version:
        problems.append(f"CITATION.cff says {cited}, the tag {version}.")
    notes, date = sections(project).get(version, ("", ""))
    if not notes or not date:
        problems.append(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD' with something in it.")
    if _UNPUBLISHED in notes:
        problems.append(f"CHANGELOG.md still says '{_UNPUBLISHED}' in the section of {version}: take it out.")
    if not date_released(project):
        problems.append("CITATION.cff has no date-released: YYYY-MM-DD.")
    return problems


def package_version(project: Path = PROJECT) -> str:
    """The version that the package states."""
    return _found(r'^__version__ = "(.+)"$', project / "src" / "napari_dextr" / "__init__.py")


def citation_version(project: Path = PROJECT) -> str:
    """The version that the citation states."""
    return _found(r"^version: (.+)$", project / "CITATION.cff").strip("\"'")


def sections(project: Path = PROJECT) -> dict[str, tuple[str, str]]:
    """Text and date ("" for none) of each version in the changelog, newest first."""
    text = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    ends = [*(heading.start() for heading in headings), len(text)][1:]
    return {
        heading["version"]: (text[heading.end() : end].strip(), heading["date"] or "")
        for heading, end in zip(headings, ends, strict=True)
    }


def date_released(project: Path = PROJECT) -> str:
    """The day of the release that the citation states; empty where it states none."""
    found = _found(r"^date-released: [\"']?(\d{4}-\d{2}-\d{2})[\"']?$", project / "CITATION.cff")
    return "" if found == "nothing" else found


def _found(pattern: str, file: Path) -> str:
    match = re.search(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else "nothing"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
