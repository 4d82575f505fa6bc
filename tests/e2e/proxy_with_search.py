"""``ccp`` whose web search asks an engine of the tests: it finds one page, and no network is used."""

from __future__ import annotations

from collections.abc import Sequence

import ccp_web_tools
from ccp_web_tools.answer import WebTools
from ccp_web_tools.search import Hit

from ccp_core.cli.main import main


def engine(query: str, count: int) -> Sequence[Hit]:
    """One page, whose text says what was searched for."""
    return [Hit("All about it", "https://tea.example/all", f"Found for {query}.")]


if __name__ == "__main__":
    ccp_web_tools._tools = WebTools(engines={"scripted": engine})
    main()
