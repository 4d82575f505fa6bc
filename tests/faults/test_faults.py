"""The table of faults, through the whole proxy: the client always recovers, or sees clearly what failed."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

import pytest

from ccp_core.host import ENTRY_POINT_GROUP, TRANSPORT_GROUP, PluginHost
from ccp_core.testing import Answer, Drop, Reset, Step
from ccp_core.testing.fault_judge import ANSWERED, REFUSED, TURN, Outcome, judge_json, judge_stream
from ccp_core.testing.faults import FaultRow, fault_rows, healthy_answer
from ccp_core.testing.proxy_app import KEY, one_provider

PROVIDERS = {"chat": "nvidia_nim", "messages": "open_router"}
ROWS = [row for transport in ("chat", "messages") for row in fault_rows(transport)]
BREAKING = [row for row in ROWS if row.breaks]
MODES = pytest.mark.parametrize("streamed", [True, False], ids=["stream", "json"])
TIMEOUTS = {"read": 0.2, "connect": 2.0, "write": 2.0}
BYTES_BETWEEN_CUTS = 53
SLOWEST = 5.0
"""Seconds that a row may take on a machine that does much else; alone each takes less than one."""


@functools.cache
def plugins() -> PluginHost:
    """Only what the rows need, and looked up once: the table is long."""
    points = [*entry_points(group=TRANSPORT_GROUP), *entry_points(group=ENTRY_POINT_GROUP)]
    wanted = {"openai", "anthropic", *PROVIDERS.values()}
    return PluginHost.load([point for point in points if point.name in wanted])


async def outcome_of(
    row: FaultRow, script: Sequence[Answer] | Answer, streamed: bool, fake_upstream: Any, start_proxy: Any
) -> Outcome:
    """What the client makes of the proxy's answer."""
    upstream = await fake_upstream(script)
    config = one_provider(
        PROVIDERS[row.transport], upstream.base_url, timeouts=TIMEOUTS if row.stalls else {}
    )
    proxy = await start_proxy(config, host=plugins())
    began = time.monotonic()
    reply = await (proxy.stream(TURN) if streamed else proxy.post(TURN))
    assert time.monotonic() - began < SLOWEST
    assert KEY.encode() not in reply.body
    return (judge_stream if streamed else judge_json)(reply.status, reply.headers, reply.body)


@MODES
@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_one_fault_does_not_break_a_session(
    row: FaultRow, streamed: bool, fake_upstream: Any, start_proxy: Any
) -> None:
    """The fault comes once, then the upstream answers well."""
    outcome = await outcome_of(row, [row.answer, row.healthy], streamed, fake_upstream, start_proxy)
    assert outcome == (row.streamed if streamed else row.whole)


@MODES
@pytest.mark.parametrize("row", BREAKING, ids=str)
async def test_a_fault_that_lasts_is_told(
    row: FaultRow, streamed: bool, fake_upstream: Any, start_proxy: Any
) -> None:
    """As a status when the client has seen nothing, in the stream when it has; and never as an answer."""
    outcome = await outcome_of(row, row.answer, streamed, fake_upstream, start_proxy)
    assert outcome == (row.streamed if streamed and not row.unseen else REFUSED)


@pytest.mark.parametrize("end", [Drop(), Reset()], ids=["closed", "reset"])
@pytest.mark.parametrize("transport", PROVIDERS)
async def test_a_lost_connection_is_tried_again_at_once(
    transport: Any, end: Step, fake_upstream: Any, start_proxy: Any
) -> None:
    """An idle connection may be closed by the upstream just when a request takes it."""
    upstream = await fake_upstream([Answer.raw(end), healthy_answer(transport)])
    config = one_provider(PROVIDERS[transport], upstream.base_url, limits={"retry_base": 30.0})
    proxy = await start_proxy(config, host=plugins())
    began = time.monotonic()
    reply = await proxy.stream(TURN)
    assert judge_stream(reply.status, reply.headers, reply.body) == ANSWERED
    assert time.monotonic() - began < SLOWEST


@pytest.mark.parametrize("transport", PROVIDERS)
async def test_a_stream_may_be_cut_at_any_byte(transport: Any, fake_upstream: Any, start_proxy: Any) -> None:
    """Between two events, in a number, in a character: at one of so many bytes, once and for good."""
    healthy = healthy_answer(transport)
    script: list[Answer] = []
    upstream = await fake_upstream(lambda request: script.pop(0) if script else healthy)
    # The connection that a cut closes may be taken for the next try, which then is the third.
    config = one_provider(PROVIDERS[transport], upstream.base_url, limits={"retries": 2})
    proxy = await start_proxy(config, host=plugins())
    for at in range(0, len(healthy.body), BYTES_BETWEEN_CUTS):
        cut = Answer.sse(healthy.body[:at]).then(Drop())
        script[:] = [cut]
        reply = await proxy.post(TURN)
        assert judge_json(reply.status, reply.headers, reply.body) == ANSWERED
        script[:] = [cut]
        reply = await proxy.stream(TURN)
        once = judge_stream(reply.status, reply.headers, reply.body)
        script[:] = [cut] * 3
        reply = await proxy.stream(TURN)
        for_good = judge_stream(reply.status, reply.headers, reply.body)
        assert for_good == once or (once, for_good) == (ANSWERED, REFUSED), f"cut at byte {at}"
