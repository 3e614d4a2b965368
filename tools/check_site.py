"""Look into the built documentation: `python tools/check_site.py site`.

Every link inside it must lead somewhere, to its anchor as well; no page may fetch anything from elsewhere; no picture
is without words for those who cannot see it. Links to other sites are not followed.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself when it shows a page.
FETCHED = {*((tag, "src") for tag in ("script", "img", "iframe", "source", "video")), ("video", "poster")}
STYLES = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "dns-prefetch"}
URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Page(HTMLParser):
    """Links, anchors and fetched files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.mute: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        for name, value in values.items():
            if (tag, name) in FETCHED:
                self.fetched.append(value)
        if tag == "link" and STYLES & set(values.get("rel", "").split()):
            self.fetched.append(values.get("href", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img" and not values.get("alt"):
            self.mute.append(values.get("src", "?"))


def main() -> int:
    site = Path(sys.argv[1])
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    if not pages:
        sys.exit(f"There is no site in '{site}'; build it first: make docs.")
    problems = [problem for path, page in pages.items() for problem in check_page(site, path, page, pages)]
    for path in sorted(site.rglob("*.css")):
        found = (match[1] or match[2] for match in URL.finditer(path.read_text(encoding="utf-8")))
        problems += [f"{path.relative_to(site)}: fetches {url}" for url in found if is_elsewhere(url)]
    for problem in problems:
        print(problem, file=sys.stderr)
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages, {links} links, {len(problems)} problems")
    return 1 if problems else 0


def check_page(site: Path, path: Path, page: Page, pages: dict[Path, Page]) -> list[str]:
    """What is wrong with a page, in sentences."""
    name = path.relative_to(site)
    problems = [f"{name}: fetches {url}" for url in page.fetched if is_elsewhere(url)]
    problems += [f"{name}: the picture {url} has no words (alt)" for url in page.mute]
    for url in [*page.links, *(url for url in page.fetched if not is_elsewhere(url))]:
        if is_elsewhere(url) or url.startswith(("mailto:", "data:", "javascript:")):
            continue
        parts = urlsplit(url)
        base = site if parts.path.startswith("/") else path.parent
        target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path.resolve()
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file():
            if path.name != "404.html":  # its links are absolute, for the place where the site will be
                problems.append(f"{name}: there is no {url}")
        elif parts.fragment and target.suffix == ".html":
            there = next((page for other, page in pages.items() if other.resolve() == target), None)
            if there is None or unquote(parts.fragment) not in there.anchors:
                problems.append(f"{name}: {url} has no such anchor")
    return problems


def is_elsewhere(url: str) -> bool:
    """Whether a URL leads to another site."""
    return bool(urlsplit(url).netloc)


if __name__ == "__main__":
    sys.exit(main())
