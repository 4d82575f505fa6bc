"""A real llama.cpp behind the proxy, over both transports, and the real Claude Code client in front of it.

The model is tiny: what it says is of no interest, only that it gets there and back whole.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ccp_core.testing import validate_stream
from ccp_core.testing.claude_client import ClaudeClient, ClientRun
from ccp_core.testing.proxy_app import RunningProxy
from ccp_core.testing.proxy_process import ProxyProcess
from ccp_core.upstream import catalogue

from .conftest import CONTEXT, LlamaServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BOTH = pytest.mark.parametrize("transport", ["anthropic", "openai"])
TURN: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 24,
    "messages": [{"role": "user", "content": "Say hello."}],
}
READ: dict[str, Any] = {
    "name": "Read",
    "description": "Reads a file",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string", "maxLength": 12}},
        "required": ["file_path"],
        "additionalProperties": False,
    },
}
OVERFLOW = re.compile(rf"prompt is too long: (\d+) tokens > {CONTEXT} maximum")


def config(server: LlamaServer, transport: str, **provider: Any) -> dict[str, Any]:
    return {
        "models": {"default": "llamacpp/local-model"},
        "providers": {"llamacpp": {"base_url": server.url, "transport": transport, **provider}},
        "limits": {"rate": 0},
    }


def paragraphs(count: int) -> dict[str, Any]:
    text = "".join(
        f"Paragraph {number}: some plain words that mean nothing much.\n" for number in range(count)
    )
    return {**TURN, "messages": [{"role": "user", "content": text}]}


@BOTH
async def test_text_as_a_stream_and_as_json(transport: str, server: LlamaServer, start_proxy: Any) -> None:
    """The least random answer is the same in both forms."""
    proxy: RunningProxy = await start_proxy(config(server, transport))
    streamed = await proxy.stream(TURN)
    whole = await proxy.post(TURN)
    message = validate_stream(streamed.body).message
    assert message.text
    assert whole.json["content"] == [{"type": "text", "text": message.text}]
    assert whole.json["usage"]["output_tokens"] == message.usage["output_tokens"] > 0
    assert whole.json["stop_reason"] == message.stop_reason in ("end_turn", "max_tokens")


@BOTH
async def test_thinking_may_be_asked_for_or_not(
    transport: str, server: LlamaServer, start_proxy: Any
) -> None:
    """A model that cannot think is not disturbed by the switch."""
    proxy: RunningProxy = await start_proxy(config(server, transport))
    for thinking in ({"type": "adaptive"}, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 1024}):
        reply = await proxy.post({**TURN, "thinking": thinking, "output_config": {"effort": "high"}})
        assert reply.status == 200, reply.body


async def test_tokens_are_counted_by_the_server(server: LlamaServer, start_proxy: Any) -> None:
    """The count is what an answer to the same prompt reports."""
    proxy: RunningProxy = await start_proxy(config(server, "anthropic"))
    body = {**paragraphs(20), "max_tokens": 1, "system": "Be brief."}
    counted = await proxy.post(body, "/v1/messages/count_tokens")
    usage = (await proxy.post(body)).json["usage"]
    assert counted.json["input_tokens"] == usage["input_tokens"] + usage["cache_read_input_tokens"]


@BOTH
async def test_an_overflow_has_the_words_that_make_the_client_compact(
    transport: str, server: LlamaServer, start_proxy: Any
) -> None:
    """With the server's own figures."""
    proxy: RunningProxy = await start_proxy(config(server, transport))
    for body in (paragraphs(900), {**paragraphs(900), "stream": True}):
        reply = await proxy.post(body)
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        told = OVERFLOW.fullmatch(reply.error["message"])
        assert told is not None, reply.error
        assert int(told[1]) > CONTEXT


@BOTH
async def test_the_list_tells_the_context(transport: str, server: LlamaServer, start_proxy: Any) -> None:
    proxy: RunningProxy = await start_proxy(config(server, transport))
    upstream = proxy.gateway.upstreams["llamacpp"]
    assert await catalogue.refresh(upstream)
    assert [card.context_window for card in upstream.models.values()] == [CONTEXT]


@BOTH
async def test_a_tool_is_called_and_its_result_is_taken(
    transport: str, tool_server: LlamaServer, start_proxy: Any
) -> None:
    """A forced tool is called with an input that its schema allows; the conversation goes on after it."""
    proxy: RunningProxy = await start_proxy(config(tool_server, transport))
    question = {"role": "user", "content": "Read the file /a.py"}
    body = {**TURN, "max_tokens": 100, "tools": [READ], "messages": [question]}
    streamed = await proxy.stream({**body, "tool_choice": {"type": "tool", "name": "Read"}})
    message = validate_stream(streamed.body).message
    (call,) = message.tool_uses
    assert call["name"] == "Read"
    assert isinstance(call["input"]["file_path"], str)
    assert message.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "print('hello')"}
    history = [
        question,
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]
    again = await proxy.post({**body, "messages": history, "tool_choice": {"type": "any"}, "stream": False})
    assert again.status == 200, again.body
    assert again.json["content"]


@BOTH
async def test_booleans_in_schemas_are_no_obstacle(
    transport: str, chatml_server: LlamaServer, start_proxy: Any
) -> None:
    """The server itself refuses them."""
    proxy: RunningProxy = await start_proxy(config(chatml_server, transport))
    tool = {**READ, "input_schema": {"type": "object", "properties": {"a": True, "b": {"items": True}}}}
    reply = await proxy.post({**TURN, "max_tokens": 1, "tools": [tool]})
    assert reply.status == 200, reply.body
    assert proxy.gateway.upstreams["llamacpp"].learned.facts("local-model").omit == frozenset()


@BOTH
async def test_a_schema_that_makes_no_grammar_is_made_plain(
    transport: str, chatml_server: LlamaServer, start_proxy: Any
) -> None:
    """The server says that it cannot, and is asked once more."""
    proxy: RunningProxy = await start_proxy(config(chatml_server, transport))
    pattern = {"type": "string", "pattern": "^[0-9]{3000}$"}
    tool = {**READ, "input_schema": {"type": "object", "properties": {"a": pattern}, "required": ["a"]}}
    body = {**TURN, "max_tokens": 60, "tools": [tool], "tool_choice": {"type": "any"}}
    reply = await proxy.post(body)
    assert reply.status == 200, reply.body
    assert "tools.grammar" in proxy.gateway.upstreams["llamacpp"].learned.facts("local-model").omit


def session(
    transport: str, server: LlamaServer, folder: Path, *, simple: bool, **provider: Any
) -> tuple[ClientRun, str]:
    """One session of the real client; what it did, and the proxy's log."""
    client = ClaudeClient.find()
    env = {"CLAUDE_CODE_SIMPLE": "1"} if simple else {}
    with ProxyProcess(config(server, transport, **provider), folder=folder / "proxy") as proxy:
        run = client.run("Say hello.", base_url=proxy.url, folder=folder, env=env, timeout=500)
    assert "Traceback" not in proxy.log
    return run, proxy.log


@BOTH
def test_a_session_of_the_real_client(transport: str, terse_server: LlamaServer, tmp_path: Path) -> None:
    """With its shortest instructions the client's prompt fits, and the session ends with what the model said."""
    run, log = session(transport, terse_server, tmp_path, simple=True)
    assert run.exit_code == 0, f"{run.result_text}\n{run.stderr}\n{log}"
    assert run.result_text.strip()
    assert run.outside == ()


@BOTH
def test_the_real_client_learns_that_its_prompt_does_not_fit(
    transport: str, chatml_server: LlamaServer, tmp_path: Path
) -> None:
    """Its usual instructions and tools alone are longer than the context: it says so, and does not try for ever."""
    run, _ = session(transport, chatml_server, tmp_path, simple=False)
    assert run.exit_code == 1
    assert "prompt is too long" in run.result_text.lower()
