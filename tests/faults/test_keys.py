"""Bad, limited and used-up keys: the client sees an answer, or one error that says which variable to look at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from ccp_core.testing import (
    Answer,
    RecordedRequest,
    Turn,
    chat_error,
    messages_error,
    say,
    validate_stream,
)
from ccp_core.testing.proxy_app import one_provider

PROVIDERS = {"chat": ("nvidia_nim", "NVIDIA_NIM"), "messages": ("open_router", "OPENROUTER")}
BOTH = pytest.mark.parametrize("transport", PROVIDERS)
KEYS = ("key-number-one", "key-number-two", "key-number-three")


class KeyedUpstream:
    """Answers each key in its own way: a status with headers, or well."""

    def __init__(self, transport: str, **ways: tuple[int, Mapping[str, str]]) -> None:
        self._refuse = chat_error if transport == "chat" else messages_error
        self._ways = ways
        self.used: list[str] = []

    def __call__(self, request: RecordedRequest) -> Answer:
        key = request.headers["authorization"].removeprefix("Bearer key-number-")
        self.used.append(key)
        status, headers = self._ways.get(key, (200, {}))
        if status == 200:
            return say(request, Turn(text="Hello")).with_headers(headers)
        return self._refuse(status, "not with this key").with_headers(headers)


def config(transport: str, base_url: str, keys: tuple[str, ...] = KEYS, **sections: Any) -> dict[str, Any]:
    own = {"api_key": keys[0], "api_keys": list(keys[1:])}
    return one_provider(PROVIDERS[transport][0], base_url, provider=own, **sections)


@BOTH
async def test_of_three_keys_one_that_works_is_enough(
    transport: str, fake_upstream: Any, start_proxy: Any
) -> None:
    """The first is refused, the second limited for 30 s: one normal answer, in under a second."""
    model = KeyedUpstream(transport, one=(401, {}), two=(429, {"retry-after": "30"}))
    upstream = await fake_upstream(model)
    proxy = await start_proxy(config(transport, upstream.base_url, limits={"retry_base": 2.0}))
    began = time.monotonic()
    reply = await proxy.stream()
    assert time.monotonic() - began < 1.0
    assert validate_stream(reply.body).message.text == "Hello"
    assert model.used == ["one", "two", "three"]
    await proxy.stream()
    assert model.used[3:] == ["three"], "a bad key is not tried again at every request"


@BOTH
@pytest.mark.parametrize("streamed", [True, False])
async def test_when_all_keys_are_bad_one_error_names_provider_and_variable(
    transport: str, streamed: bool, fake_upstream: Any, start_proxy: Any
) -> None:
    """With 403: at a 401 the client would try its own login for minutes."""
    model = KeyedUpstream(transport, one=(401, {}), two=(401, {}), three=(401, {}))
    upstream = await fake_upstream(model)
    proxy = await start_proxy(config(transport, upstream.base_url))
    reply = await (proxy.stream() if streamed else proxy.post())
    assert (reply.status, reply.error["type"]) == (403, "permission_error")
    name, prefix = proxy.gateway.upstream(PROVIDERS[transport][0]).provider.name, PROVIDERS[transport][1]
    assert name in reply.error["message"]
    assert f"{prefix}_API_KEY" in reply.error["message"]
    assert model.used == ["one", "two", "three"]
    assert not any(key in reply.body.decode() for key in KEYS)


@BOTH
async def test_when_all_keys_are_limited_for_long_the_client_is_told_at_once(
    transport: str, fake_upstream: Any, start_proxy: Any
) -> None:
    """With a wait that it accepts; the real one is in the text."""
    limited = (429, {"retry-after": "1800"})
    upstream = await fake_upstream(KeyedUpstream(transport, one=limited, two=limited, three=limited))
    proxy = await start_proxy(config(transport, upstream.base_url))
    reply = await proxy.stream()
    assert (reply.status, reply.headers["retry-after"]) == (429, "60")
    assert "30 minutes" in reply.error["message"]


@BOTH
async def test_a_key_whose_allowance_is_used_up_rests_while_others_go_on(
    transport: str, fake_upstream: Any, start_proxy: Any
) -> None:
    """Its success says that nothing is left of it; with one key only the provider as a whole has to wait."""
    used_up = (200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30s"})
    model = KeyedUpstream(transport, one=used_up)
    upstream = await fake_upstream(model)
    proxy = await start_proxy(config(transport, upstream.base_url))
    for _ in range(3):
        assert (await proxy.stream()).status == 200
    assert model.used == ["one", "two", "two"]


@BOTH
async def test_a_request_that_has_no_key_takes_no_place_in_the_window(
    transport: str, fake_upstream: Any, start_proxy: Any
) -> None:
    """While all keys rest, what is refused for it leaves the rate to those that come later."""
    limited = (429, {"retry-after": "1800"})
    upstream = await fake_upstream(KeyedUpstream(transport, one=limited))
    limits = {"rate": 2, "window": 30.0, "retries": 0}
    proxy = await start_proxy(config(transport, upstream.base_url, KEYS[:1], limits=limits))
    began = time.monotonic()
    for _ in range(5):
        assert (await proxy.stream()).status == 429
    assert time.monotonic() - began < 2.0
    assert len(upstream.requests) == 1


@BOTH
async def test_a_refusal_that_another_account_may_not_give_tries_each_key_once(
    transport: str, fake_upstream: Any, start_proxy: Any
) -> None:
    """The keys are good, so none of them rests, and the next request begins with the first again."""
    refuse = chat_error if transport == "chat" else messages_error
    upstream = await fake_upstream(lambda request: refuse(403, "This account lacks a permission."))
    proxy = await start_proxy(config(transport, upstream.base_url))
    for _ in range(2):
        reply = await proxy.stream()
        assert (reply.status, reply.error["type"]) == (403, "permission_error")
    used = [request.headers["authorization"].removeprefix("Bearer ") for request in upstream.requests]
    assert sorted(used[:3]) == sorted(used[3:]) == sorted(KEYS)
