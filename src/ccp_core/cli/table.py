"""Rows as lines with columns below each other, for terminals of any width."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = "  "

_LEAST_FIRST = 30
"""Letters of the first column that are shown at the least; rather than these, the last columns are given up."""


def aligned(rows: Sequence[Sequence[str]], room: int | None = None) -> list[str]:
    """Rows as lines with columns below each other.

    With ``room`` the lines have at most so many letters, where that can be: the first column gives way, and a
    first cell that is longer, or a last one that does not fit, has a line of its own.
    """
    widths = widths_of(rows)
    if room is None:
        return [line_of(row, widths) for row in rows]
    left = room - sum(widths[1:]) - len(_GAP) * (len(widths) - 1)
    if left >= _LEAST_FIRST:
        widths[0] = min(widths[0], left)
    lines: list[str] = []
    for first, *others in rows:
        if len(first) > widths[0]:
            lines.append(first)
            first = ""
        line = line_of((first, *others), widths)
        if len(line) > room:
            lines.append(line_of((first, *others[:-1]), widths))
            line = f"{_GAP}{others[-1]}"
        lines.append(line)
    return lines


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column in letters."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def line_of(row: Sequence[str], widths: Sequence[int]) -> str:
    """A row as a line, with columns of these widths; of a cell that is longer the middle is left out."""
    return _GAP.join(
        _without_middle(cell, width).ljust(width) for cell, width in zip(row, widths, strict=False)
    ).rstrip()


def narrowed(widths: Sequence[int], room: int) -> list[int]:
    """``widths`` for lines of at most ``room`` letters: the first column gives way, then the last ones are dropped."""
    kept = list(widths)
    while len(kept) > 1 and _LEAST_FIRST + sum(kept[1:]) + len(_GAP) * (len(kept) - 1) > room:
        kept.pop()
    kept[0] = min(kept[0], room - sum(kept[1:]) - len(_GAP) * (len(kept) - 1))
    return kept


def _without_middle(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    end = (width - 1) * 2 // 3  # names of one family differ at their ends
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
