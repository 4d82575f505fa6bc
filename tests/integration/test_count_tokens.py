"""Counting a prompt: by the upstream where it can, otherwise by the proxy, and always soon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccp_core import MessagesRequest, hookimpl
from ccp_core.gateway import load_host
from ccp_core.protocol.tokens import count
from ccp_core.testing import Answer, Gate, Stall, Wait, chat_stream, count_tokens, messages_error
from ccp_core.testing.proxy_app import KEY, TURN, one_provider
from ccp_core.upstream import upstream as upstream_module

PATH = "/v1/messages/count_tokens?beta=true"
COUNTER = "POST /messages/count_tokens"
PARALLEL = 14
"""Calls that the client makes at once to show what fills its context."""

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/a.png"}}
RICH = {
    "model": "claude-opus-5-5",
    "system": [{"type": "text", "text": "You are an agent. " * 20}],
    "tools": [{"name": "Read", "description": "Reads a file. " * 20, "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look at it."}, PNG]},
        {"role": "assistant", "content": [CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [PNG]}]},
        {"role": "system", "content": "The task tools have not been used recently."},
    ],
}


async def counts(proxy: Any, body: Any = TURN, times: int = 1) -> list[int]:
    replies = await asyncio.gather(*(proxy.post(body, PATH) for _ in range(times)))
    assert {reply.status for reply in replies} == {200}
    return [reply.json["input_tokens"] for reply in replies]


async def test_the_upstreams_own_counter_is_asked_where_there_is_one(fake_upstream, start_proxy):
    """It gets the prompt as the model would get it, and the key."""
    upstream = await fake_upstream(routes={COUNTER: count_tokens(4321)})
    proxy = await start_proxy(one_provider("vllm", upstream.base_url))
    assert await counts(proxy, RICH) == [4321]
    [request] = upstream.requests
    assert request.json["model"] == "test-model"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert not {"stream", "max_tokens"} & request.json.keys()


async def test_fourteen_calls_at_once_are_asked_at_once(fake_upstream, start_proxy):
    """None waits for another one, or for the rate of the model's own requests."""
    gate = Gate()
    upstream = await fake_upstream(routes={COUNTER: count_tokens(7).after(Wait(gate))})
    config = one_provider("vllm", upstream.base_url, limits={"rate": 1, "window": 60.0, "concurrency": 1})
    proxy = await start_proxy(config)
    asked = asyncio.create_task(counts(proxy, times=PARALLEL))
    await upstream.received(PARALLEL)
    gate.open()
    assert await asked == [7] * PARALLEL


async def test_a_reload_does_not_cut_a_count_that_is_under_way(fake_upstream, start_proxy):
    gate = Gate()
    upstream = await fake_upstream(routes={COUNTER: count_tokens(7).after(Wait(gate))})
    proxy = await start_proxy(one_provider("vllm", upstream.base_url))
    asked = asyncio.create_task(counts(proxy))
    await upstream.received()
    await proxy.reload(one_provider("vllm", upstream.base_url, provider={"api_key": "another-key"}))
    gate.open()
    assert await asked == [7]


@pytest.mark.parametrize(
    "answer",
    [
        Answer.json({"detail": "Not Found"}, 404),
        messages_error(500, "boom"),
        messages_error(401, "no such key"),
        Answer.json({"tokens": 12}),
        Answer.json([1]),
        Answer.text("not json"),
        Answer.html("Bad Gateway"),
    ],
    ids=["no such path", "error", "key", "other members", "a list", "text", "a page"],
)
async def test_a_counter_that_fails_is_replaced_by_the_estimate(answer, fake_upstream, start_proxy):
    upstream = await fake_upstream(routes={COUNTER: answer})
    with_counter = await start_proxy(one_provider("vllm", upstream.base_url))
    without = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    assert await counts(with_counter, RICH) == await counts(without, RICH)


async def test_a_counter_that_never_answers_is_not_waited_for(
    fake_upstream, start_proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(upstream_module, "COUNT_TIMEOUT", 0.05)
    upstream = await fake_upstream(routes={COUNTER: count_tokens(7).after(Stall())})
    proxy = await start_proxy(one_provider("vllm", upstream.base_url))
    async with asyncio.timeout(10):
        assert min(await counts(proxy, RICH, PARALLEL)) > 200


@pytest.mark.parametrize("provider", ["vllm", "nvidia_nim", "open_router"])
async def test_no_network_is_needed(provider, refusing_upstream, start_proxy):
    """Fourteen calls get the same estimate although nothing can be reached."""
    proxy = await start_proxy(one_provider(provider, refusing_upstream))
    answers = await counts(proxy, RICH, PARALLEL)
    assert len(set(answers)) == 1
    assert answers[0] > 200


async def test_an_upstream_without_a_counter_is_not_asked(fake_upstream, start_proxy):
    upstream = await fake_upstream()
    for provider, own in (("nvidia_nim", {}), ("vllm", {"transport": "openai"})):
        proxy = await start_proxy(one_provider(provider, upstream.base_url, provider=own))
        await counts(proxy, RICH, PARALLEL)
    assert upstream.requests == []


async def test_all_parts_of_a_prompt_count(refusing_upstream, start_proxy):
    """System prompt, tools, images, tool results and reminders."""
    proxy = await start_proxy(one_provider("nvidia_nim", refusing_upstream))
    [whole] = await counts(proxy, RICH)
    shorter = [{**RICH, "system": []}, {**RICH, "tools": []}]
    shorter += [{**RICH, "messages": RICH["messages"][:count]} for count in (1, 2, 3)]
    for body in shorter:
        assert (await counts(proxy, body))[0] < whole


LONG = {**RICH, "system": "You are an agent. " * 10_000}


async def test_a_long_prompt_is_counted_like_a_short_one(fake_upstream, start_proxy):
    """By the proxy, or by the upstream, which then gets the whole of it."""
    upstream = await fake_upstream(routes={COUNTER: count_tokens(4321)})
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    assert await counts(proxy, LONG) == [count(LONG)]
    assert upstream.requests == []
    proxy = await start_proxy(one_provider("vllm", upstream.base_url))
    assert await counts(proxy, LONG) == [4321]
    [request] = upstream.requests
    assert LONG["system"] in request.body.decode()


async def test_a_plugin_that_routes_by_the_prompt_sees_a_long_one_as_well(refusing_upstream, start_proxy):
    """Although the proxy itself needs no more than its model."""
    seen = []

    class Routing:
        @hookimpl
        def ccp_resolve_route(self, request: MessagesRequest) -> None:
            seen.append((request.body, request.messages, request.tools))

    host = load_host()
    host.add(Routing(), name="routing")
    proxy = await start_proxy(one_provider("nvidia_nim", refusing_upstream), host=host)
    await counts(proxy, LONG)
    assert seen == [(LONG, LONG["messages"], LONG["tools"])]


async def test_a_long_request_that_is_wrong_is_refused_with_the_place(refusing_upstream, start_proxy):
    proxy = await start_proxy(one_provider("nvidia_nim", refusing_upstream))
    reply = await proxy.post({**LONG, "messages": [{"role": 5, "content": "hi"}]}, PATH)
    assert reply.status == 400
    assert reply.json["error"]["message"] == "messages.0.role: must be a string, not a number"


async def test_an_upstream_that_counts_nothing_teaches_nothing(fake_upstream, start_proxy):
    """The proxy's own estimate, which stands in for the missing figure, is not taken for the upstream's."""
    long = {**TURN, "messages": [{"role": "user", "content": "{[()]}" * 1000}]}
    upstream = await fake_upstream(lambda request: chat_stream(text="x", usage=None))
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    before = await counts(proxy, long)
    for _ in range(3):
        assert (await proxy.post(long)).status == 200
    assert await counts(proxy, long) == before
