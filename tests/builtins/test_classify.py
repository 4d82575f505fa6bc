"""What a failure means: one case a line in fixtures/errors.jsonl, bodies as upstreams really send them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core import hookspecs
from ccp_core.builtins import classify
from ccp_core.errors import Adjustment, Cause, UpstreamFailure, Verdict, VerdictKind
from ccp_core.hookspecs import PROJECT
from ccp_core.provider import Provider, ProviderSpec, UpstreamRequest
from ccp_core.server.errors import api_error

TABLE = Path(__file__).parent / "fixtures" / "errors.jsonl"
CASES = [orjson.loads(line) for line in TABLE.read_bytes().splitlines()]

PROVIDER = Provider(
    spec=ProviderSpec(
        id="acme", name="Acme", base_url="http://acme/v1", transports=("openai",), env_prefixes=("ACME",)
    ),
    base_url="http://acme/v1",
    transport="openai",
)


def verdict_of(failure: UpstreamFailure) -> Verdict:
    """The answer of the core's own plugin, asked as a lane asks it."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(classify)
    answer = manager.hook.ccp_classify_error(provider=PROVIDER, failure=failure)
    assert isinstance(answer, Verdict)
    return answer


def failure_of(case: dict[str, Any]) -> UpstreamFailure:
    """The failure that a line of the table describes."""
    body = case["body"]
    request = case.get("request")
    return UpstreamFailure(
        cause=case["cause"],
        model="m",
        status=case["status"],
        headers=case.get("headers", {}),
        body=body.encode() if isinstance(body, str) else orjson.dumps(body),
        request=UpstreamRequest(path="/x", body=request) if request else None,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_failure_is_understood(case: dict[str, Any]) -> None:
    """Kind, retry, rotation, figures and adjustment are what the body says."""
    verdict = verdict_of(failure_of(case))
    adjustment = verdict.adjustment or Adjustment()
    got = {
        "kind": verdict.kind.value,
        "retry": verdict.retry,
        "rotate_key": verdict.rotate_key,
        "retry_after": verdict.retry_after,
        "prompt_tokens": verdict.prompt_tokens,
        "context_window": verdict.context_window,
        "max_tokens": adjustment.max_tokens,
        "omit": sorted(adjustment.omit),
    }
    assert {name: got[name] for name in case["want"]} == case["want"]


@pytest.mark.parametrize(
    ("cause", "kind", "retry"),
    [
        ("refused", VerdictKind.UNREACHABLE, False),
        ("unknown_host", VerdictKind.UNREACHABLE, False),
        ("tls", VerdictKind.UNREACHABLE, False),
        ("proxy", VerdictKind.UNREACHABLE, False),
        ("unreachable", VerdictKind.UNREACHABLE, True),
        ("exhausted", VerdictKind.UNREACHABLE, True),
        ("connect_timeout", VerdictKind.UNREACHABLE, True),
        ("write_timeout", VerdictKind.TIMEOUT, True),
        ("read_timeout", VerdictKind.TIMEOUT, False),
        ("deadline", VerdictKind.TIMEOUT, False),
        ("broken", VerdictKind.BROKEN, True),
        ("truncated", VerdictKind.BROKEN, True),
    ],
)
def test_a_failure_without_an_answer_is_told_by_its_cause(
    cause: Cause, kind: VerdictKind, retry: bool
) -> None:
    """Connection failures keep the exception's words, and never cost a key."""
    verdict = verdict_of(UpstreamFailure(cause=cause, detail="because of X"))
    assert (verdict.kind, verdict.retry, verdict.rotate_key) == (kind, retry, False)
    assert "because of X" in verdict.message


@pytest.mark.parametrize(
    ("body", "retry", "words"),
    [
        (b"<!doctype html><title>Sign in</title>", False, "base URL"),
        (b"", True, "empty body"),
        (b"garbage", True, "not a model's answer"),
    ],
)
def test_a_success_that_is_no_answer_says_what_it_was(body: bytes, retry: bool, words: str) -> None:
    """A web page is not asked for twice; an empty or damaged body may have been an accident."""
    verdict = verdict_of(UpstreamFailure(cause="malformed", status=200, body=body))
    assert verdict.kind is VerdictKind.BROKEN
    assert verdict.retry is retry
    assert words in verdict.message


def test_the_upstreams_own_words_are_kept() -> None:
    """A person gets to read what the upstream said."""
    failure = UpstreamFailure(cause="status", status=400, body=b'{"error":{"message":"No such colour"}}')
    assert verdict_of(failure).message == "No such colour"


_WORDS = st.sampled_from(
    [
        "maximum context length is ",
        "9" * 5000,
        "max_tokens must be <= ",
        "rate limit",
        "try again in ",
        "²³٣",
        "model",
        "not found",
        "s",
        " ",
        "\n",
    ]
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    st.lists(_WORDS, max_size=8).map(lambda words: orjson.dumps({"error": {"message": "".join(words)}})),
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "message", "type", "code", "detail", "status", "n_ctx"]), inner
            )
        ),
        max_leaves=6,
    ).map(orjson.dumps),
)


@given(
    cause=st.sampled_from(["status", "stream", "malformed"]),
    status=st.none() | st.integers(200, 600),
    body=_BODIES,
    headers=st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset"]), st.text(max_size=12)),
)
def test_whatever_an_upstream_sends_is_understood_somehow(
    cause: Cause, status: int | None, body: bytes, headers: dict[str, str]
) -> None:
    """No body and no header breaks the classification, and what it becomes can be told to the client."""
    verdict = verdict_of(UpstreamFailure(cause=cause, status=status, body=body, headers=headers))
    assert verdict.retry_after is None or verdict.retry_after >= 0
    error = api_error(verdict, provider=PROVIDER, model="m", keys=1)
    assert 400 <= error.status < 600
    assert error.message
