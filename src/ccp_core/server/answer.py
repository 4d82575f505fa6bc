"""The answer to one request, as it reaches the client: a stream of events, or one JSON Message.

Two-phase commit: nothing is sent before there is content, so that a failure can still become an HTTP status. When an
upstream is silent for long, the answer is begun without content and the client is kept awake: a ``ping`` at short
intervals, and now and then an empty delta, which older clients count as progress where they do not count pings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from ccp_core.errors import ApiError, ClientGone
from ccp_core.protocol.collect import Collector
from ccp_core.protocol.encode import encode, encode_error
from ccp_core.protocol.events import MessageStop, Ping, StreamEvent
from ccp_core.protocol.grammar import Grammar

EMPTY_DELTA_INTERVAL = 100.0
"""Seconds without an event that counts for every client; its watchdog gives up after 300."""

MAX_COLLECTED = 64 * 1024 * 1024
"""Characters of an answer that is not streamed, and so is held whole."""


class Answer(Protocol):
    """Where the events of an answer go. They must be legal: the grammar's own."""

    grammar: Grammar

    @property
    def committed(self) -> bool:
        """Whether the client has got the beginning of the answer."""

    def restart(self) -> None:
        """Forget what a failed attempt left behind, except what the client has got."""

    async def send(self, events: Sequence[StreamEvent]) -> None:
        """Take in events, in order."""

    async def close(self) -> None:
        """The answer is complete: end it, also towards the client."""


class CollectedAnswer:
    """One JSON Message, for a request without ``stream``."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.first_sent: float | None = None
        """When the first events came, on the monotonic clock; None before."""
        self._collector = Collector()

    @property
    def committed(self) -> bool:
        """Never: the client gets the answer when it is whole."""
        return False

    def restart(self) -> None:
        """Forget all of it."""
        self.grammar, self._collector = self.grammar.anew(), Collector()

    async def send(self, events: Sequence[StreamEvent]) -> None:
        """Take in events, in order. Raises ApiError when the answer becomes too large to hold."""
        if self.first_sent is None:
            self.first_sent = time.monotonic()
        self._collector.accept(events)
        if self._collector.size > MAX_COLLECTED:
            text = f"The answer is larger than {MAX_COLLECTED} characters. Ask for it as a stream."
            raise ApiError(500, "api_error", text, {"x-should-retry": "false"})

    async def close(self) -> None:
        """The answer is complete."""

    def response(self, headers: Mapping[str, str]) -> web.Response:
        """The whole answer."""
        return web.Response(
            body=orjson.dumps(self._collector.message), content_type="application/json", headers=headers
        )


class StreamedAnswer(EventSourceResponse):
    """Server-sent events, one write for each batch; begun by the first batch or by ``commit_after`` seconds of silence.

    ``ping`` is the interval between signs of life in seconds. ``headers`` gives the answer's headers when it begins.
    """

    _send_headers_immediately = False  # aiohttp: they leave in one write with the first events

    def __init__(
        self,
        request: web.Request,
        grammar: Grammar,
        *,
        headers: Callable[[], Mapping[str, str]],
        commit_after: float,
        ping: float,
    ) -> None:
        super().__init__(allow_all_methods=True, ping_interval=min(ping, EMPTY_DELTA_INTERVAL))
        del self.headers["connection"]  # "keep-alive", also where the client has asked to close
        self.grammar = grammar
        self.first_sent: float | None = None
        """When the first events went out, on the monotonic clock; None before."""
        self.ended = False
        """Whether the client has been sent the whole answer."""
        self._headers_at_begin = headers
        self._request = request
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._last_write = self._last_event = now
        self._commit_at = now + commit_after
        self._sign: asyncio.Task[None] | None = None  # writes a sign of life
        self._timer = self._loop.call_later(min(commit_after, self._ping_interval), self._look)

    @property
    def committed(self) -> bool:
        """Whether status and headers are out."""
        return self.prepared

    def restart(self) -> None:
        """Forget what a failed attempt left behind, except what the client has got."""
        if self.prepared:
            self.grammar.restart()
        else:
            self.grammar = self.grammar.anew()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Prepare status and headers; they leave with what is written next."""
        if self.prepared:
            return self._payload_writer
        self.headers.update(self._headers_at_begin())
        # Past the base class, which would run a task for each answer and set its socket up anew.
        writer = await web.StreamResponse.prepare(self, request)
        self.enable_chunked_encoding()
        return writer

    async def send(self, events: Sequence[StreamEvent]) -> None:  # type: ignore[override]
        """Write events, in order, in one write; waits while the client reads slowly. Raises ClientGone."""
        try:
            if self.first_sent is None:
                self.first_sent = time.monotonic()
                await self._begin()
            self._last_write = self._last_event = self._loop.time()
            if type(events[-1]) is MessageStop:  # nothing follows: the end leaves in the same write
                await self._end(encode(events))
            else:
                await self.write(encode(events))
        except ConnectionError as error:
            raise ClientGone from error

    async def fail(self, error: ApiError, request_id: str) -> None:
        """End a stream that has begun with an error event; the open block stays open, so that the client asks again.

        Raises ClientGone.
        """
        if not self.ended:
            await self._end(encode_error(error.error_type, error.message, request_id))

    async def close(self) -> None:
        """End the stream, also towards the client. Raises ClientGone."""
        if self.prepared:
            await self._end(b"")

    def quiet(self) -> None:
        """Give no further sign of life. Must be called in the end, whatever happened."""
        self._timer.cancel()
        # One that is being written is left alone: all who wait for a slow client wait together, and stop together.
        self._sign = None

    async def _begin(self) -> None:
        if self._sign is not None:  # which is just beginning the answer
            await self._sign
        if not self.prepared:
            await self.prepare(self._request)

    async def _end(self, data: bytes) -> None:
        self.quiet()
        self.ended = True
        try:
            await self.write_eof(data)
        except ConnectionError as error:
            raise ClientGone from error

    def _look(self) -> None:
        """Begin an answer whose upstream is silent; keep a client awake that waits for more."""
        now = self._loop.time()
        idle = now - self._last_write
        next_look = self._ping_interval
        if not self.prepared and now < self._commit_at:
            next_look = self._commit_at - now
        elif self.prepared and idle < self._ping_interval * 0.9:
            next_look = self._ping_interval - idle
        elif self._sign is None or self._sign.done():
            self._sign = self._loop.create_task(self._write_sign())
        self._timer = self._loop.call_later(next_look, self._look)

    async def _write_sign(self) -> None:
        if self._timer.cancelled():  # meanwhile all was said
            return
        try:
            if self.prepared:
                events = [Ping(), *self._empty_delta()]
            else:
                await self.prepare(self._request)
                events = self.grammar.start()
            self._last_write = self._loop.time()
            await self.write(encode(events))
        except (ConnectionError, RuntimeError):
            return  # the client has gone; its handler is being cancelled

    def _empty_delta(self) -> Sequence[StreamEvent]:
        """The empty delta that older clients need, when one is due."""
        now = self._loop.time()
        if now - self._last_event < EMPTY_DELTA_INTERVAL - self._ping_interval:
            return ()
        self._last_event = now
        return self.grammar.keepalive()
