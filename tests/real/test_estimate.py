"""The proxy's estimate of a prompt against the count of a real llama.cpp, on what the real client sends.

The requests are recorded from sessions with a scripted model: a greeting, a loop of tool calls, a long text of code.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ccp_core.protocol import grammar
from ccp_core.testing import Conversation, ThreadedUpstream, ToolCall, Turn, scripted
from ccp_core.testing.claude_client import ClaudeClient
from ccp_core.testing.proxy_app import RunningProxy

from .conftest import LlamaServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

CODE = Path(grammar.__file__).read_text(encoding="utf-8")
TOLERANCE = 0.15
SIMPLE = {"CLAUDE_CODE_SIMPLE": "1"}
"""The client's shortest instructions, which fit into the small model's context."""

Body = dict[str, Any]


def looks_around(conversation: Conversation) -> Turn:
    """A model that calls tools three times before it answers."""
    calls = [
        ToolCall("Bash", {"command": "ls -l", "description": "List the files"}),
        ToolCall("Read", {"file_path": "grammar.py", "limit": 80}),
        ToolCall("Bash", {"command": "wc grammar.py && tail -20 grammar.py", "description": "See its end"}),
    ]
    if conversation.tool_turns < len(calls):
        return Turn(text="I look.", tool_calls=[calls[conversation.tool_turns]])
    return Turn(text="It is fine.")


def bodies(prompt: str, folder: Path, env: Mapping[str, str]) -> list[Body]:
    """The requests of one session of the real client, in their order."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "grammar.py").write_text(CODE, encoding="utf-8")
    with ThreadedUpstream(
        scripted(looks_around if "Look" in prompt else lambda _: Turn(text="Hello."))
    ) as model:
        run = ClaudeClient.find().run(prompt, base_url=model.url, folder=folder, env=env)
        assert run.exit_code == 0, run.stderr
        return [call.json for call in model.model_calls]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Body]:
    """Five requests that the server is going to answer."""
    folder = tmp_path_factory.mktemp("simple")
    asked = bodies("Say hello.", folder / "first", SIMPLE) + bodies("Look at it.", folder / "loop", SIMPLE)
    assert len(asked) == 5
    return asked


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Body]:
    """Three requests of other sessions, with the client's usual instructions and all its tools."""
    folder = tmp_path_factory.mktemp("usual")
    return {
        "first turn": bodies("Say hello.", folder / "first", {})[-1],
        "tool loop": bodies("Look at it.", folder / "loop", {})[-1],
        "long code": bodies(f"Review this:\n{CODE * 3}", folder / "long", {})[-1],
    }


def counted(server: LlamaServer, body: Body) -> int:
    """What the server itself says."""
    asked = urllib.request.Request(
        f"{server.url}/v1/messages/count_tokens",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return int(json.load(answer)["input_tokens"])


@pytest.mark.parametrize("transport", ["anthropic", "openai"])
async def test_the_estimate_is_near_the_servers_count_after_five_answers(
    transport: str,
    chatml_server: LlamaServer,
    answered: Sequence[Body],
    estimated: Mapping[str, Body],
    start_proxy: Any,
) -> None:
    """The provider is an endpoint of the configuration, which has no counter that the proxy knows of."""
    proxy: RunningProxy = await start_proxy(
        {
            "models": {"default": "somewhere/local-model"},
            "providers": {"somewhere": {"base_url": f"{chatml_server.url}/v1", "transport": transport}},
            "limits": {"rate": 0},
        }
    )
    for body in answered:
        reply = await proxy.post({**body, "max_tokens": 1, "stream": False})
        assert reply.status == 200, reply.body
    wrong = {}
    for name, body in estimated.items():
        estimate = (await proxy.post(body, "/v1/messages/count_tokens")).json["input_tokens"]
        count = counted(chatml_server, body)
        print(f"{transport}, {name}: estimated {estimate}, counted {count}, {estimate / count - 1:+.1%}")
        if abs(estimate / count - 1) > TOLERANCE:
            wrong[name] = (estimate, count)
    assert not wrong
