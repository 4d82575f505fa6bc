"""A rate that a provider allows is kept by all that send to it together, whatever dies meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from ccp_core.testing import chat_stream
from ccp_core.testing.proxy_app import one_provider
from ccp_core.upstream.redis_storage import RETRY_EVERY

from ..upstream.conftest import redis_server

__all__ = ["redis_server"]

RATES = [pytest.param(20, 10, 2.5), pytest.param(50, 10, 2.0, marks=pytest.mark.stress)]
HELLO = chat_stream(text="Hello")


class Upstream:
    """Answers, and keeps when it was asked."""

    def __init__(self):
        self.times = []

    def __call__(self, request):
        self.times.append(asyncio.get_running_loop().time())
        return HELLO

    def assert_strict(self, rate, window):
        """No ``window`` seconds hold more than ``rate`` requests."""
        for early, late in zip(self.times, self.times[rate:], strict=False):
            assert late - early >= window


@pytest.mark.parametrize(("requests", "rate", "window"), RATES)
async def test_one_process_keeps_to_the_window_and_answers_everybody(
    requests, rate, window, fake_upstream, start_process
):
    answers = Upstream()
    upstream = await fake_upstream(answers)
    proxy = await start_process(
        one_provider("nvidia_nim", upstream.base_url, limits={"rate": rate, "window": window})
    )
    results = await asyncio.gather(*(proxy.ask() for _ in range(requests)))
    assert [status for status, _ in results] == [200] * requests
    assert len(answers.times) == requests
    answers.assert_strict(rate, window)


@pytest.mark.parametrize(("requests", "rate", "window"), RATES)
async def test_two_proxies_with_redis_keep_to_one_window_and_answer_everybody(
    requests, rate, window, redis_server, fake_upstream, start_process
):
    answers = Upstream()
    upstream = await fake_upstream(answers)
    limits = {"rate": rate, "window": window, "storage": redis_server.uri}
    config = one_provider("nvidia_nim", upstream.base_url, limits=limits)
    proxies = [await start_process(config) for _ in range(2)]
    results = await asyncio.gather(*(proxies[number % 2].ask() for number in range(requests)))
    assert [status for status, _ in results] == [200] * requests
    assert len(answers.times) == requests
    answers.assert_strict(rate, window)


@pytest.mark.stress
async def test_requests_go_on_while_redis_is_dead_and_share_again_when_it_is_back(
    redis_server, fake_upstream, start_process
):
    """kill -9 of Redis in the middle of traffic: each proxy keeps the rate for itself, and says so."""
    answers = Upstream()
    upstream = await fake_upstream(answers)
    limits = {"rate": 10, "window": 1.5, "storage": redis_server.uri}
    config = one_provider("nvidia_nim", upstream.base_url, limits=limits)
    proxies = [await start_process(config, "--workers", "2") for _ in range(2)]

    async def traffic(requests):
        results = await asyncio.gather(*(proxies[number % 2].ask() for number in range(requests)))
        assert [status for status, _ in results] == [200] * requests

    going_on = asyncio.ensure_future(traffic(60))
    await upstream.received(10)
    redis_server.kill()
    await going_on
    answers.assert_strict(4 * 10, 1.5)  # each of the four processes for itself
    assert any("storage_lost" in proxy.process.log for proxy in proxies)
    redis_server.start()
    await asyncio.sleep(RETRY_EVERY + 1)  # it is looked for every few seconds
    answers.times.clear()
    await traffic(30)
    answers.assert_strict(10, 1.5)
    assert any("storage_back" in proxy.process.log for proxy in proxies)
