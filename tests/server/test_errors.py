"""What reaches the client when an upstream fails for good."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from attrs import evolve

from ccp_core.errors import ApiError, Verdict, VerdictKind
from ccp_core.provider import ModelCard, Provider, ProviderSpec
from ccp_core.redact import Redactor
from ccp_core.server.errors import api_error, error_body, error_response

K = VerdictKind

HOSTED = Provider(
    spec=ProviderSpec(
        id="acme",
        name="Acme Cloud",
        base_url="https://api.acme.test/v1",
        transports=("openai",),
        env_prefixes=("ACME",),
        keys_url="https://acme.test/keys",
    ),
    base_url="https://api.acme.test/v1",
    transport="openai",
)
LOCAL = Provider(
    spec=ProviderSpec(
        id="homeserver",
        name="Home Server",
        base_url="http://localhost:9/v1",
        transports=("anthropic", "openai"),
        env_prefixes=("HOME_SERVER",),
        needs_key=False,
        local=True,
        start_hint="Start it with: home-server up",
    ),
    base_url="http://localhost:9/v1",
    transport="anthropic",
)
CUSTOM = Provider(
    spec=ProviderSpec(
        id="my-gateway", name="my-gateway", base_url="http://gw/v1", transports=("openai",), env_prefixes=()
    ),
    base_url="http://gw/v1",
    transport="openai",
)


def error_for(kind: VerdictKind, provider: Provider = HOSTED, **values: Any) -> ApiError:
    """The error for a verdict of this kind; ``tries``, ``keys`` and ``prompt_tokens`` go to the situation."""
    situation = {name: values.pop(name) for name in ("tries", "keys", "prompt_tokens") if name in values}
    return api_error(Verdict(kind=kind, **values), provider=provider, model="some/model", **situation)


@pytest.mark.parametrize(
    ("error", "status", "error_type", "headers", "words"),
    [
        (
            error_for(K.OVERFLOW, prompt_tokens=9, context_window=200000),
            400,
            "invalid_request_error",
            {},
            ["prompt is too long: 200001 tokens > 200000 maximum"],
        ),
        (
            error_for(K.INVALID_REQUEST, message="No such colour"),
            400,
            "invalid_request_error",
            {},
            ["Acme Cloud", "acme/some/model", "No such colour"],
        ),
        (
            error_for(K.CONTENT_FILTER, message="high risk"),
            400,
            "invalid_request_error",
            {},
            ["content filter", "high risk"],
        ),
        (
            error_for(K.AUTHENTICATION, keys=1, rotate_key=True),
            403,
            "permission_error",
            {},
            ["Acme Cloud", "ACME_API_KEY", "https://acme.test/keys"],
        ),
        (
            error_for(K.AUTHENTICATION, keys=3),
            403,
            "permission_error",
            {},
            ["none of the 3", "ACME_API_KEY (providers.acme.api_key) and ACME_API_KEYS"],
        ),
        (
            error_for(K.AUTHENTICATION, keys=0),
            403,
            "permission_error",
            {},
            ["none is set", "Set ACME_API_KEY"],
        ),
        (
            error_for(K.AUTHENTICATION, CUSTOM, keys=1),
            403,
            "permission_error",
            {},
            ["providers.my-gateway.api_key in ccp.toml"],
        ),
        (error_for(K.PERMISSION, keys=1), 403, "permission_error", {}, ["acme/some/model"]),
        (
            error_for(K.BILLING, message="Insufficient Balance"),
            402,
            "billing_error",
            {},
            ["Acme Cloud", "Insufficient Balance", "ACME_API_KEY"],
        ),
        (
            error_for(K.MODEL_NOT_FOUND, message="it was withdrawn"),
            400,
            "invalid_request_error",
            {},
            ["Acme Cloud", "'some/model'", "It says: it was withdrawn. See its models: ccp models acme"],
        ),
        (error_for(K.ENDPOINT_NOT_FOUND), 400, "invalid_request_error", {}, ["ACME_BASE_URL"]),
        (
            error_for(K.ENDPOINT_NOT_FOUND, LOCAL, message="Since version 3"),
            400,
            "invalid_request_error",
            {},
            [
                "too old",
                "Since version 3",
                "HOME_SERVER_TRANSPORT (providers.homeserver.transport) to openai",
            ],
        ),
        (
            error_for(K.RATE_LIMIT, retry=True, retry_after=2.1, tries=4),
            429,
            "rate_limit_error",
            {"retry-after": "3"},
            ["Acme Cloud", "tried 4 times", "in 3 seconds"],
        ),
        (
            error_for(K.RATE_LIMIT, retry=True, retry_after=7000.0, keys=2),
            429,
            "rate_limit_error",
            {"retry-after": "60"},
            ["all 2 keys", "in 117 minutes"],
        ),
        (error_for(K.RATE_LIMIT, retry=True), 429, "rate_limit_error", {}, []),
        (error_for(K.RATE_LIMIT, retry=False), 400, "invalid_request_error", {}, ["This request alone"]),
        (
            error_for(K.OVERLOADED, retry=True, message="Busy", tries=9),
            529,
            "overloaded_error",
            {},
            ["overloaded", "Busy", "tried 9 times"],
        ),
        (
            error_for(K.OVERLOADED, retry=True, retry_after=900.0),
            529,
            "overloaded_error",
            {"retry-after": "60"},
            [],
        ),
        (error_for(K.SERVER_ERROR, retry=True), 529, "overloaded_error", {}, ["Acme Cloud failed"]),
        (error_for(K.BROKEN, retry=True), 529, "overloaded_error", {}, []),
        (error_for(K.BROKEN), 500, "api_error", {"x-should-retry": "false"}, []),
        (
            error_for(K.TIMEOUT, message="silent"),
            500,
            "api_error",
            {"x-should-retry": "false"},
            ["took too long", "silent"],
        ),
        (
            error_for(K.UNREACHABLE, LOCAL, message="the connection was refused"),
            503,
            "api_error",
            {"x-should-retry": "false"},
            [
                "Home Server",
                "http://localhost:9/v1",
                "refused",
                "Start it with: home-server up",
                "HOME_SERVER_BASE_URL",
            ],
        ),
        (
            error_for(K.UNREACHABLE, message="the host name is not known"),
            503,
            "api_error",
            {"x-should-retry": "false"},
            ["https://api.acme.test/v1", "ACME_BASE_URL"],
        ),
    ],
)
def test_a_verdict_becomes_the_error_that_the_client_treats_rightly(
    error: ApiError, status: int, error_type: str, headers: dict[str, str], words: list[str]
) -> None:
    """Status, type and headers follow the table, and the text says who, what and what next."""
    assert (error.status, error.error_type, error.headers) == (status, error_type, headers)
    for word in words:
        assert word in error.message
    assert str(error) == error.message


@pytest.mark.parametrize("kind", list(VerdictKind))
@pytest.mark.parametrize("provider", [HOSTED, LOCAL, CUSTOM], ids=lambda provider: provider.id)
@pytest.mark.parametrize("retry", [True, False])
def test_every_kind_of_verdict_has_a_whole_sentence(
    kind: VerdictKind, provider: Provider, retry: bool
) -> None:
    """No status is 401 or 404, a wait is never above a minute, and a text names the provider or the model."""
    error = error_for(kind, provider, retry=retry, retry_after=1e7)
    assert error.status in (400, 402, 403, 429, 500, 503, 529)
    assert int(error.headers.get("retry-after", 0)) <= 60
    assert provider.name in error.message or provider.id in error.message
    assert "None" not in error.message
    assert "  " not in error.message


@pytest.mark.parametrize(
    ("prompt", "window", "estimate", "known_window", "text"),
    [
        (205351, 200000, 5, None, "prompt is too long: 205351 tokens > 200000 maximum"),
        (None, 32768, 40000, None, "prompt is too long: 40000 tokens > 32768 maximum"),
        (None, 32768, 100, None, "prompt is too long: 32769 tokens > 32768 maximum"),
        (None, None, 50000, 40960, "prompt is too long: 50000 tokens > 40960 maximum"),
        (None, None, None, None, "prompt is too long for acme/some/model. It says: too much."),
    ],
)
def test_an_overflow_is_worded_so_that_the_client_compacts(
    prompt: int | None, window: int | None, estimate: int | None, known_window: int | None, text: str
) -> None:
    """The figures are the upstream's, else the estimate and the model's known window; none is invented."""
    models = {"some/model": ModelCard(id="some/model", context_window=known_window)}
    verdict = Verdict(kind=K.OVERFLOW, message="too much", prompt_tokens=prompt, context_window=window)
    error = api_error(
        verdict, provider=evolve(HOSTED, models=models), model="some/model", prompt_tokens=estimate
    )
    assert error.message == text


def test_an_upstreams_words_are_shown_short_and_without_secrets() -> None:
    """Known keys and what looks like a key are taken out; a long text is cut; line breaks vanish."""
    said = "Key my-own-secret of sk-live-0123456789abcdef is bad\n\n" + "x" * 10_000
    error = api_error(
        Verdict(kind=K.INVALID_REQUEST, message=said),
        provider=HOSTED,
        model="m",
        redact=Redactor(["my-own-secret"]),
    )
    assert "my-own-secret" not in error.message
    assert "0123456789abcdef" not in error.message
    assert "\n" not in error.message
    assert len(error.message) < 800


def test_a_secret_at_the_cut_does_not_survive_in_part() -> None:
    """A key that the length bound would cut in two is removed before the text is cut."""
    error = api_error(
        Verdict(kind=K.INVALID_REQUEST, message="y" * 590 + " my-own-secret-key-of-some-length"),
        provider=HOSTED,
        model="m",
        redact=Redactor(["my-own-secret-key-of-some-length"]),
    )
    assert "my-own" not in error.message


def test_an_error_is_json_in_the_messages_shape_with_its_id() -> None:
    """Body and headers carry the request id; the error's own headers are kept."""
    error = ApiError(429, "rate_limit_error", "Slow down", {"retry-after": "3"})
    assert orjson.loads(error_body(error, "req_1")) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Slow down"},
        "request_id": "req_1",
    }
    response = error_response(error, "req_1")
    assert response.status == 429
    assert response.content_type == "application/json"
    assert response.headers["request-id"] == "req_1"
    assert response.headers["retry-after"] == "3"
