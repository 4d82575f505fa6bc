"""Server-sent events: decoding what an upstream sends.

The decoder is fed whatever one network read returned and gives back the events that this read completed. It is
lenient the way the WHATWG specification asks for (CR, LF and CRLF line ends, a byte order mark, comments, ``data:``
with or without a space) and in one way more: an event that was not closed by a blank line still counts at the end.
"""

from __future__ import annotations

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_NAMES = {
    b"event: " + name.encode(): name
    for name in (
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_start",
        "message_stop",
        "ping",
    )
}


class SSEEvent(NamedTuple):
    """One server-sent event: its ``event:`` name (empty when it had none) and its joined ``data:`` lines."""

    event: str
    data: bytes


_new = tuple.__new__  # past the constructor of a NamedTuple, which is written in Python


class EventTooLarge(ValueError):
    """An upstream sent one event larger than the decoder's bound."""


class SSEDecoder:
    """Turns the bytes of a stream into events; feeding them in other portions gives the same events.

    ``max_event`` bounds the bytes held for one unfinished event.
    """

    __slots__ = ("_held", "_max_event", "_pieces", "_size", "_started")

    def __init__(self, max_event: int = 16 * 1024 * 1024) -> None:
        self._max_event = max_event
        self._pieces: list[bytes] = []  # of an unfinished event; none is empty, and no two of them end it
        self._size = 0
        self._held = b""  # what the next bytes decide: part of a byte order mark, or the CR of a CRLF
        self._started = False

    def feed(self, data: bytes) -> list[SSEEvent]:
        """Return the events that ``data`` completes. Raises EventTooLarge when an event exceeds the bound."""
        if self._held:
            data, self._held = self._held + data, b""
        if not self._started:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._held = data
                return []
            data = data.removeprefix(_BOM)
            self._started = True
        if b"\r" in data:
            if data.endswith(b"\r"):
                data, self._held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._pieces:
            # A long event comes in many reads: look at each byte once.
            if b"\n\n" not in data and not (data.startswith(b"\n") and self._pieces[-1].endswith(b"\n")):
                self._keep(data)
                return []
            data = b"".join((*self._pieces, data))
            self._pieces, self._size = [], 0
        if data.startswith(b"data: ") and data.find(b"\n") == len(data) - 2 and data.endswith(b"\n"):
            return [_new(SSEEvent, ("", data[6:-2]))]  # one event in one read, as most come
        *blocks, tail = data.split(b"\n\n")
        self._keep(tail)
        events: list[SSEEvent] = []
        for block in blocks:
            first, line_end, rest = block.partition(b"\n")
            if not line_end and first.startswith(b"data: "):  # what chat upstreams send, nearly always
                events.append(_new(SSEEvent, ("", first[6:])))
            elif (name := _NAMES.get(first)) and rest.startswith(b"data: ") and b"\n" not in rest:
                events.append(_new(SSEEvent, (name, rest[6:])))  # what Messages upstreams send
            elif (event := _parse(block)) is not None:
                events.append(event)
        return events

    def finish(self) -> list[SSEEvent]:
        """Return what the end of the stream completes: at most one event whose closing blank line never came."""
        rest = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        event = _parse(rest)
        return [] if event is None else [event]

    def _keep(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._size += len(data)
            if self._size > self._max_event:
                raise EventTooLarge(f"one server-sent event is larger than {self._max_event} bytes")


def _parse(block: bytes) -> SSEEvent | None:
    name = ""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode("utf-8", "replace")
        elif line == b"data":
            data.append(b"")
    if not data:
        return None
    return SSEEvent(name, b"\n".join(data))
