"""The core's ccp_classify_error, asked last: by cause, by status, and by words that every upstream shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ccp_core.builtins import error_words as words
from ccp_core.builtins.adjustments import acceptable, shorter_answer
from ccp_core.builtins.overflow import Overflow, detect_overflow
from ccp_core.errors import UpstreamErrorFields, UpstreamFailure, Verdict
from ccp_core.errors import VerdictKind as Kind
from ccp_core.hookspecs import hookimpl
from ccp_core.provider import Provider
from ccp_core.upstream.retry_after import retry_after

_WITHOUT_ANSWER: dict[str, tuple[Kind, str, bool]] = {
    "truncated": (Kind.BROKEN, "the answer was cut before its end", True),
    "broken": (Kind.BROKEN, "the connection was lost", True),
    "refused": (Kind.UNREACHABLE, "the connection was refused", False),
    "unknown_host": (Kind.UNREACHABLE, "the host name is not known", False),
    "unreachable": (Kind.UNREACHABLE, "there is no way to that address now", True),
    "tls": (Kind.UNREACHABLE, "no secure connection", False),
    "proxy": (Kind.UNREACHABLE, "the proxy on the way failed", False),
    "exhausted": (
        Kind.UNREACHABLE,
        "this machine has no file descriptor left; raise its limit (ulimit -n)",
        True,
    ),
    "connect_timeout": (Kind.UNREACHABLE, "no connection within timeouts.connect", True),
    "write_timeout": (Kind.TIMEOUT, "it did not take the request within timeouts.write", True),
    # Whoever waits that long once does not want to wait for it again.
    "read_timeout": (Kind.TIMEOUT, "it was silent for longer than timeouts.read", False),
    "deadline": (Kind.TIMEOUT, "it took longer than the proxy waits", False),
}
"""Cause → what it means, what to say, whether the same request may succeed later."""

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""An error inside a 200 stream has no status; its type says which one it would have had."""

_STATUS_OF_WORDS = (
    (words.BILLING, 402),
    (words.RATE, 429),
    (words.FILTERED, 400),
    (words.MODEL_MISSING, 404),
    (words.BAD_KEY, 401),
)
"""The same by what it says, where its type says nothing."""


@hookimpl(trylast=True)
def ccp_classify_error(provider: Provider, failure: UpstreamFailure) -> Verdict:
    """Answer for every failure that no plugin knows better."""
    if failure.cause in _WITHOUT_ANSWER:
        kind, message, retry = _WITHOUT_ANSWER[failure.cause]
        return Verdict(
            kind=kind,
            message=f"{message} ({failure.detail})" if failure.detail else message,
            retry=retry,
            retry_after=0.0 if failure.cause == "broken" else None,
        )
    if failure.cause == "malformed" and not (
        isinstance(failure.payload, dict) and "error" in failure.payload
    ):
        return _malformed(failure.body)
    return _by_words(failure, _status(failure))


def _malformed(body: bytes) -> Verdict:
    if body.lstrip().startswith(b"<"):
        message = "it answered with a web page and not as a model does; the base URL may be wrong"
        return Verdict(kind=Kind.BROKEN, message=message)
    what = "something that is not a model's answer" if body.strip() else "an empty body"
    return Verdict(kind=Kind.BROKEN, message=f"it answered with {what}", retry=True)


def _by_words(failure: UpstreamFailure, status: int) -> Verdict:
    error = failure.error
    text = words.LINK.sub("", error.text)
    body: Mapping[str, Any] = failure.request.body if failure.request is not None else {}
    verdict = partial(_verdict, failure)

    if status != 429 and (overflow := _overflow(error, status, text)):
        return Verdict(
            kind=Kind.OVERFLOW,
            message=error.message,
            adjustment=shorter_answer(overflow, body),
            prompt_tokens=overflow.prompt_tokens,
            context_window=overflow.context_window,
        )
    if status == 401:
        return verdict(Kind.AUTHENTICATION, rotate=True)
    if status == 402:
        # Only an upstream whose credit is soon free again says when to come back.
        return verdict(Kind.BILLING, retry="retry-after" in failure.headers, rotate=True)
    if status < 500 and words.BILLING.search(text):
        return verdict(Kind.BILLING, rotate=True)
    if status == 429:
        if words.OVERLOADED.search(text):
            return verdict(Kind.OVERLOADED, retry=True)
        return verdict(Kind.RATE_LIMIT, retry=True, rotate=True)
    if status == 413:
        # One request above the rate: waiting does not make it smaller, but another account may allow it.
        return verdict(Kind.RATE_LIMIT, rotate=True)
    if status in (404, 405, 410):
        return verdict(_what_is_missing(status, text))
    if status in (202, 408, 409, 425, 498, 499, 503, 529):
        return verdict(Kind.OVERLOADED, retry=True)
    if status < 500:
        return _refusal(error, status, text, body, verdict)
    if words.OVERLOADED.search(text):
        return verdict(Kind.OVERLOADED, retry=True)
    if words.UNSUPPORTED.search(text):
        return verdict(Kind.INVALID_REQUEST)
    return verdict(Kind.TIMEOUT if status in (504, 522, 524) else Kind.SERVER_ERROR, retry=True)


def _verdict(failure: UpstreamFailure, kind: Kind, *, retry: bool = False, rotate: bool = False) -> Verdict:
    message, wait = failure.error.message, None
    if retry:
        wait = retry_after(failure.headers, message, limited=kind is Kind.RATE_LIMIT)
    return Verdict(kind=kind, message=message, retry=retry, rotate_key=rotate, retry_after=wait)


def _refusal(
    error: UpstreamErrorFields,
    status: int,
    text: str,
    body: Mapping[str, Any],
    verdict: Callable[..., Verdict],
) -> Verdict:
    """A status of 400 to 499 that is neither about length, money, rates nor a missing thing."""
    if words.FILTERED.search(text):
        return verdict(Kind.CONTENT_FILTER)
    if words.MODEL_MISSING.search(text):
        return verdict(Kind.MODEL_NOT_FOUND)
    if (words.KEY if status == 403 else words.BAD_KEY).search(text):
        return verdict(Kind.AUTHENTICATION, rotate=True)
    if status == 403:
        return verdict(Kind.PERMISSION, rotate="permission" in text)
    return Verdict(kind=Kind.INVALID_REQUEST, message=error.message, adjustment=acceptable(error, body))


def _overflow(error: UpstreamErrorFields, status: int, text: str) -> Overflow | None:
    if found := detect_overflow(error):
        return found
    # A body too large for a server on the way: compacting makes it smaller, too.
    return Overflow() if status == 413 and not words.RATE.search(text) else None


def _what_is_missing(status: int, text: str) -> Kind:
    if words.NO_ROUTE.search(text) or status == 405:
        return Kind.ENDPOINT_NOT_FOUND
    bare = words.BARE_NOT_FOUND.fullmatch(text.strip())
    return Kind.ENDPOINT_NOT_FOUND if bare and status == 404 else Kind.MODEL_NOT_FOUND


def _status(failure: UpstreamFailure) -> int:
    if failure.status is not None and (failure.cause == "status" or failure.status >= 400):
        return failure.status
    error, payload = failure.error, failure.payload
    said = [error.code, error.raw.get("status_code"), error.raw.get("status")]
    if isinstance(payload, dict):
        said.append(payload.get("status_code"))
    for value in said:
        if (status := str(value)).isdecimal() and 400 <= int(status) < 600:
            return int(status)
    for name in (error.type, error.code):
        if name in _STATUS_OF_TYPE:
            return _STATUS_OF_TYPE[name]
    return next((status for pattern, status in _STATUS_OF_WORDS if pattern.search(error.text)), 500)
