"""The answer to one request, as it reaches the client: a stream of events, or one JSON Message.

Two-phase commit: nothing is sent before there is content, so that a failure can still become an HTTP status. When an
upstream is silent for long, the answer is begun without content and the client is kept awake: a ``ping`` at short
intervals, and now and then an empty delta, which older clients count as progress where they do not count pings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from ccp_core.errors import ApiError, ClientGone
from ccp_core.protocol.collect import Collector
from ccp_core.protocol.encode import PING, encode, encode_error
from ccp_core.protocol.events import MessageStop, StreamEvent
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
        super().__init__(
            allow_all_methods=True,
            ping_interval=min(ping, EMPTY_DELTA_INTERVAL),
            send_timeout=None,  # the connection has one (server.connection)
        )
        self.grammar = grammar
        self._headers_at_begin = headers
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._last_write = self._last_event = self._loop.time()
        self.ended = False
        """Whether the client has been sent the whole answer."""
        self._commit: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(commit_after, self._commit_soon)

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
        """Send status and headers."""
        if not self.prepared:
            self.headers.update(self._headers_at_begin())
        return await super().prepare(request)

    async def send(self, events: Sequence[StreamEvent]) -> None:  # type: ignore[override]
        """Write events, in order, in one write; waits while the client reads slowly. Raises ClientGone."""
        try:
            if not self.prepared:
                await self._begin()
            self._last_write = self._last_event = self._loop.time()
            if type(events[-1]) is MessageStop:  # nothing follows: the end leaves in the same write
                self.ended = True
                self.quiet()
                await self.write_eof(encode(events))
            else:
                await self.write(encode(events))
        except ConnectionError as error:
            raise ClientGone from error

    async def fail(self, error: ApiError, request_id: str) -> None:
        """End a stream that has begun with an error event; the open block stays open, so that the client asks again."""
        if not self.ended:
            await self.write(encode_error(error.error_type, error.message, request_id))
            await self.close()

    async def close(self) -> None:
        """End the stream, also towards the client."""
        self.quiet()
        if self.prepared:
            await self.write_eof()

    def quiet(self) -> None:
        """Stop all timers. Must be called in the end, whatever happened."""
        self._timer.cancel()
        if self._commit is not None:
            self._commit.cancel()
            self._commit = None
        if self._ping_task is not None:
            self._ping_task.cancel()
            # Its exception's traceback leads back here: with a circle each answer would wait for the collector.
            self._ping_task = None

    async def _begin(self) -> None:
        self._timer.cancel()
        if self._commit is not None and self._commit is not asyncio.current_task():
            await self._commit
        if not self.prepared:
            await self.prepare(self._request)

    def _commit_soon(self) -> None:
        self._commit = self._loop.create_task(self._commit_now())

    async def _commit_now(self) -> None:
        try:
            await self.prepare(self._request)
            start = self.grammar.start()
            if start:
                await self.write(encode(start))
        except (ConnectionError, RuntimeError):
            return  # the client has gone; its handler is being cancelled

    async def _ping(self) -> None:
        # Takes the place of the base class's comment lines, which no client counts as an event.
        while True:
            await asyncio.sleep(self._ping_interval)
            now = self._loop.time()
            if now - self._last_write < self._ping_interval * 0.9:
                continue
            self._last_write = now
            data = PING
            if now - self._last_event >= EMPTY_DELTA_INTERVAL - self._ping_interval:
                self._last_event = now
                data += encode(self.grammar.keepalive())
            try:
                await self.write(data)
            except (ConnectionError, RuntimeError):
                return
