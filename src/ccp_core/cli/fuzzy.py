"""Finding lines by a few letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def ranked(query: str, items: Sequence[T], text: Callable[[T], str]) -> list[T]:
    """The items whose text matches every word of ``query``, the best first; of equally good ones the shorter.

    A word matches where its letters stand in their order, with or without others between them; the closer
    together, and the nearer to the beginning of a word of the text, the better. Case does not matter.
    """
    words = query.lower().split()
    if not words:
        return list(items)
    patterns = [re.compile(f"(?=({'.*?'.join(map(re.escape, word))}))") for word in words]
    scored = []
    for item in items:
        line = text(item).lower()
        badness = [_badness(pattern, line, word) for pattern, word in zip(patterns, words, strict=True)]
        if None not in badness:
            scored.append((sum(filter(None, badness)), len(line), item))
    return [item for *_, item in sorted(scored, key=lambda entry: entry[:2])]


def _badness(pattern: re.Pattern[str], text: str, word: str) -> float | None:
    """0 for a word that stands whole at a beginning; None when its letters are not there."""
    found = [
        (len(match.group(1)) - len(word)) * 10
        + (not _begins_word(text, match.start()))
        + match.start() / 1000
        for match in pattern.finditer(text)
    ]
    return min(found, default=None)


def _begins_word(text: str, position: int) -> bool:
    return position == 0 or not text[position - 1].isalnum()
