"""An answer is asked for as long as the figures allow; an overflow reaches the client in words that it knows."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_core.testing import Answer, Tokens, chat_error, chat_stream, messages_error, messages_stream
from ccp_core.testing.proxy_app import TURN, one_provider
from ccp_core.upstream import catalogue

CHAT, MESSAGES = "nvidia_nim", "open_router"
BOTH = pytest.mark.parametrize("provider", [CHAT, MESSAGES])
LONG = {
    **TURN,
    "max_tokens": 32_000,
    "messages": [
        {"role": "user", "content": "A dozen words stand in this sentence of the long prompt. " * 400}
    ],
}
"""About 4800 tokens, and a long answer."""


def say(provider: str, text: str, prompt: int = 5) -> Answer:
    build = chat_stream if provider == CHAT else messages_stream
    return build(text=text, usage=Tokens(prompt=prompt, completion=5))


def refuse(provider: str, status: int, message: str) -> Answer:
    return (chat_error if provider == CHAT else messages_error)(status, message)


def known(provider: str, base_url: str, window: int) -> dict[str, Any]:
    return one_provider(provider, base_url, provider={"context_windows": {"test-model": window}})


@BOTH
@pytest.mark.parametrize(
    ("window", "least", "most"),
    [(16_384, 10_500, 12_000), (36_000, 30_000, 31_500), (200_000, 32_000, 32_000)],
)
async def test_no_more_is_asked_for_than_the_window_has_room_for(
    provider, window, least, most, fake_upstream, start_proxy
):
    """The first request is already short enough: none is refused only for its answer's length."""
    upstream = await fake_upstream(say(provider, "ok"))
    proxy = await start_proxy(known(provider, upstream.base_url, window))
    assert (await proxy.post(LONG)).status == 200
    [call] = upstream.model_calls
    assert least <= call.json["max_tokens"] <= most


@BOTH
async def test_a_prompt_that_leaves_no_room_is_left_to_the_upstreams_judgement(
    provider, fake_upstream, start_proxy
):
    """The estimate may be wrong; the upstream's refusal makes the client compact."""
    upstream = await fake_upstream(
        refuse(
            provider,
            400,
            "This model's maximum context length is 5000 tokens."
            " However, your messages resulted in 5200 tokens.",
        )
    )
    proxy = await start_proxy(known(provider, upstream.base_url, 5000))
    reply = await proxy.post(LONG)
    assert (reply.status, reply.error["message"]) == (400, "prompt is too long: 5200 tokens > 5000 maximum")
    assert len(upstream.model_calls) == 1


@BOTH
@pytest.mark.parametrize("source", ["settings", "list"])
async def test_a_prompt_that_is_surely_too_long_is_not_sent(provider, source, fake_upstream, start_proxy):
    """The window is known, and no estimate is so wrong."""
    entry = {"id": "test-model", "context_length": 3000}
    upstream = await fake_upstream(routes={"GET /models": Answer.json({"data": [entry]})})
    own = known(provider, upstream.base_url, 3000)
    proxy = await start_proxy(own if source == "settings" else one_provider(provider, upstream.base_url))
    if source == "list":
        assert await catalogue.refresh(proxy.gateway.upstreams[provider])
    reply = await proxy.post(LONG)
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    tokens, _, rest = reply.error["message"].removeprefix("prompt is too long: ").partition(" ")
    assert rest == "tokens > 3000 maximum"
    assert 4400 < int(tokens) < 5200
    assert upstream.model_calls == []


@BOTH
async def test_a_models_longest_answer_is_known_from_the_upstreams_list(provider, fake_upstream, start_proxy):
    entry = {"id": "test-model", "context_length": 131_072, "top_provider": {"max_completion_tokens": 8192}}
    upstream = await fake_upstream(
        say(provider, "ok"), routes={"GET /models": Answer.json({"data": [entry]})}
    )
    proxy = await start_proxy(one_provider(provider, upstream.base_url))
    assert await catalogue.refresh(proxy.gateway.upstreams[provider])
    assert (await proxy.post(LONG)).status == 200
    assert (await proxy.post({**LONG, "max_tokens": 500})).status == 200
    assert [call.json["max_tokens"] for call in upstream.model_calls] == [8192, 500]


@BOTH
async def test_where_only_the_answer_is_too_long_the_request_is_sent_again_with_a_shorter_one(
    provider, fake_upstream, start_proxy
):
    """Nothing was known of the model; the refusal tells its figures, and no later request is refused for it."""
    refusal = (
        "This model's maximum context length is 16384 tokens. However, you requested 36800 tokens"
        " (4800 in the messages, 32000 in the completion). Please reduce the length."
    )
    hello = say(provider, "Hello")
    upstream = await fake_upstream([refuse(provider, 400, refusal), hello, hello, hello])
    proxy = await start_proxy(one_provider(provider, upstream.base_url))
    for body in (LONG, LONG, {**LONG, "messages": TURN["messages"]}):
        assert (await proxy.post(body)).json["content"][0]["text"] == "Hello"
    asked = [call.json["max_tokens"] for call in upstream.model_calls]
    assert asked[0] == 32_000
    assert all(10_500 <= tokens <= 16_384 - 4800 for tokens in asked[1:3])
    assert 16_000 <= asked[3] < 16_384


OVERFLOWS = [
    (400, "prompt is too long: 207000 tokens > 200000 maximum", 207_000, 200_000),
    (
        400,
        "This model's maximum context length is 131072 tokens. However, your messages resulted in 140000 tokens.",
        140_000,
        131_072,
    ),
    (
        400,
        "The input (345516 tokens) is longer than the model's context length (262144 tokens).",
        345_516,
        262_144,
    ),
    (
        400,
        "request (40000 tokens) exceeds the available context size (32768 tokens), try increasing it",
        40_000,
        32_768,
    ),
    (500, "The prompt is longer than the model's context length of only 8192 tokens.", None, 8192),
]


@BOTH
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("status", "words", "prompt", "window"), OVERFLOWS)
async def test_an_overflow_in_any_words_is_told_in_those_that_make_the_client_compact(
    provider, streamed, status, words, prompt, window, fake_upstream, start_proxy
):
    upstream = await fake_upstream(refuse(provider, status, words))
    proxy = await start_proxy(one_provider(provider, upstream.base_url))
    reply = await (proxy.stream() if streamed else proxy.post())
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    tokens = window + 1 if prompt is None else prompt
    assert reply.error["message"] == f"prompt is too long: {tokens} tokens > {window} maximum"
    assert len(upstream.model_calls) == 1
