"""The body of a request: bytes that are sent piece by piece, so that an upstream which takes none is noticed."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import orjson
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from ccp_core.protocol.events import Json
from ccp_core.protocol.known_tools import KEPT, MAX_BYTES
from ccp_core.upstream.causes import WriteTimeout

SMALL = 64 * 1024
"""Bytes for which nobody waits: the writer keeps as many itself."""

PIECE = 256 * 1024
"""Bytes handed to the socket at once: a usual request is one piece. Each must be taken within the timeout."""


_latest_tools: deque[tuple[list[Any], orjson.Fragment | None]] = deque(maxlen=KEPT)


def pack(body: Json) -> bytes:
    """The JSON of a body. Raises orjson.JSONEncodeError.

    Tools that are the same list as in an earlier turn are about half of it, and are written once.
    """
    tools = body.get("tools")
    if type(tools) is not list:
        return orjson.dumps(body)
    for position, (known, packed) in enumerate(_latest_tools):
        if known is tools:
            if packed is None:  # what comes a second time will come again
                packed = orjson.Fragment(orjson.dumps(tools))
                _latest_tools[position] = (tools, packed)
            return orjson.dumps({**body, "tools": packed})
    data = orjson.dumps(body)
    if len(data) <= MAX_BYTES:
        _latest_tools.appendleft((tools, None))
    return data


class RequestBody(Payload):
    """JSON of a request. Raises WriteTimeout while it is sent, after ``timeout`` seconds in which nothing was taken."""

    def __init__(self, data: bytes, timeout: float) -> None:
        super().__init__(data, content_type="application/json")
        self._data = data
        self._size = len(data)
        self._timeout = timeout

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self._data.decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The body."""
        return self._data

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it."""
        data, self._data = self._data, b""  # which nobody asks for twice: a POST is not repeated
        if len(data) <= SMALL:
            await writer.write(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            try:
                async with asyncio.timeout(self._timeout):
                    await writer.write(view[start : start + PIECE])
            except TimeoutError:
                raise WriteTimeout from None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send all of it; aiohttp asks for the length that it was told."""
        await self.write(writer)
