"""How long the proxy waits for an upstream, and what it says when that was too long."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

import orjson
import pytest

from ccp_core.testing import Answer, Gate, Stall, Wait, chat_stream
from ccp_core.testing.proxy_app import TURN, one_provider

LONG = {**TURN, "messages": [{"role": "user", "content": "x" * 10_000_000}]}
ONCE = {"retries": 0}


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, and never read."""
    await asyncio.Event().wait()


@pytest.fixture
def full_port():
    """The port of a listener whose queue is full: a further connection is not even refused."""
    if sys.platform != "linux":
        pytest.skip("only on Linux a full queue leaves further connections without an answer")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


async def test_a_server_that_accepts_no_connection_is_given_up_after_the_connect_timeout(
    full_port, start_proxy
):
    config = one_provider("nvidia_nim", f"http://127.0.0.1:{full_port}/v1", limits=ONCE)
    proxy = await start_proxy({**config, "timeouts": {"connect": 0.2}})
    reply = await proxy.post()
    assert (reply.status, reply.error["type"]) == (503, "api_error")
    assert "timeouts.connect" in reply.error["message"]


async def test_a_tls_handshake_that_is_not_answered_counts_as_connecting(serve, start_proxy):
    port = await serve(hang)
    config = one_provider("nvidia_nim", f"https://127.0.0.1:{port}/v1", limits=ONCE)
    proxy = await start_proxy({**config, "timeouts": {"connect": 0.2}})
    reply = await proxy.post()
    assert reply.status == 503
    assert "timeouts.connect" in reply.error["message"]


async def test_a_server_that_reads_nothing_of_a_large_request_is_given_up_after_the_write_timeout(
    serve, start_proxy
):
    port = await serve(hang)
    config = one_provider("nvidia_nim", f"http://127.0.0.1:{port}/v1", limits=ONCE)
    proxy = await start_proxy({**config, "timeouts": {"write": 0.2}})
    reply = await proxy.post(LONG)
    assert (reply.status, reply.error["type"]) == (529, "overloaded_error")
    assert "timeouts.write" in reply.error["message"]


async def test_a_server_that_reads_slowly_gets_all_of_a_large_request(serve, start_proxy):
    """The write timeout is about progress: the whole request may take longer."""
    taken = []

    async def read_slowly(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        body = bytearray()
        while len(body) < length:
            body += await reader.read(1_000_000)
            await asyncio.sleep(0.03)  # the slowness itself, not a synchronisation
        taken.append(orjson.loads(body))
        answer = chat_stream(text="I have it").body
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + answer
        )
        await writer.drain()
        writer.write_eof()
        await reader.read()

    port = await serve(read_slowly)
    config = one_provider("nvidia_nim", f"http://127.0.0.1:{port}/v1", limits=ONCE)
    proxy = await start_proxy({**config, "timeouts": {"write": 1.0}})
    reply = await proxy.post(LONG)
    assert reply.json["content"][0]["text"] == "I have it"
    assert len(taken[0]["messages"][-1]["content"]) == 10_000_000


@pytest.mark.parametrize("answer", [Answer.sse(Stall()), chat_stream(text="x").after(Stall())])
async def test_silence_longer_than_the_read_timeout_is_told_once_and_not_repeated(
    answer, fake_upstream, start_proxy
):
    upstream = await fake_upstream([answer])
    config = one_provider("nvidia_nim", upstream.base_url)
    proxy = await start_proxy({**config, "timeouts": {"read": 0.2}})
    reply = await proxy.post()
    assert reply.status == 500
    assert reply.headers["x-should-retry"] == "false"
    assert "timeouts.read" in reply.error["message"]


async def test_without_a_read_timeout_silence_is_waited_for(fake_upstream, start_proxy):
    gate = Gate()
    upstream = await fake_upstream(chat_stream(text="at last").insert(1, Wait(gate)))
    config = one_provider("nvidia_nim", upstream.base_url)
    proxy = await start_proxy({**config, "timeouts": {"connect": 0.05, "write": 0.05}})
    turn = asyncio.ensure_future(proxy.post())
    await gate.reached.wait()
    await asyncio.wait([turn], timeout=0.3)
    assert not turn.done()
    gate.open()
    assert (await turn).json["content"][0]["text"] == "at last"


async def test_an_error_whose_body_never_ends_is_told_all_the_same(fake_upstream, start_proxy, monkeypatch):
    monkeypatch.setattr("ccp_core.upstream.client.ERROR_BODY_SECONDS", 0.1)
    upstream = await fake_upstream(Answer((b'{"error": {"message": "No such colour"}} ', Stall()), 400))
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    reply = await proxy.post()
    assert reply.status == 400
    assert "No such colour" in reply.error["message"]
