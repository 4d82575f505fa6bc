"""A client may leave at any moment: whatever its request waits for just then, nothing of it stays behind."""

from __future__ import annotations

import asyncio
import time
from itertools import cycle

import cattrs
import pytest

from ccp_core.config.settings import Settings
from ccp_core.gateway import Gateway, load_host
from ccp_core.protocol.grammar import Grammar
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.route import Caller, RequestRecord
from ccp_core.server.answer import CollectedAnswer
from ccp_core.testing import Answer, FakeUpstream, RecordedRequest, Turn, chat_error, messages_error, say
from ccp_core.testing.proxy_app import TURN, one_provider
from ccp_core.upstream.exchange import Exchange

HELLO = Turn(reasoning="Hm.", text="Hello there, you", chunk_size=3)


def exchange(gateway: Gateway) -> tuple[Exchange, CollectedAnswer]:
    """One request on its way to the upstream, and what is answered."""
    request = MessagesRequest(dict(TURN), 100)
    route = gateway.resolve_route(request, Caller())
    record = RequestRecord(request_id="req_1", provider=route.provider_id, model=route.model)
    answer = CollectedAnswer(Grammar(model="m", provider=route.provider_id))
    return Exchange(gateway, request, route, answer, record, time.monotonic(), 10), answer


@pytest.mark.parametrize(("transport", "provider"), [("chat", "nvidia_nim"), ("messages", "open_router")])
async def test_a_request_cancelled_at_any_step_leaves_slot_queue_and_keys_to_the_next(
    transport: str, provider: str
) -> None:
    """Each is limited once and goes on with another key; there is one slot, for which another request waits."""
    refuse = chat_error if transport == "chat" else messages_error
    limited = cycle([True, False])

    def script(request: RecordedRequest) -> Answer:
        if next(limited):
            return refuse(429, "Slow down").with_headers({"retry-after": "0"})
        return say(request, HELLO)

    async with FakeUpstream(script) as upstream:
        config = one_provider(
            provider,
            upstream.base_url,
            provider={"api_keys": ["second-key", "third-key"]},
            limits={"concurrency": 1, "rate": 10_000},
        )
        gateway = Gateway(cattrs.structure(config, Settings), load_host(), refresh_models=False)
        throttle = gateway.upstream(provider).throttle
        steps, finished = 0, False
        while not finished:
            leaving, _ = exchange(gateway)
            staying, answer = exchange(gateway)
            first = asyncio.ensure_future(leaving.run())
            second = asyncio.ensure_future(staying.run())
            for _ in range(steps):
                await asyncio.sleep(0)
            finished = first.done()
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await asyncio.wait_for(second, 10)
            assert b"Hello there, you" in answer.response({}).body
            assert (throttle.in_flight, throttle.waiting) == (0, 0), f"cancelled after {steps} steps"
            steps += 1
        await gateway.close()
    assert steps > 20
