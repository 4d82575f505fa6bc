"""The documentation as data: pages, headings, links, and what stands in code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from attrs import define

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(?P<marks>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=marks)$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


@define(slots=False)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """All of it; a page that includes another file has that file's text."""
        return self.source + "".join(path.read_text(encoding="utf-8") for path in self.includes)

    @property
    def includes(self) -> list[Path]:
        """The files that are shown in it."""
        names = [info.partition(" ") for info, _ in self.blocks]
        return [(self.path.parent / name).resolve() for what, _, name in names if what == "{include}"]

    @property
    def source(self) -> str:
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Its fenced blocks: what stands behind the backticks, and the text."""
        return [(block["info"].strip(), block["text"]) for block in _FENCE.finditer(self.source)]

    @property
    def prose(self) -> str:
        """The text outside the blocks."""
        return _FENCE.sub("", self.source)

    @property
    def inline(self) -> list[str]:
        """Code inside sentences and tables."""
        return [" ".join(code.split()).strip() for _, code in _INLINE.findall(self.prose)]

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        return _LINK.findall(_INLINE.sub(lambda code: "_" * len(code[0]), self.prose))

    @cached_property
    def anchors(self) -> set[str]:
        """The fragments that lead to its headings, as GitHub and the site make them."""
        found: dict[str, int] = {}
        for _, title in _HEADING.findall(_FENCE.sub("", self.text)):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
        return {*found, *(f"{slug}-{n}" for slug, last in found.items() for n in range(1, last + 1))}

    def sections(self, level: int) -> Iterator[tuple[str, str]]:
        """Headings of a level with the text below them."""
        parts = re.split(rf"^{'#' * level} (.+)$", self.source, flags=re.MULTILINE)
        yield from zip(parts[1::2], parts[2::2], strict=True)


PAGES = [Page(path) for path in sorted(DOCS.rglob("*.md"))]
READMES = [
    *(Page(ROOT / name) for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(
        Page(path)
        for folder in ("plugins", "examples", "benchmarks")
        for path in sorted((ROOT / folder).rglob("README.md"))
    ),
]
EVERY_PAGE = [*PAGES, *READMES]
