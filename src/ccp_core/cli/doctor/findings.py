"""What the doctor found, and how it is shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from textwrap import TextWrapper
from typing import Literal

import click
from attrs import frozen

Status = Literal["ok", "warning", "problem", "unknown"]

_COLORS = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": None}


@frozen
class Finding:
    """One thing that was looked at. ``cure`` says what to do about a warning or a problem."""

    check: str
    status: Status
    text: str
    cure: str = ""


@frozen
class Section:
    """The findings about one thing: this machine, a provider, a model."""

    title: str
    findings: Sequence[Finding]

    def lines(self) -> Iterator[str]:
        """The section for people, within the width of the terminal."""
        width = max(40, min(100, shutil.get_terminal_size().columns))
        yield click.style(self.title, bold=True)
        label = max((len(finding.check) for finding in self.findings), default=0)
        for finding in self.findings:
            status = click.style(f"{finding.status:<7}", fg=_COLORS[finding.status])
            indent = " " * (13 + label)
            # Addresses and paths stay whole, so that they can be copied.
            fill = TextWrapper(width - len(indent), break_long_words=False, break_on_hyphens=False)
            first, *rest = fill.wrap(finding.text) or [""]
            yield f"  {status}  {finding.check:<{label}}  {first}"
            yield from (indent + line for line in rest)
            fill.width -= len("-> ")
            for number, line in enumerate(fill.wrap(finding.cure)):
                yield f"{indent}{'->' if not number else '  '} {line}"


def count(sections: Iterable[Section], status: Status) -> int:
    """How many findings have this status."""
    return sum(finding.status == status for section in sections for finding in section.findings)
