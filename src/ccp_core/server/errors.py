"""Errors as the client gets them: status, type, and a text that says what happened and what to do next.

Which status and type a verdict becomes follows from what the client does with it: 401 makes it try its own
login for minutes, 404 hides the text, ``prompt is too long`` starts its compaction, 529 is repeated whatever
the headers say, 5xx is not repeated with ``x-should-retry: false``, a Retry-After above a minute ends it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import orjson
import structlog
from aiohttp import web
from attrs import evolve, frozen

from ccp_core.config.settings import LoggingSettings
from ccp_core.errors import ApiError, Verdict, VerdictKind, nested_too_deeply
from ccp_core.provider import Provider
from ccp_core.redact import redact as without_secrets

log = structlog.get_logger("ccp.server")

MAX_RETRY_AFTER = 60
"""Seconds: with more than these the client does not wait, but fails."""

MAX_QUOTED = 600
"""Characters of an upstream's own words that are shown."""

_NO_RETRY = {"x-should-retry": "false"}


@frozen(kw_only=True)
class Situation:
    """What a text may speak of beside the verdict: requests sent, keys configured, the prompt's estimate."""

    provider: Provider
    model: str
    tries: int = 1
    keys: int = 0
    prompt_tokens: int | None = None

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    @property
    def route(self) -> str:
        """The model as a person writes it in the settings."""
        return f"{self.provider.id}/{self.model}"

    @property
    def tried(self) -> str:
        """How often it was tried, as the end of a sentence."""
        return f" (tried {self.tries} times)" if self.tries > 1 else ""

    def setting(self, variable: str, key: str) -> str:
        """How people find a setting of the provider: by its environment variable, if it has one, and its place."""
        prefixes, place = self.provider.spec.env_prefixes, f"providers.{self.provider.id}.{key}"
        return f"{prefixes[0]}_{variable} ({place})" if prefixes else f"{place} in ccp.toml"

    @property
    def key_setting(self) -> str:
        """Where a key belongs."""
        return self.setting("API_KEY", "api_key")

    @property
    def key_settings(self) -> str:
        """Where the keys in use come from."""
        if self.keys < 2:
            return self.key_setting
        return f"{self.key_setting} and {self.setting('API_KEYS', 'api_keys')}"


def api_error(
    verdict: Verdict,
    *,
    provider: Provider,
    model: str,
    tries: int = 1,
    keys: int = 0,
    prompt_tokens: int | None = None,
    redact: Callable[[str], str] = without_secrets,
) -> ApiError:
    """The error for a client whose request ended with ``verdict``.

    ``tries``: requests sent. ``keys``: how many are configured. ``prompt_tokens``: the estimate, for an
    upstream that does not count. ``redact`` takes the secrets out of the text.
    """
    situation = Situation(provider=provider, model=model, tries=tries, keys=keys, prompt_tokens=prompt_tokens)
    # Before anything is cut: half a key at the end of a quotation would not be recognised.
    verdict = evolve(verdict, message=redact(verdict.message))
    error = _TABLE[verdict.kind](verdict, situation)
    error.message = redact(error.message)
    error.args = (error.message,)
    return error


def failure_of(error: Exception, request_id: str, settings: LoggingSettings) -> ApiError:
    """The error for a client whose request raised ``error``; one that nobody foresaw is noted in the log."""
    error = nested_too_deeply(error) or error
    if isinstance(error, ApiError):
        if settings.api_error_tracebacks:
            log.warning("request_failed", request_id=request_id, exc_info=error)
        return error
    if settings.api_error_tracebacks:
        log.error("request_failed", request_id=request_id, exc_info=error)
    else:
        hint = "LOG_API_ERROR_TRACEBACKS=true shows more"
        log.error("request_failed", request_id=request_id, exception_type=type(error).__name__, hint=hint)
    return ApiError(500, "api_error", f"The proxy itself failed. Its log names the request {request_id}.")


def error_body(error: ApiError, request_id: str) -> bytes:
    """The JSON body of an error."""
    shape = {"type": "error", "error": {"type": error.error_type, "message": error.message}}
    return orjson.dumps({**shape, "request_id": request_id})


def error_response(error: ApiError, request_id: str) -> web.Response:
    """The whole answer of an error, with its headers."""
    return web.Response(
        body=error_body(error, request_id),
        status=error.status,
        content_type="application/json",
        headers={**error.headers, "request-id": request_id},
    )


def _overflow(verdict: Verdict, at: Situation) -> ApiError:
    card = at.provider.models.get(at.model)
    window = verdict.context_window or (card.context_window if card else None)
    prompt = verdict.prompt_tokens or at.prompt_tokens
    if window:
        # Even where the prompt itself fits there is no room for an answer: the client has to compact.
        text = f"prompt is too long: {max(prompt or 0, window + 1)} tokens > {window} maximum"
    else:
        text = f"prompt is too long for {at.route}.{_quoted(verdict)}"
    return ApiError(400, "invalid_request_error", text)


def _invalid_request(verdict: Verdict, at: Situation) -> ApiError:
    return ApiError(
        400, "invalid_request_error", f"{at.name} refused the request for {at.route}.{_quoted(verdict)}"
    )


def _content_filter(verdict: Verdict, at: Situation) -> ApiError:
    text = f"The content filter of {at.name} refused the request for {at.route}.{_quoted(verdict)}"
    return ApiError(400, "invalid_request_error", text)


def _authentication(verdict: Verdict, at: Situation) -> ApiError:
    if at.keys == 0:
        text = f"{at.name} asks for an API key, and none is set. Set {at.key_setting}."
    elif at.keys == 1:
        text = f"{at.name} did not accept the API key in {at.key_settings}. Check it."
    else:
        text = f"{at.name} accepted none of the {at.keys} API keys in {at.key_settings}. Check them."
    if at.provider.spec.keys_url:
        text += f" Keys are made at {at.provider.spec.keys_url} ."
    return ApiError(403, "permission_error", text + _quoted(verdict))


def _permission(verdict: Verdict, at: Situation) -> ApiError:
    text = f"{at.name} does not let {at.key_settings} use {at.route}.{_quoted(verdict)}"
    return ApiError(403, "permission_error", text)


def _billing(verdict: Verdict, at: Situation) -> ApiError:
    text = (
        f"The account at {at.name} is out of credit, over its quota or suspended.{_quoted(verdict)}"
        f" Add credit there, or set another key in {at.key_setting}."
    )
    return ApiError(402, "billing_error", text)


def _model_not_found(verdict: Verdict, at: Situation) -> ApiError:
    text = (
        f"{at.name} has no model {at.model!r}.{_quoted(verdict)} See its models: ccp models {at.provider.id}"
    )
    return ApiError(400, "invalid_request_error", text)


def _endpoint_not_found(verdict: Verdict, at: Situation) -> ApiError:
    spec, base_url = at.provider.spec, at.provider.base_url
    text = f"{at.name} at {base_url} does not know the path of the request.{_quoted(verdict)}"
    if at.provider.transport == "anthropic" and spec.local:
        since = f", which it has from {spec.messages_since} on" if spec.messages_since else ""
        text += f" It is too old for Anthropic Messages (/v1/messages){since}: update it"
        text += f", or check {at.setting('BASE_URL', 'base_url')}."
        text += f" Or use its chat completions: set {at.setting('TRANSPORT', 'transport')} to openai."
    else:
        text += f" Check {at.setting('BASE_URL', 'base_url')}."
    return ApiError(400, "invalid_request_error", text)


def _rate_limit(verdict: Verdict, at: Situation) -> ApiError:
    if not verdict.retry:
        text = f"This request alone is above the rate that {at.name} allows for {at.route}.{_quoted(verdict)}"
        return ApiError(400, "invalid_request_error", text)
    keys = f" with all {at.keys} keys" if at.keys > 1 else ""
    text = f"{at.name} limits the rate of {at.route}{keys}{at.tried}.{_quoted(verdict)}"
    if verdict.retry_after is not None:
        text += f" It may be asked again in {_in_words(verdict.retry_after)}."
    return ApiError(429, "rate_limit_error", text, _retry_after(verdict))


def _unreachable(verdict: Verdict, at: Situation) -> ApiError:
    spec = at.provider.spec
    reason = f": {_bounded(verdict.message)}" if verdict.message else ""
    text = f"{at.name} cannot be reached at {at.provider.base_url}{at.tried}{reason}."
    if spec.local:
        text += f" Is it running? {spec.start_hint}".rstrip()
        text += " If it listens at another address, set "
    else:
        text += " Check the network and "
    text += f"{at.setting('BASE_URL', 'base_url')}."
    return ApiError(503, "api_error", text, _NO_RETRY)


def _transient(what: str) -> Callable[[Verdict, Situation], ApiError]:
    """Retried by the proxy in vain: 529 when a later try may succeed, otherwise a 500 that nobody repeats."""

    def error(verdict: Verdict, at: Situation) -> ApiError:
        text = f"{at.name} {what} for {at.route}{at.tried}.{_quoted(verdict)}"
        if verdict.retry:
            return ApiError(529, "overloaded_error", text, _retry_after(verdict))
        return ApiError(500, "api_error", text, _NO_RETRY)

    return error


_TABLE: dict[VerdictKind, Callable[[Verdict, Situation], ApiError]] = {
    VerdictKind.OVERFLOW: _overflow,
    VerdictKind.INVALID_REQUEST: _invalid_request,
    VerdictKind.AUTHENTICATION: _authentication,
    VerdictKind.PERMISSION: _permission,
    VerdictKind.BILLING: _billing,
    VerdictKind.MODEL_NOT_FOUND: _model_not_found,
    VerdictKind.ENDPOINT_NOT_FOUND: _endpoint_not_found,
    VerdictKind.RATE_LIMIT: _rate_limit,
    VerdictKind.OVERLOADED: _transient("is overloaded"),
    VerdictKind.SERVER_ERROR: _transient("failed"),
    VerdictKind.UNREACHABLE: _unreachable,
    VerdictKind.TIMEOUT: _transient("took too long"),
    VerdictKind.BROKEN: _transient("gave no whole answer"),
    VerdictKind.CONTENT_FILTER: _content_filter,
}


def _quoted(verdict: Verdict) -> str:
    """The upstream's own words, as a sentence that others may follow."""
    said = _bounded(verdict.message)
    return f" It says: {said}{'' if said.endswith(('.', '!', '?', '…')) else '.'}" if said else ""


def _bounded(text: str) -> str:
    text = " ".join(text[: MAX_QUOTED * 2].split())
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"


def _retry_after(verdict: Verdict) -> dict[str, str]:
    if verdict.retry_after is None:
        return {}
    return {"retry-after": str(min(MAX_RETRY_AFTER, max(1, math.ceil(verdict.retry_after))))}


def _in_words(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size)} {unit}"
    number = max(1, math.ceil(seconds))
    return "1 second" if number == 1 else f"{number} seconds"
