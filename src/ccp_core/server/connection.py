"""One connection of a client: what its requests may be in size, and errors in the shape that clients read."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from ccp_core.errors import ApiError
from ccp_core.server.errors import error_response

log = structlog.get_logger("ccp.server")

MAX_LINE = 16 * 1024
"""Bytes of the request line."""

MAX_FIELD = 32 * 1024
"""Bytes of one header. A request has at most 128 of them."""


GONE_AFTER = 120
"""Seconds in which a client's machine may acknowledge nothing of what was sent to it."""

_TCP_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it


class Connection(web.RequestHandler):
    """aiohttp's protocol of one connection, with our bounds. Nothing that a client sent gets into the log."""

    def __init__(self, manager: web.Server, **options: Any) -> None:
        super().__init__(
            manager,
            access_log=None,  # type: ignore[arg-type] # aiohttp takes None for none
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            **options,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there. One that vanishes without a word is noticed by what it does not acknowledge."""
        super().connection_made(transport)
        made = transport.get_extra_info("socket")
        if _TCP_USER_TIMEOUT is not None and made is not None:
            with contextlib.suppress(OSError):
                made.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, GONE_AFTER * 1000)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has left. Why is kept with its request, so it must not lead back there: that would be a circle."""
        if exc is not None:
            exc.__traceback__ = None
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request: not HTTP, or too large. The connection ends with it."""
        if isinstance(exc, ConnectionError):  # the client has left, so there is nobody to answer
            raise exc
        if isinstance(exc, LineTooLong):
            text = f"The request line is larger than {MAX_LINE} bytes, or a header larger than {MAX_FIELD}."
            error = ApiError(431, "invalid_request_error", text)
        elif status < 500:
            error = ApiError(status, "invalid_request_error", "This is not HTTP as the proxy understands it.")
        else:
            error = ApiError(status, "api_error", "The proxy itself failed.")
        request_id = "req_" + secrets.token_hex(12)
        log.warning("no_request", request_id=request_id, status=error.status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        response = error_response(error, request_id)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp has to say of an exception, without its text, which may quote the request."""
        log.error("connection_failed", error=type(kw.get("exc_info")).__name__)
