"""docs/troubleshooting.md quotes the proxy's messages as the source has them."""

from __future__ import annotations

import ast
import re

import pytest

from .pages import DOCS, ROOT, Page

SECTIONS = dict(Page(DOCS / "troubleshooting.md").sections(2))
OURS = ("The proxy says", "At the start")
GAP = "\0"
"""Where the source fills something in."""


def messages(text: str) -> list[str]:
    """The quoted messages of a section: its headings, and reasons in the first column of its tables."""
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    quoted = [code for heading in headings for _, code in re.findall(r"(`+)(.+?)\1", heading)]
    reasons = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    return quoted + [code for reason in reasons for code in re.findall(r"`(.+?)`", reason)]


def texts() -> set[str]:
    """Every text in the source, with gaps where values are filled in."""
    found = set()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").rglob("src/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else GAP for part in node.values]
                found.add("".join(map(str, parts)))
    return found


TEXTS = texts()


@pytest.mark.parametrize("message", [message for title in OURS for message in messages(SECTIONS[title])])
def test_a_quoted_message_is_in_the_source(message: str) -> None:
    """Piece by piece: ``…`` stands for what the source fills in."""
    pieces = [piece.strip(" .:") for piece in message.split("…") if piece.strip(" .:")]
    assert pieces
    assert [piece for piece in pieces if not any(piece in text for text in TEXTS)] == []


@pytest.mark.parametrize("title", OURS)
def test_every_heading_is_a_quoted_message(title: str) -> None:
    """So that none escapes the test above."""
    headings = re.findall(r"^### (.+)$", SECTIONS[title], re.MULTILINE)
    assert headings
    assert [heading for heading in headings if "`" not in heading] == []


def test_every_error_of_a_provider_has_its_section() -> None:
    """A new kind of error text is noticed: each that server.errors can make is quoted."""
    quoted = [
        [piece.strip(" .:") for piece in message.split("…") if piece.strip(" .:")]
        for message in messages(SECTIONS["The proxy says"])
    ]
    tree = ast.parse((ROOT / "src/ccp_core/server/errors.py").read_text(encoding="utf-8"))
    made = [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any(isinstance(n, ast.Return) for n in ast.walk(node))
        if (node.returns and ast.unparse(node.returns) == "ApiError" and node.name != "api_error")
    ]
    assert len(made) >= 10
    missing = [text for text in made if not any(all(piece in text for piece in pieces) for pieces in quoted)]
    assert missing == []
