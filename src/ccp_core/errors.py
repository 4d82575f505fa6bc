"""What can go wrong upstream, what it means, and what the client is told.

An ``UpstreamFailure`` is what happened; ccp_classify_error turns it into a ``Verdict``, what it means; the retry plan
acts on the verdict; ``ApiError`` is what reaches the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, Literal

import orjson
from attrs import Factory, define, field, frozen

from ccp_core.protocol.events import StreamEvent

Cause = Literal[
    "status",  # an answer with a status of 400 or more (or 202)
    "stream",  # an error object inside a 200 stream
    "malformed",  # a 200 whose body is not what was asked for (HTML, empty, garbage)
    "truncated",  # a stream that ended without its end marker
    "refused",  # nobody listens at the address
    "unknown_host",
    "unreachable",  # no way to the address: network down, or nobody answers for it
    "tls",
    "connect_timeout",
    "write_timeout",
    "read_timeout",
    "deadline",  # a list or a count took longer than the proxy allows them
    "broken",  # connection reset or closed in the middle
    "proxy",  # the proxy on the way refused or failed
    "exhausted",  # this machine has no file descriptor left
]


class VerdictKind(Enum):
    """The meaning of a failure; the client's error follows from it (server.errors has the table)."""

    OVERFLOW = "overflow"
    """Prompt larger than the model's window."""
    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    """Key missing, wrong or expired."""
    PERMISSION = "permission"
    BILLING = "billing"
    MODEL_NOT_FOUND = "model_not_found"
    ENDPOINT_NOT_FOUND = "endpoint_not_found"
    """The server is there but lacks the path: too old, or a wrong base URL."""
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """Connection lost, stream cut, or a body that is not an answer."""
    CONTENT_FILTER = "content_filter"


@frozen(kw_only=True)
class Adjustment:
    """A change with which the same request may be accepted: remembered for the provider and model, and tried once."""

    omit: frozenset[str] = frozenset()
    replace: Mapping[str, Any] = Factory(dict)
    """New values of body members; a function makes one of the value that would be sent, or None to leave it out."""
    max_tokens: int | None = None
    for_this_request: bool = False
    """The change helps this conversation, and says nothing of others: it is not remembered."""


@frozen(kw_only=True)
class Verdict:
    """What a failure means and what may be done about it.

    ``retry``: the same request may succeed later. ``rotate_key``: another key may succeed now. ``retry_after``: seconds
    that the upstream asked to wait. ``message``: what to tell a person, in the upstream's own words where these help.
    ``adjustment``: resend at once, changed like this. ``answer``: the answer that the failure itself holds (a call that
    the upstream refused to pass on, say); the client gets it, and nothing is tried again.
    """

    kind: VerdictKind
    message: str = ""
    retry: bool = False
    rotate_key: bool = False
    retry_after: float | None = None
    adjustment: Adjustment | None = None
    answer: Sequence[StreamEvent] = field(default=(), repr=False)
    prompt_tokens: int | None = None
    """For OVERFLOW: the prompt's tokens, where the upstream says."""
    context_window: int | None = None
    """For OVERFLOW: the window in tokens, where the upstream says."""


@define(kw_only=True, slots=False)
class UpstreamFailure:
    """One failed attempt. Headers have lower-case names; ``body`` is bounded and holds no key of ours."""

    cause: Cause
    model: str = ""
    """The upstream's model id."""
    url: str = ""
    status: int | None = None
    headers: Mapping[str, str] = Factory(dict)
    body: bytes = field(default=b"", repr=False)
    detail: str = field(default="", repr=False)
    """The exception's text for failures without a body."""
    request: Any = field(default=None, repr=False)
    """The UpstreamRequest that failed."""
    attempt: int = 1
    """Which try of the client's request on this route failed: 1 for the first."""

    @cached_property
    def payload(self) -> Any:
        """The body as JSON; None when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @cached_property
    def error(self) -> UpstreamErrorFields:
        """The fields of the error object, whichever of the usual envelopes it came in."""
        return error_fields(self.payload, self.body)


@frozen(kw_only=True)
class UpstreamErrorFields:
    """An upstream's error object, read leniently. Absent members are empty."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    raw: Mapping[str, Any] = Factory(dict)

    @property
    def text(self) -> str:
        """All of it in one lower-case line, to search for an upstream's words."""
        return f"{self.message} {self.type} {self.code} {self.param}".lower()


def error_fields(payload: Any, body: bytes = b"") -> UpstreamErrorFields:
    """Read an error object: OpenAI's and Anthropic's envelope, a flat one, a plain string, ``detail`` or ``title``."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    if not isinstance(payload, dict):
        text = payload if isinstance(payload, str) else body[:2000].decode("utf-8", "replace").strip()
        return UpstreamErrorFields(message="" if text.startswith("<") else text)
    inner = payload.get("error", payload)
    if not isinstance(inner, dict):
        inner = {"message": inner} if isinstance(inner, str) else payload
    message = inner.get("message") or inner.get("detail") or inner.get("title") or inner.get("msg") or ""
    if isinstance(message, list):  # FastAPI's validation errors
        message = "; ".join(
            str(item.get("msg", item)) if isinstance(item, dict) else str(item) for item in message
        )

    def text_of(name: str) -> str:
        value = inner.get(name)
        return "" if value is None or isinstance(value, dict | list) else str(value)

    return UpstreamErrorFields(
        message=message if isinstance(message, str) else orjson.dumps(message).decode(),
        type=text_of("type"),
        code=text_of("code"),
        param=text_of("param"),
        raw=inner,
    )


class ClientGone(Exception):
    """The client closed its connection while the answer was written to it."""


def nested_too_deeply(error: BaseException) -> ApiError | None:
    """What to tell a client whose JSON is nested more deeply than JSON can be written; None for any other error.

    orjson reads 1024 levels and writes 254.
    """
    if str(error) != "Recursion limit reached":
        return None
    text = "The request is nested too deeply: what holds more than some 250 objects in each other cannot be sent on."
    return ApiError(400, "invalid_request_error", text)


class ApiError(Exception):
    """An error as the client gets it: HTTP status, Anthropic error type, a text for the person, extra headers."""

    def __init__(
        self, status: int, error_type: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message
        self.headers = dict(headers or {})
