"""How the site is made of these pages: ``python3 dev.py docs``. Any warning ends the build.

The pages are plain Markdown that reads well without the site too. What differs is put right here: titles of code
blocks, and links to files that are no pages.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

project = "ccp"
author = "the authors of ccp"
copyright = author

extensions = ["myst_parser", "sphinx_copybutton"]
nitpicky = True
highlight_language = "none"
myst_heading_anchors = 3

html_theme = "furo"
html_title = "ccp"
smartquotes = False  # messages are searched for as they are shown
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["ccp.css"]
html_theme_options = {"footer_icons": []}

DOCS = Path(__file__).parent

_TITLED_BLOCK = re.compile(r'^```(\w+) (title|append)="([^"]+)"$', re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((\.\.?/[^)#]+)(#[^)]*)?\)")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _adapt_page)


def _adapt_page(app: Sphinx, name: str, source: list[str]) -> None:
    folder = (DOCS / name).parent
    text = _TITLED_BLOCK.sub(_captioned, source[0])
    source[0] = _LINK.sub(lambda link: link[0] if _is_page(folder / link[2]) else link[1], text)


def _captioned(block: re.Match[str]) -> str:
    language, how, title = block.groups()
    if title == "example":
        return f"```{language}"
    return f"```{{code-block}} {language}\n:caption: `{title}`{', at its end' if how == 'append' else ''}\n"


def _is_page(target: Path) -> bool:
    """Whether a link leads to a page; files beside the documentation are named, and not part of the site."""
    return target.resolve().is_relative_to(DOCS)
