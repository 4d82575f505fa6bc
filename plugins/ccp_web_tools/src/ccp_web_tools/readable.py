"""The readable text of a document. Blocking, and made of hostile input: to be run in a thread, with a time
cap."""

from __future__ import annotations

from itertools import islice

from attrs import frozen

_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = {
    "application/json",
    "application/xml",
    "application/javascript",
    "application/yaml",
    "application/toml",
}
_TEXT_ENDINGS = ("+json", "+xml", "+yaml")

_MAX_ELEMENTS = 10_000
"""To find the article among more of them takes gigabytes and minutes: both grow with the square of their number."""


@frozen
class Readable:
    """What a document says: its title (may be empty), and its text, as Markdown where it was HTML."""

    title: str
    text: str


def is_readable(media_type: str) -> bool:
    """Whether documents of this type have text that can be shown."""
    return media_type.startswith("text/") or media_type in _HTML | _TEXT or media_type.endswith(_TEXT_ENDINGS)


def readable(body: bytes, media_type: str, charset: str | None, url: str) -> Readable:
    """The text of a document that is_readable; may be empty."""
    if media_type not in _HTML:
        return Readable("", _decoded(body, charset or "utf-8"))
    import trafilatura  # half a second to import, so only when a page is read

    tree = trafilatura.load_html(_decoded(body, charset) if charset else body)
    if tree is None:  # not enough of a page to be one
        return Readable("", _decoded(body, charset or "utf-8"))
    title = " ".join((tree.findtext(".//title") or "").split())
    if next(islice(tree.iter(), _MAX_ELEMENTS, None), None) is not None:
        return Readable(title, trafilatura.html2txt(tree))
    text = trafilatura.extract(
        tree,
        url=url,
        output_format="markdown",
        include_comments=False,
        include_links=True,
        include_tables=True,
        favor_recall=True,
    )
    return Readable(title, text or trafilatura.html2txt(tree))


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, errors="replace")
    except (LookupError, ValueError):  # no charset, or none that takes everything
        return body.decode("utf-8", errors="replace")
