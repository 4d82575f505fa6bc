"""A key or a prompt is in no log line at default flags, whatever way it comes in and whatever goes wrong with it."""

from __future__ import annotations

import asyncio
import gzip
import textwrap

import orjson
import pytest

from ccp_core.testing import (
    Answer,
    Drop,
    Reset,
    chat_error,
    chat_error_frame,
    chat_stream,
    messages_error_frame,
    messages_stream,
)
from ccp_core.testing.proxy_app import TURN, one_provider

from .conftest import TOKEN

PROMPT = "planted-prompt-zq81"
KEY = "plantedKeyZq82"  # of no usual form: only the settings know that it is one
TURN_WITH_PROMPT = {
    **TURN,
    "system": PROMPT,
    "messages": [{"role": "user", "content": PROMPT}],
    "tools": [{"name": "Read", "description": PROMPT, "input_schema": {"type": "object"}}],
    "metadata": {"user_id": PROMPT},
}
BOTH = f"{PROMPT} with {KEY}"

ANSWERS = {
    "answer": chat_stream(text=BOTH, reasoning=BOTH),
    "400": chat_error(400, BOTH),
    "401": chat_error(401, f"Incorrect API key provided: {KEY}"),
    "429": chat_error(429, BOTH).with_headers({"x-request": BOTH, "retry-after": BOTH}),
    "500": chat_error(500, BOTH),
    "overflow": chat_error(400, f"maximum context length is 100 tokens: {BOTH}"),
    "html": Answer.html(BOTH),
    "html error": Answer.html(BOTH, 502),
    "redirect": Answer.text("", 302).with_headers({"location": f"https://x.test/?q={PROMPT}&k={KEY}"}),
    "garbage": Answer.sse(b"data: {" + BOTH.encode() + b"\n\n"),
    "unknown": Answer.sse(b'data: {"x": "' + BOTH.encode() + b'"}\n\n'),
    "error event": Answer.sse(chat_error_frame(BOTH)),
    "late error event": chat_stream(text=BOTH).keep(3).then(chat_error_frame(BOTH)),
    "cut": chat_stream(text=BOTH * 50).keep(4).then(Drop()),
    "reset": chat_stream(text=BOTH * 50).keep(4).then(Reset()),
    "no http": Answer.raw(BOTH.encode() + b"\r\n\r\n"),
    "bad header": Answer.raw(b"HTTP/1.1 200 OK\r\n" + BOTH.encode() + b"\r\n\r\n"),
    "bad status": Answer.raw(b"HTTP/1.1 " + BOTH.encode() + b"\r\n\r\n"),
    "bad chunk": Answer.raw(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + BOTH.encode() + b"\r\n"
    ),
    "damaged gzip": Answer(
        (gzip.compress(BOTH.encode() * 99)[:40],), 200, {"content-encoding": "gzip"}, framing="close"
    ),
}

PLUGIN = """
from ccp_core import hookimpl

@hookimpl
def ccp_build_request(provider, request, route, options):
    raise ValueError(f"I do not understand {request.body}")
"""


async def odd_requests(proxy) -> None:
    """The prompt and the key at all the places of a request where they do not belong."""
    url, session = proxy.url, proxy.session
    whole = orjson.dumps(TURN_WITH_PROMPT)
    requests = [
        ("/v1/messages", whole, {"x-api-key": KEY}),
        ("/v1/messages", whole, {"authorization": f"Bearer {KEY}"}),
        ("/v1/messages", whole, {"authorization": f"Basic {KEY}"}),
        ("/v1/messages", whole[:-5], TOKEN),
        ("/v1/messages", orjson.dumps({**TURN_WITH_PROMPT, "messages": BOTH}), TOKEN),
        ("/v1/messages", orjson.dumps({**TURN_WITH_PROMPT, "max_tokens": BOTH}), TOKEN),
        ("/v1/messages", whole, {**TOKEN, "content-encoding": "gzip"}),
        ("/v1/messages", whole, {**TOKEN, "content-type": BOTH, "anthropic-beta": BOTH, "cookie": KEY}),
        ("/v1/messages", whole, {"x-api-key": f"freecc:{KEY}/{PROMPT}"}),
        (f"/v1/messages?q={PROMPT}&key={KEY}", whole, TOKEN),
        (f"/{PROMPT}/{KEY}", whole, TOKEN),
        ("/v1/messages/count_tokens", whole, TOKEN),
        ("/health", whole, {**TOKEN, "host": f"{PROMPT}.test"}),
    ]
    for path, data, headers in requests:
        async with session.post(
            url + path, data=data, headers={"connection": "close", **headers}
        ) as response:
            await response.read()
    raw = [
        f"GET /{BOTH} HTTP/9.9\r\n\r\n",
        f"{BOTH}\r\n\r\n",
        f"GET / HTTP/1.1\r\n{BOTH}\r\n\r\n",
        f"GET / HTTP/1.1\r\nx-api-key: {KEY}{'a' * 40000}\r\n\r\n",
        f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{BOTH}\r\n",
        f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: freecc\r\ncontent-length: 500\r\n\r\n{BOTH}",
    ]
    for text in raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.process.port)
        writer.write(text.encode())
        writer.write_eof()
        await reader.read()
        writer.close()


async def assert_secret(proxy, how: str) -> None:
    """End the proxy, which writes the lines that wait, and look for what was planted."""
    await asyncio.to_thread(proxy.process.stop)
    written = proxy.process.log + proxy.process.log_file
    assert "attempt_failed" in written or "request" in written  # it has logged at all
    for marker in (PROMPT, KEY):
        lines = [line for line in written.splitlines() if marker in line]
        assert lines == [], how


@pytest.mark.parametrize("transport", ["openai", "anthropic"])
async def test_no_log_line_holds_a_planted_key_or_prompt(transport, fake_upstream, start_process):
    answers = dict(ANSWERS)
    if transport == "anthropic":
        answers["answer"] = messages_stream(text=BOTH, thinking=BOTH)
        answers["error event"] = Answer.sse(messages_error_frame(BOTH))
        answers["late error event"] = messages_stream(text=BOTH).keep(4).then(messages_error_frame(BOTH))
    script = iter([answer for answer in answers.values() for _ in range(2)])
    upstream = await fake_upstream(lambda request: next(script, answers["answer"]))
    config = one_provider(
        "own",
        upstream.base_url,
        provider={"api_key": KEY, "transport": transport, "headers": {"x-team": f"{KEY}-team"}},
        limits={"retries": 0},
    )
    proxy = await start_process(config)
    for _ in answers:
        for streamed in (True, False):
            await proxy.ask_roughly({**TURN_WITH_PROMPT, "stream": streamed})
    assert len(upstream.model_calls) >= 2 * len(answers)
    await odd_requests(proxy)
    await assert_secret(proxy, transport)


async def test_no_log_line_holds_what_an_exception_of_a_plugin_quotes(tmp_path, fake_upstream, start_process):
    package = tmp_path / "site"
    info = package / "quoting-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quoting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ccp]\nquoting = quoting\n")
    (package / "quoting.py").write_text(textwrap.dedent(PLUGIN))
    upstream = await fake_upstream(chat_stream(text="x"))
    config = one_provider("own", upstream.base_url, provider={"api_key": KEY, "transport": "openai"})
    proxy = await start_process(config, env={"PYTHONPATH": str(package)})
    status, body = await proxy.ask(TURN_WITH_PROMPT)
    assert status == 500
    assert "quoting" in body["error"]["message"]
    assert PROMPT not in str(body)
    await assert_secret(proxy, "plugin")


async def test_no_log_line_holds_the_credentials_of_a_proxy_that_fails(fake_upstream, start_process):
    config = one_provider(
        "own",
        "https://models.invalid/v1",
        provider={"proxy": f"http://someone:{KEY}@127.0.0.1:9", "transport": "openai"},
        limits={"retries": 0},
    )
    proxy = await start_process(config)
    status, body = await proxy.ask(TURN_WITH_PROMPT)
    assert status == 503
    assert KEY not in str(body)
    await assert_secret(proxy, "proxy")


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_in_the_log(fake_upstream, start_process):
    upstream = await fake_upstream(lambda request: chat_stream(text=BOTH * 200))
    proxy = await start_process(one_provider("own", upstream.base_url, provider={"transport": "openai"}))
    for _ in range(5):
        stream = await proxy.open(messages=[{"role": "user", "content": BOTH}])
        stream.response.close()
    await proxy.ask()
    await assert_secret(proxy, "client left")
