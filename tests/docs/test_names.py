"""Every command, option, setting and variable that the documentation names exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from ccp_core.cli.main import cli
from ccp_core.config.catalog import PROVIDER_SETTINGS, SECTIONS, SETTINGS, variables
from ccp_core.config.names import CONFIG_VARIABLE, KNOWN_PROVIDERS, REPLACED

from .pages import EVERY_PAGE, ROOT, Page

OURS = {
    *variables(
        {
            **{name: known.prefixes for name, known in KNOWN_PROVIDERS.items()},
            **{name: (name,) for name in ("P", "ACME", "MY_GATEWAY")},
        }
    ),
    *REPLACED,
    CONFIG_VARIABLE,
}
CLIENT = {
    *("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS"),
    *(
        "ANTHROPIC_MODEL",
        *(f"ANTHROPIC_DEFAULT_{tier}_MODEL" for tier in ("OPUS", "SONNET", "HAIKU", "FABLE")),
    ),
    *("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY", "CLAUDE_CONFIG_DIR"),
    *("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"),
    *("CLAUDE_CODE_ATTRIBUTION_HEADER", "CLAUDE_CODE_EXTRA_BODY", "CLAUDE_CODE_SUBAGENT_MODEL"),
    *("CLAUDE_CODE_AUTO_COMPACT_WINDOW", "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE", "CLAUDE_CODE_MAX_OUTPUT_TOKENS"),
    *("CLAUDE_CODE_MAX_RETRIES", "API_TIMEOUT_MS", "ENABLE_TOOL_SEARCH"),
}
"""What Claude Code reads; each name was found in the program itself."""

SUFFIXES = {setting.variable for setting in PROVIDER_SETTINGS.values()}


def commands(page: Page) -> Iterator[list[str]]:
    """The words of every call of ccp: what sentences have in code, and what lines of a shell hold."""
    shell = (text for info, text in page.blocks if info in ("sh", "powershell", ""))
    lines = [line for text in shell for line in text.splitlines()]
    inside = [call for line in lines for call in re.findall(r"(?:^|[;|(=/ ])(ccp [a-z-].*)", line)]
    for call in [*inside, *(code for code in page.inline if re.match(r"ccp [a-z-]", code))]:
        yield shlex.split(re.split(r"[;|)]| # | {2,}", call)[0])


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_commands_exist_with_their_options(page: Page) -> None:
    """``ccp models groq --json`` names a command, and an option that it has."""
    unknown = []
    for words in commands(page):
        command: click.Command = cli
        for word in words[1:]:
            if word == "--":
                break
            if word.startswith("-"):
                known = {option for parameter in command.params for option in parameter.opts}
                if word.partition("=")[0] not in {*known, "--help", "--version"}:
                    unknown.append(" ".join(words))
            elif isinstance(command, click.Group):
                found = command.get_command(click.Context(command), word)
                if found is None:
                    unknown.append(" ".join(words))
                command = found or click.Command("none")
    assert unknown == []


def names(page: Page) -> Iterator[str]:
    """What looks like a variable in code."""
    for text in [*page.inline, *(text for info, text in page.blocks if info not in ("python", "text"))]:
        yield from re.findall(r"(?<![\w.…/])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w…])", text)


OTHERS = {
    *("NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "XDG_STATE_HOME"),  # the operating system's
    *("LIMIT_NOFILE", "OLLAMA_CONTEXT_LENGTH"),  # other programs'
    *("CCP_E2E_CLIENT", "CCP_LLAMA_SERVER"),  # the tests'
    "TOOL_CALLS",  # what a model writes
}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_variables_exist(page: Page) -> None:
    """They are settings of ccp, or variables that Claude Code reads."""
    assert [name for name in names(page) if name not in {*OURS, *CLIENT, *OTHERS}] == []


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_suffixes_of_variables_exist(page: Page) -> None:
    """``…_API_KEY`` stands for that variable of every provider."""
    suffixes = [name for code in page.inline for name in re.findall(r"…_([A-Z_]+)$", code)]
    client = {name.removeprefix("ANTHROPIC_DEFAULT_") for name in CLIENT}
    assert [name for name in suffixes if name not in {*SUFFIXES, *client}] == []


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_settings_exist(page: Page) -> None:
    """``server.port`` and ``providers.NAME.proxy`` are keys of ccp.toml, ``[limits]`` is a table."""
    unknown = []
    for code in page.inline:
        match code.split("."):
            case ["server", "log"]:
                pass  # the file
            case [section, key] if section in SECTIONS and re.fullmatch(r"[a-z_]+", key):
                if (section, key) not in SETTINGS:
                    unknown.append(code)
            case ["providers", _, key, *_] if key.rstrip("]") not in PROVIDER_SETTINGS:
                unknown.append(code)
        if (table := re.fullmatch(r"\[([a-z_]+)\]", code)) and table[1] not in SECTIONS:
            unknown.append(code)
    assert unknown == []


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_source_files_exist(page: Page) -> None:
    """``upstream/exchange.py`` is a module of the core, ``usage.py`` one beside the page."""
    paths = [code for code in page.inline if re.fullmatch(r"[\w.-]+(/[\w.-]+)*\.py", code)]
    places = (ROOT, ROOT / "src" / "ccp_core", page.path.parent)
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []
