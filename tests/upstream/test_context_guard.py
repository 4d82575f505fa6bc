"""Servers that cut long prompts without a word: the client is told instead, and compacts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import cattrs
import orjson
import pytest

from ccp_core import ProviderSpec, hookimpl
from ccp_core.config.settings import Settings
from ccp_core.gateway import Gateway, load_host
from ccp_core.host import PluginHost
from ccp_core.protocol.messages import parse_request
from ccp_core.testing import Answer, Stall, Tokens, chat_stream, chat_text, models_list
from ccp_core.testing.proxy_app import TURN, one_provider
from ccp_core.upstream import catalogue, context_guard
from ccp_core.upstream.context_guard import FRESH, RETRY, ContextGuard

LONG = {
    **TURN,
    "messages": [
        {"role": "user", "content": "A dozen words stand in this sentence of the long prompt. " * 400}
    ],
}
"""About 4800 tokens."""


def host(**spec: Any) -> PluginHost:
    """The installed transports, and one provider ``acme`` that cuts prompts."""
    values = {"base_url": "http://acme.example/v1", "needs_key": False, "silent_truncation": True, **spec}

    @hookimpl
    def ccp_register_providers(register: Any) -> None:
        register(
            ProviderSpec(id="acme", name="Acme", transports=("openai",), env_prefixes=("ACME",), **values)
        )

    host = load_host()
    host.add(SimpleNamespace(ccp_register_providers=ccp_register_providers), name="acme")
    return host


def loaded(window: int | None) -> Answer:
    entry = {"id": "test-model"} if window is None else {"id": "test-model", "context_length": window}
    return Answer.json({"data": [entry]})


async def test_a_prompt_that_would_be_cut_is_answered_with_an_overflow(fake_upstream, start_proxy) -> None:
    """The text is the one that makes the client compact, and the server is not asked for an answer."""
    server = await fake_upstream(routes={"GET /models": loaded(4096)})
    proxy = await start_proxy(one_provider("acme", server.base_url), host=host())
    for body in (LONG, {**LONG, "stream": True}):
        reply = await proxy.post(body)
        assert reply.status == 400
        assert reply.error["type"] == "invalid_request_error"
        tokens, _, rest = reply.error["message"].removeprefix("prompt is too long: ").partition(" ")
        assert rest == "tokens > 4096 maximum"
        assert 4400 < int(tokens) < 5200
    assert server.model_calls == []


async def test_a_prompt_that_fits_goes_on(fake_upstream, start_proxy) -> None:
    server = await fake_upstream(chat_text("Hello"), routes={"GET /models": loaded(8192)})
    proxy = await start_proxy(one_provider("acme", server.base_url), host=host())
    assert (await proxy.post(LONG)).json["content"][0]["text"] == "Hello"


async def test_a_request_that_wants_a_short_answer_may_be_longer(fake_upstream, start_proxy) -> None:
    """Room is kept for the answer, but no more than was asked for."""
    server = await fake_upstream(chat_text("Hello"), routes={"GET /models": loaded(5600)})
    proxy = await start_proxy(one_provider("acme", server.base_url), host=host())
    assert (await proxy.post({**LONG, "max_tokens": 1000})).status == 400
    assert (await proxy.post({**LONG, "max_tokens": 10})).status == 200


@pytest.mark.parametrize("answer", [loaded(None), Answer.json({}, 404), models_list().after(Stall())])
async def test_what_the_server_does_not_tell_stops_nobody(
    fake_upstream, start_proxy, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    """A model that is not loaded yet, a server without lists, a list that never comes."""
    monkeypatch.setattr(context_guard, "LOOK_UP_TIMEOUT", 0.05)
    server = await fake_upstream(chat_text("Hello"), routes={"GET /models": answer})
    proxy = await start_proxy(one_provider("acme", server.base_url), host=host())
    async with asyncio.timeout(10):
        assert (await proxy.post(LONG)).status == 200


async def test_the_persons_own_figure_counts(fake_upstream, start_proxy) -> None:
    """``context_windows`` in the settings overrules what the server tells."""
    server = await fake_upstream(routes={"GET /models": loaded(100_000)})
    config = one_provider("acme", server.base_url, provider={"context_windows": {"test-model": 4096}})
    proxy = await start_proxy(config, host=host())
    assert (await proxy.post(LONG)).error["message"].endswith("> 4096 maximum")


async def test_other_providers_are_not_asked_for_lists(fake_upstream, start_proxy) -> None:
    """It costs nothing where it is of no use."""
    server = await fake_upstream(chat_text("Hello"), routes={"GET /models": loaded(4096)})
    proxy = await start_proxy(one_provider("acme", server.base_url), host=host(silent_truncation=False))
    assert (await proxy.post(LONG)).status == 200
    assert len(server.requests) == 1


async def test_a_local_model_may_have_been_loaded_anew_meanwhile(fake_upstream, start_proxy) -> None:
    """Before its old context refuses a prompt, the list is asked again."""
    windows = iter([2048, 100_000])
    server = await fake_upstream(chat_text("Hello"), routes={"GET /models": lambda _: loaded(next(windows))})
    local = host(silent_truncation=False, local=True)
    proxy = await start_proxy(one_provider("acme", server.base_url), host=local)
    assert await catalogue.refresh(proxy.gateway.upstreams["acme"])
    assert (await proxy.post(LONG)).status == 200


async def test_the_usage_of_a_prompt_that_was_cut_teaches_nothing(fake_upstream, start_proxy) -> None:
    """Otherwise the next estimate would be too low, and the next cut would go unnoticed."""
    windows = iter([None, 100_000, 100_000])
    cut = chat_stream(text="What?", usage=Tokens(prompt=2000, completion=5))
    whole = chat_stream(text="Yes.", usage=Tokens(prompt=5500, completion=5))
    server = await fake_upstream([cut, whole], routes={"GET /models": lambda _: loaded(next(windows))})
    proxy = await start_proxy(one_provider("acme", server.base_url), host=host())
    upstream = proxy.gateway.upstreams["acme"]
    await proxy.post(LONG)
    assert upstream.learned.facts("test-model").ratio is None
    upstream.context_guard = ContextGuard(upstream)
    await proxy.post(LONG)
    assert upstream.learned.facts("test-model").ratio == pytest.approx(1.15, abs=0.1)


async def test_the_context_is_looked_up_anew_now_and_then(fake_upstream) -> None:
    """A model may be loaded later, and with other settings; requests at once share one look-up."""
    windows = iter([None, 4096, 100_000])
    server = await fake_upstream(routes={"GET /models": lambda _: loaded(next(windows))})
    config = one_provider("acme", server.base_url)
    upstream = Gateway(cattrs.structure(config, Settings), host(), refresh_models=False).upstreams["acme"]
    now = 0.0
    guard = ContextGuard(upstream, clock=lambda: now)
    request = parse_request(orjson.dumps(LONG))
    found = []
    for now in (0.0, RETRY - 1, RETRY, RETRY + FRESH - 1, RETRY + FRESH):
        verdicts = await asyncio.gather(*(guard.overflow(request, "test-model") for _ in range(3)))
        assert len({verdict is None for verdict in verdicts}) == 1
        found.append((now, len(server.requests), verdicts[0] is not None))
    await upstream.close()
    assert found == [
        (0.0, 1, False),
        (RETRY - 1, 1, False),
        (RETRY, 2, True),
        (RETRY + FRESH - 1, 2, True),
        (RETRY + FRESH, 3, False),
    ]
