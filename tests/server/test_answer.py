"""Signs of life to a client that waits: pings, and now and then an empty delta, which older clients need."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import orjson
import pytest
import structlog

from ccp_core.server import answer
from ccp_core.testing import (
    Answer,
    Drop,
    Gate,
    Turn,
    Wait,
    chat_error,
    chat_error_frame,
    parse_frames,
    say,
    validate_stream,
)
from ccp_core.testing.proxy_app import TURN, one_provider
from ccp_core.upstream.storage import ProcessStorage

THINKING = {**TURN, "thinking": {"type": "adaptive"}, "stream": True}
EMPTY = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes moments here."""
    monkeypatch.setattr(answer, "EMPTY_DELTA_INTERVAL", 0.05)


def config(base_url: str, **sections: Any) -> dict[str, Any]:
    timeouts = {"commit_after": 0.0, "ping": 0.01, **sections.pop("timeouts", {})}
    return one_provider("nvidia_nim", base_url, timeouts=timeouts, **sections)


def empty_deltas(data: bytes) -> int:
    """How many of the deltas say nothing."""
    count = 0
    for frame in parse_frames(data):
        event = orjson.loads(frame.data)
        delta = event.get("delta") or {}
        if event["type"] == "content_block_delta" and delta.get(EMPTY.get(delta["type"], "")) == "":
            count += 1
    return count


async def read_until_awake(response: Any, times: int = 3) -> bytes:
    """What comes until the client has got some empty deltas."""
    data = b""
    while empty_deltas(data[: data.rfind(b"\n\n") + 2]) < times:
        data += await response.content.readany()
    return data


@pytest.mark.parametrize(
    ("turn", "before", "types"),
    [
        (Turn(text="Hello"), 0, ["thinking", "text"]),
        (Turn(reasoning="Hm.", text="Hello"), 0, ["thinking", "text"]),
        (Turn(reasoning="Hm, well.", text="Hello", chunk_size=4), 2, ["thinking", "text"]),
        (Turn(text="Hello there", chunk_size=4), 2, ["text"]),
    ],
    ids=["before an answer", "before thinking", "in thinking", "in text"],
)
async def test_a_waiting_client_gets_empty_deltas_in_an_open_block(
    turn: Turn, before: int, types: list[str], fake_upstream: Any, start_proxy: Any
) -> None:
    """Before content in a block that the content goes on in, later in the block that is open."""
    gate = Gate()
    upstream = await fake_upstream(
        lambda request: (
            say(request, turn).insert(before, Wait(gate)) if before else say(request, turn).after(Wait(gate))
        )
    )
    proxy = await start_proxy(config(upstream.base_url))
    async with proxy.session.post(f"{proxy.url}/v1/messages", json=THINKING) as response:
        data = await read_until_awake(response)
        gate.open()
        data += await response.read()
    assert data.count(b"event: ping") >= 3
    message = validate_stream(data).message
    assert [block["type"] for block in message.content] == types
    assert (message.thinking, message.text) == (turn.reasoning, turn.text)


async def test_a_rare_ping_does_not_make_the_deltas_rare(fake_upstream: Any, start_proxy: Any) -> None:
    """A ping interval beyond the clients' patience is cut to it."""
    gate = Gate()
    upstream = await fake_upstream(lambda request: say(request, Turn(text="Hello")).after(Wait(gate)))
    proxy = await start_proxy(config(upstream.base_url, timeouts={"ping": 1000.0}))
    async with proxy.session.post(f"{proxy.url}/v1/messages", json=THINKING) as response:
        data = await read_until_awake(response, 2)
        gate.open()
        data += await response.read()
    assert validate_stream(data).message.text == "Hello"


@pytest.mark.parametrize("status", [500, 400])
async def test_a_failure_while_the_client_is_kept_awake_finds_the_block_open(
    status: int, fake_upstream: Any, start_proxy: Any
) -> None:
    """So it asks again; and what a retry answers goes on where the waiting was."""
    gate = Gate()
    upstream = await fake_upstream(
        [
            chat_error(status, "no").after(Wait(gate)),
            lambda request: say(request, Turn(reasoning="Hm.", text="Hello")),
        ]
    )
    proxy = await start_proxy(config(upstream.base_url))
    async with proxy.session.post(f"{proxy.url}/v1/messages", json=THINKING) as response:
        data = await read_until_awake(response, 1)
        gate.open()
        data += await response.read()
    stream = validate_stream(data, ending="either", error_in_open_block=True)
    if status == 400:
        assert stream.open_block == 0
    else:
        assert [block["type"] for block in stream.message.content] == ["thinking", "text"]
        assert stream.message.thinking == "Hm."


@pytest.mark.parametrize("fails", [False, True], ids=["at its end", "at its error"])
async def test_a_client_that_leaves_at_the_very_end_is_no_failure_of_the_upstream(
    fails: bool, fake_upstream: Any, start_proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last write finds the connection closed: nothing is tried again, and no error of the proxy is logged."""

    async def closed(*_: Any) -> None:
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    def script(request: Any) -> Answer:
        for name in ("write", "write_eof") if fails else ("write_eof",):
            monkeypatch.setattr(answer.StreamedAnswer, name, closed)
        whole = say(request, Turn(text="Hello there, you", chunk_size=5))
        return whole.keep(3).then(Drop()) if fails else whole

    gate = Gate()
    upstream = await fake_upstream(lambda request: script(request).after(Wait(gate)))
    proxy = await start_proxy(config(upstream.base_url))
    with structlog.testing.capture_logs() as logs:
        async with proxy.session.post(f"{proxy.url}/v1/messages", json=THINKING) as response:
            gate.open()
            with contextlib.suppress(aiohttp.ClientError):
                await response.read()
    assert [entry["event"] for entry in logs] == ["request"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(("asked", "told"), [({}, None), ({"connection": "close"}, "close")])
async def test_a_connection_that_will_be_closed_is_not_called_alive(
    asked: dict[str, str], told: str | None, fake_upstream: Any, start_proxy: Any
) -> None:
    """Otherwise the client sends its next request on it, and loses it."""
    upstream = await fake_upstream(lambda request: say(request, Turn(text="Hello")))
    proxy = await start_proxy(config(upstream.base_url))
    reply = await proxy.stream(TURN, **asked)
    assert reply.headers.get("connection") == told


async def test_the_end_leaves_a_sign_of_life_alone_that_is_being_written(
    fake_upstream: Any, start_proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a slow client waits together with all others: cancelled for one it would be for all."""
    write = answer.StreamedAnswer.write
    gate, cancelled = Gate(), []

    async def slowly(response: answer.StreamedAnswer, data: bytes) -> None:
        await write(response, data)
        if data.startswith(b"event: ping"):
            gate.open()
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                cancelled.append(data)

    monkeypatch.setattr(answer.StreamedAnswer, "write", slowly)
    upstream = await fake_upstream(lambda request: say(request, Turn(text="Hello")).after(Wait(gate)))
    proxy = await start_proxy(config(upstream.base_url))
    reply = await proxy.stream(THINKING)
    assert validate_stream(reply.body).message.text == "Hello"
    assert cancelled == []


async def test_an_answer_that_begins_while_a_failure_is_judged_begins_at_its_beginning(
    fake_upstream: Any, start_proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the failed attempt said was never sent, so it must not count as said."""
    cooling = ProcessStorage.cooling

    async def slowly(storage: ProcessStorage, names: Any) -> Any:
        await asyncio.sleep(0.2)  # as a Redis may take
        return await cooling(storage, names)

    monkeypatch.setattr(ProcessStorage, "cooling", slowly)
    said = Turn(text="Hello", chunk_size=9)
    upstream = await fake_upstream(
        [
            lambda request: Answer.sse(
                b"".join(say(request, said).keep(2).writes) + chat_error_frame("the engine has failed")
            ),
            lambda request: say(request, said),
        ]
    )
    proxy = await start_proxy(config(upstream.base_url, timeouts={"commit_after": 0.3}))
    reply = await proxy.stream(TURN)
    assert len(upstream.requests) == 2
    assert validate_stream(reply.body).message.text == "Hello"
