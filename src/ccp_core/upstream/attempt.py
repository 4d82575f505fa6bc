"""One request to an upstream, and its answer on the way to the client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import aiohttp
import orjson
import structlog

from ccp_core.errors import Adjustment, Cause, UpstreamFailure
from ccp_core.protocol.events import StreamEvent
from ccp_core.protocol.grammar import UpstreamStreamError
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.seam import SeamLost
from ccp_core.protocol.sse import EventTooLarge, SSEDecoder, SSEEvent
from ccp_core.provider import UpstreamHead, UpstreamRequest
from ccp_core.route import Route, StreamContext
from ccp_core.upstream.client import (
    MAX_ANSWER_BODY,
    MAX_ERROR_BODY,
    AttemptFailed,
    failure_of,
    lower_case,
    read_bounded,
)
from ccp_core.upstream.keys import Key
from ccp_core.upstream.raw import RawLog
from ccp_core.upstream.recovery import Continuation
from ccp_core.upstream.upstream import Upstream

if TYPE_CHECKING:
    from ccp_core.server.answer import Answer

log = structlog.get_logger("ccp.exchange")

DRAIN_SECONDS = 0.25
"""How long an upstream may take to close a stream that has ended, so that its connection can be used again."""

_NO_BODY = b""


class Attempt:
    """Asks ``upstream`` once. ``send`` passes legal events on to the client; ``raw`` notes contents, where wanted.

    ``continuation``: what is asked goes on with an answer that was cut. ``may_be_last``: nothing else needs the
    request once the client has got content.
    """

    def __init__(
        self,
        upstream: Upstream,
        route: Route,
        answer: Answer,
        send: Callable[[list[StreamEvent]], Awaitable[None]],
        *,
        continuation: Continuation | None = None,
        may_be_last: bool = False,
        raw: RawLog | None = None,
    ) -> None:
        self._upstream = upstream
        self._lane = upstream.lane
        self._route = route
        self._answer = answer
        self._send = send
        self._continuation = continuation
        self._may_be_last = may_be_last
        self._raw = raw
        self._stream: StreamContext | None = None  # while the upstream's answer has not ended
        # Legal events that are sent only if the answer turns out whole, or has begun.
        self._last: list[StreamEvent] = []

    async def run(self, request: MessagesRequest, key: Key | None, adjustments: Sequence[Adjustment]) -> None:
        """Send ``request`` and pass on the whole answer. Raises AttemptFailed."""
        options = self._upstream.options(self._route, request, adjustments)
        built = self._lane.build_request(request, self._route, options)
        client = self._upstream.client
        if self._raw is not None:
            self._raw.upstream_request(str(client.url(built.path)), built.body)
        async with client.post(built, key.secret if key is not None else "") as response:
            if response.status != 200:
                raise AttemptFailed(failure_of(response, await self._read(response, MAX_ERROR_BODY), built))
            head = UpstreamHead(status=response.status, headers=lower_case(response.headers))
            stream = self._stream = StreamContext(
                provider=self._upstream.provider,
                request=request,
                upstream_request=built,
                route=self._route,
                options=options,
            )
            self._lane.open_stream(stream, head)
            pour = self._pour_json if response.content_type == "application/json" else self._pour
            try:
                cause, body = await pour(stream, response)
            except UpstreamStreamError as error:
                self._last = error.before
                failure = _failure("stream", response, built, orjson.dumps(error.event.payload))
                failure.status = error.event.status
                raise AttemptFailed(failure) from error
            except (EventTooLarge, SeamLost) as error:
                raise AttemptFailed(_failure("malformed", response, built, _NO_BODY, str(error))) from None
            if not await self.end():
                raise AttemptFailed(_failure(cause, response, built, body))
            await self._upstream.succeeded(key, self._route.model, head)
            await self._answer.close()
            await _drain(response)

    async def end(self) -> bool:
        """Say what is still to be said of a stream that has ended, in whatever way; whether the answer is whole.

        An upstream that had named the reason why it stopped had said everything. And where a finished call is the last
        that came, the answer ends with it: the client runs it, and the model goes on from its result.
        """
        stream, self._stream = self._stream, None
        answer, grammar = self._answer, self._answer.grammar
        if stream is None:
            return grammar.finished
        events, self._last = self._last, []
        if not grammar.finished:
            try:
                events += grammar.accept(self._joined(self._lane.finish_stream(stream)))
            except UpstreamStreamError as error:
                events += error.before
            except SeamLost:
                pass
        if not grammar.finished and answer.committed and grammar.ends_with_call:
            log.warning("cut_behind_call", route=str(self._route))
            events += grammar.finish()
        if not (grammar.finished or answer.committed):
            answer.restart()  # the client need not know of it
        elif events:
            await self._send(events)
        return grammar.finished

    async def _pour(self, stream: StreamContext, response: aiohttp.ClientResponse) -> tuple[Cause, bytes]:
        """Translate a stream of server-sent events into the answer, one write for each read.

        Gives what is wrong should the answer not be whole at the end.
        """
        answer, lane, decoder = self._answer, self._lane, SSEDecoder()
        accept = answer.grammar.accept
        seen, opening = False, b""
        read = response.content.readany if self._raw is None else self._raw.reading(response)
        while data := await read():
            chunk = decoder.feed(data)
            if not chunk:
                if not seen:
                    opening = (opening + data)[:MAX_ERROR_BODY]
                continue
            seen = True
            events = accept(self._joined(lane.translate_chunk(stream, chunk)))
            if events:
                await self._send(events)
                if answer.grammar.finished:
                    return "truncated", _NO_BODY
                if self._may_be_last and answer.committed and answer.grammar.has_content:
                    stream.free_conversation()
                    self._may_be_last = False
        rest = decoder.finish()
        if rest and rest[0].data.rstrip().endswith((b"}", b"]")):  # whole, but for the line that ends it
            self._last = accept(self._joined(lane.translate_chunk(stream, rest)))
        return ("truncated", _NO_BODY) if seen or rest else ("malformed", opening)

    async def _pour_json(
        self, stream: StreamContext, response: aiohttp.ClientResponse
    ) -> tuple[Cause, bytes]:
        """A JSON body where a stream was asked for: an error, or the whole answer in one piece."""
        body = await self._read(response, MAX_ANSWER_BODY)
        opening = body[:MAX_ERROR_BODY]
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            return "malformed", opening
        events = self._joined(self._lane.translate_chunk(stream, [SSEEvent("", body)]))
        self._last = self._answer.grammar.accept(events)
        return "malformed", opening

    def _joined(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        return events if self._continuation is None else self._continuation.joined(events)

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        body = await read_bounded(response, limit)
        if self._raw is not None:
            self._raw.upstream_answer(response.status, body)
        return body


def _failure(
    cause: Cause, response: aiohttp.ClientResponse, request: UpstreamRequest, body: bytes, detail: str = ""
) -> UpstreamFailure:
    failure = failure_of(response, body, request)
    failure.cause, failure.detail = cause, detail
    return failure


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a finished stream to its end, which lets its connection be used again."""
    if response.content.at_eof():
        return
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in response.content.iter_any():
                pass
