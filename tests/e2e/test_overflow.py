"""Conversations that every provider finds too long, in its own words: the real client compacts and goes on.

One session for each of the providers' recorded refusals, so they run only when asked for: ``nox -s slow``, or
``python -m pytest tests/e2e/test_overflow.py -m slow``; ``CCP_E2E_CLIENT`` chooses the client.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ccp_core.testing import (
    Answer,
    Fixture,
    RecordedRequest,
    ThreadedUpstream,
    ToolCall,
    Turn,
    load_fixtures,
    read_conversation,
    say,
)
from ccp_core.testing.claude_client import ClaudeClient
from ccp_core.testing.proxy_process import ProxyProcess

from .scenarios import around_compaction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLUGINS = Path(__file__).parents[2] / "plugins"
IDS = {"ccp_nim": "nvidia_nim", "ccp_openrouter": "open_router", "ccp_openai_compat": "friendliai"}
"""Providers whose folder has another name; a refusal that many servers make stands for one of them."""
REFUSALS = load_fixtures(PLUGINS, "error_*_overflow*.json")

ENOUGH = 8
"""Turns with tools after which the conversation is too long."""


def provider_of(refusal: Fixture) -> str:
    folder = refusal.path.parents[2].name
    return IDS.get(folder, folder)


@pytest.mark.parametrize("refusal", REFUSALS, ids=[f"{provider_of(one)}-{one.name}" for one in REFUSALS])
def test_the_client_compacts_when_a_provider_refuses_a_long_conversation(
    refusal: Fixture, client: ClaudeClient, tmp_path: Path
) -> None:
    asked: list[str] = []

    def upstream_of_the_provider(request: RecordedRequest) -> Answer:
        conversation = read_conversation(request)
        if (turn := around_compaction(conversation, asked)) is not None:
            return say(request, turn)
        if conversation.tool_turns >= ENOUGH:
            asked.append("too long")
            return refusal.answer()
        call = ToolCall("Bash", {"command": f"echo {'word ' * 200}", "description": "say words"})
        return say(request, Turn(tool_calls=[call]))

    provider = provider_of(refusal)
    with ThreadedUpstream(upstream_of_the_provider) as upstream:
        settings = {
            "models": {"default": f"{provider}/some/model"},
            "providers": {provider: {"base_url": upstream.base_url, "api_key": "key-of-the-fake-upstream"}},
            "limits": {"rate": 0},
        }
        with ProxyProcess(settings, folder=tmp_path / "proxy") as proxy:
            run = client.run("Find out what I like.", base_url=proxy.url, folder=tmp_path / "client")
    assert run.exit_code == 0, f"{asked}\n{run.result_text}\n{run.stderr}"
    assert run.result_text == "Tea it is."
    *refused, last, after = asked
    assert set(refused) == {"too long"}  # several times, where a shorter answer might do
    assert (last, after) == ("summary", "compacted")


@pytest.mark.parametrize("provider", ["nvidia_nim", "ollama"])
def test_the_client_compacts_when_the_proxy_knows_that_a_conversation_is_too_long(
    provider: str, client: ClaudeClient, tmp_path: Path
) -> None:
    """The upstream would take everything, or cut it without a word; the settings tell the window."""
    asked: list[str] = []

    def patient(request: RecordedRequest) -> Answer:
        conversation = read_conversation(request)
        if (turn := around_compaction(conversation, asked)) is not None:
            return say(request, turn)
        asked.append("turn")
        if conversation.tool_turns > 2 * ENOUGH:
            return say(request, Turn(text="Nobody has told me to stop."))
        noise = "head -c 20000 /dev/urandom | base64 | head -c 20000"
        return say(request, Turn(tool_calls=[ToolCall("Bash", {"command": noise, "description": "noise"})]))

    with ThreadedUpstream(patient) as upstream:
        own = {"base_url": upstream.base_url, "api_key": "key", "context_windows": {"some/model": 45_000}}
        settings = {
            "models": {"default": f"{provider}/some/model"},
            "providers": {provider: own},
            "limits": {"rate": 0},
        }
        with ProxyProcess(settings, folder=tmp_path / "proxy") as proxy:
            run = client.run("Find out what I like.", base_url=proxy.url, folder=tmp_path / "client")
    assert run.exit_code == 0, f"{asked}\n{run.result_text}\n{run.stderr}"
    assert run.result_text == "Tea it is."
    assert asked[-3:] == ["turn", "summary", "compacted"]
