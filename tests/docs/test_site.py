"""The site: every page is in the navigation, every link leads somewhere, every provider has its page."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ccp_core.config.names import KNOWN_PROVIDERS
from ccp_core.gateway import load_host
from ccp_core.provider import ProviderSpec

from .pages import DOCS, EVERY_PAGE, PAGES, ROOT, Page

SPECS = {name: load_host().providers[name] for name in KNOWN_PROVIDERS}


def navigation(page: Path = DOCS / "index.md") -> list[Path]:
    """The pages that the navigation lists, below ``page``."""
    listed = []
    for info, text in Page(page).blocks:
        if info != "{toctree}":
            continue
        for line in text.splitlines():
            name = line.partition("<")[2].rstrip(">") or line
            if name and not name.startswith(":"):
                listed += sorted(page.parent.glob(f"{name}.md"))
    return [page, *(found for entry in listed for found in navigation(entry))]


def test_every_page_is_in_the_navigation_once() -> None:
    """And the navigation names no page that is not there."""
    assert Counter(navigation()) == Counter(page.path for page in PAGES)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_links_lead_to_files_and_headings_that_exist(page: Page) -> None:
    """Also from the READMEs into the documentation, and from there to source files."""
    dead = []
    for link in page.links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("name", SPECS)
def test_the_page_of_a_provider_is_its_readme(name: str) -> None:
    """One text, wherever it is read."""
    page, distribution = Page(DOCS / "providers" / f"{name}.md"), KNOWN_PROVIDERS[name].distribution
    (readme,) = page.includes
    assert readme.read_text(encoding="utf-8").startswith(f"# {distribution}\n")
    assert page.source.startswith(f"# {SPECS[name].name}\n\nThis page is the [README of {distribution}](")


@pytest.mark.parametrize("name", SPECS)
def test_the_page_of_a_provider_says_what_is_asked_first(name: str) -> None:
    """Package, key and where it is made, address, protocol, variables; then models, thinking, limits, errors."""
    spec, page = SPECS[name], Page(DOCS / "providers" / f"{name}.md")
    prefix = spec.env_prefixes[0]
    wanted = [f"pip install ccp-core {KNOWN_PROVIDERS[name].distribution}", spec.base_url, f"{name}/"]
    wanted += [f"{prefix}_BASE_URL", f"{prefix}_PROXY".replace("LM_STUDIO_P", "LMSTUDIO_P")]
    wanted += ["Anthropic Messages" if spec.transports[0] == "anthropic" else "chat completions"]
    wanted += [f"{prefix}_TRANSPORT"] if len(spec.transports) > 1 else []
    wanted += [f"{prefix}_API_KEY", f"{prefix}_API_KEYS", spec.keys_url] if spec.needs_key else []
    wanted += ["## Models", "## Thinking", "## Limits", "## Errors", "## How sure this is"]
    said = " ".join(page.text.split())
    assert [words for words in wanted if words not in said] == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", DOCS / "providers" / "index.md"], ids=lambda path: path.name
)
def test_the_tables_of_providers_are_complete(page: Path) -> None:
    """Each provider has a row with its id, package, key and protocols."""
    rows = [line for line in Page(page).source.splitlines() if line.startswith("| [")]
    for name, spec in SPECS.items():
        (row,) = (row for row in rows if f"[{spec.name}]" in row)
        for words in (name, KNOWN_PROVIDERS[name].distribution, _protocols(spec), _first(spec, row)):
            assert words in row
    assert len(rows) == len(SPECS)


def _protocols(spec: ProviderSpec) -> str:
    return "| Messages or chat |" if len(spec.transports) > 1 else "| chat |"


def _first(spec: ProviderSpec, row: str) -> str:
    """The key to set, or where a server of one's own is looked for."""
    if spec.needs_key:
        return f"{spec.env_prefixes[0]}_API_KEY"
    return "| – |" if "| – |" in row else spec.base_url
