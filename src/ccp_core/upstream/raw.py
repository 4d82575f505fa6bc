"""LOG_RAW_*: the contents of one exchange, for the log file. Without these flags no object of this module exists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import structlog

from ccp_core.config.settings import LoggingSettings
from ccp_core.logs import RAW
from ccp_core.protocol.encode import encode
from ccp_core.protocol.events import StreamEvent
from ccp_core.protocol.sse import SSEDecoder, SSEEvent

log = structlog.get_logger(RAW)


class RawLog:
    """Writes what passes between client, proxy and upstream, whole (``raw_payloads``) or by event."""

    @classmethod
    def of(cls, settings: LoggingSettings, request_id: str) -> RawLog | None:
        """None unless a flag is on."""
        wanted = settings.raw_payloads or settings.raw_sse_events
        return cls(settings.raw_payloads, settings.raw_sse_events, request_id) if wanted else None

    def __init__(self, payloads: bool, events: bool, request_id: str) -> None:
        self._payloads = payloads
        self._events = events
        self._log = log.bind(request_id=request_id)
        self._sent: list[bytes] = []
        self._received: list[bytes] = []
        self._status = 0

    def client_request(self, body: Mapping[str, Any]) -> None:
        """What the client asked."""
        if self._payloads:
            self._log.info("client_request", body=body)

    def upstream_request(self, url: str, body: Mapping[str, Any]) -> None:
        """What the upstream is asked; it begins an attempt."""
        self._end_attempt()
        if self._payloads:
            self._log.info("upstream_request", url=url, body=body)

    def upstream_answer(self, status: int, body: bytes) -> None:
        """What the upstream answered, as it came."""
        if self._payloads:
            self._log.info("upstream_answer", status=status, body=_text(body))

    def reading(self, response: aiohttp.ClientResponse) -> Callable[[], Awaitable[bytes]]:
        """What reads the next piece of a stream, as ``readany`` does, and notes it on its way."""
        decoder = SSEDecoder()
        self._status = response.status

        async def read() -> bytes:
            data = await response.content.readany()
            if data:
                self._received.append(data)
            self._upstream_events(decoder.feed(data) if data else decoder.finish())
            return data

        return read

    def sent(self, events: Sequence[StreamEvent]) -> None:
        """What the client is answered."""
        data = encode(events)
        self._sent.append(data)
        if self._events:
            self._log.info("client_events", data=_text(data))

    def close(self) -> None:
        """The exchange is over."""
        self._end_attempt()
        if self._payloads and self._sent:
            self._log.info("client_answer", body=_text(b"".join(self._sent)))

    def _end_attempt(self) -> None:
        # Not where the stream is read: whoever reads it stops at the answer's end, before the stream's own.
        if self._received:
            self.upstream_answer(self._status, b"".join(self._received))
            self._received = []

    def _upstream_events(self, events: Sequence[SSEEvent]) -> None:
        if self._events:
            for event in events:
                self._log.info("upstream_event", name=event.event, data=_text(event.data))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
