"""Secrets leave no trace in what people and logs get to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.redact import LOOKS_SECRET, REDACTED, Redactor, redact


@pytest.mark.parametrize(
    "secret",
    [
        "sk-or-v1-0123456789abcdef",
        "sk-ant-api03-AbCd_efgh-1234",
        "sk-proj-abcDEF123456",
        "nvapi-AbCdEf123456-_x",
        "gsk_0123456789abcdef",
        "fw_3ZabcDEF4567",
        "csk-abcdefgh12345678",
        "flp_0123456789abcdef",
        "hf_ABCDEFGHIJKLMNOP",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
@pytest.mark.parametrize(
    "sentence",
    ["{}", "key {} is wrong", '{{"a":"{}"}}', "(={},)", "https://host/path?key={}&x=1", "Bearer {}"],
)
def test_a_key_that_nobody_knows_is_recognised_by_its_form(secret: str, sentence: str) -> None:
    """A key in a usual format disappears from any sentence, whether it is ours or not."""
    shown = redact(sentence.format(secret))
    assert secret not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"),
        ("authorization=Basic dXNlcjpwYXNz", "authorization=Basic [redacted]"),
        ("x-api-key: my-own-gateway-key", "x-api-key: [redacted]"),
        ("{'api_key': 'my-own-gateway-key', 'n': 1}", "{'api_key': '[redacted]', 'n': 1}"),
        ("anthropic-auth-token: hunter2hunter2", "anthropic-auth-token: [redacted]"),
        ("GET /v1/models?key=abcd1234&n=2", "GET /v1/models?key=[redacted]&n=2"),
        ("socks5h://user:pa55@proxy:1080 refused", "socks5h://[redacted]@proxy:1080 refused"),
    ],
)
def test_what_stands_where_a_secret_stands_is_removed(text: str, shown: str) -> None:
    """Values of authorization headers, key parameters and passwords go; what names them stays."""
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit reached for model `openai/gpt-oss-120b` on tokens per minute (TPM): Limit 8000",
        "prompt is too long: 205351 tokens > 200000 maximum",
        "The API key you provided is invalid.",
        "Incorrect API key provided: check NVIDIA_NIM_API_KEY or OPENROUTER_API_KEYS",
        "risk-free task-oriented disk-based",
        "Connection to http://localhost:1234/v1/messages refused",
        "Invalid authorization, ask your admin",
        "2026-11-23T04:54:00Z http://[::1]:8080/v1",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Messages without a secret are not damaged."""
    assert redact(text, ["a-secret-that-is-not-there"]) == text


def test_known_secrets_disappear_in_every_spelling() -> None:
    """A known secret goes when it stands in a word or an address; the longest one is removed whole."""
    redactor = Redactor(["hunter22", "hunter22-longer", "pass word/+", "abc"])
    assert redactor("xhunter22y hunter22-longer!") == "x[redacted]y [redacted]!"
    assert redactor("?k=pass%20word%2F%2B") == "?k=[redacted]"
    assert redactor("abc abcd zabc") == "[redacted] abcd zabc"
    assert "hunter22" not in repr(redactor)


def test_a_megabyte_that_almost_looks_like_secrets_is_searched_to_its_end() -> None:
    """No text makes the search backtrack, which would take hours."""
    redactor = Redactor(f"secret-number-{n}" for n in range(100))
    for text in (
        "plain words, numbers 123 and more. " * 30_000,
        "sk-sk-sk- key=a " * 60_000,
        "a" * 1_000_000,
    ):
        assert len(redactor(text)) <= len(text)


@given(st.from_regex(LOOKS_SECRET))
def test_whatever_looks_like_a_secret_is_removed(text: str) -> None:
    """In whatever letters it is written: the quick look before the search overlooks nothing."""
    assert REDACTED in redact(text)
