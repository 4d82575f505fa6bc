"""What follows a failed attempt, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.config.settings import LimitSettings
from ccp_core.errors import Adjustment, Verdict, VerdictKind
from ccp_core.protocol.events import MessageStop, TextDelta
from ccp_core.upstream.attempts import (
    Decision,
    Deliver,
    FallBack,
    GiveUp,
    Resend,
    RetryPlan,
    Rotate,
    SoFar,
    Wait,
    decisive,
)

K = VerdictKind
LIMITS = LimitSettings(retries=8, retry_base=2.0, retry_max=20.0, retry_total=60.0)

OMIT = Adjustment(omit=frozenset({"seed"}))
SHORTER = Adjustment(max_tokens=4096)

PASSING = Verdict(kind=K.SERVER_ERROR, retry=True)
ASKED = Verdict(kind=K.OVERLOADED, retry=True, retry_after=7.0)
LIMITED = Verdict(kind=K.RATE_LIMIT, retry=True, rotate_key=True, retry_after=30.0)
BAD_KEY = Verdict(kind=K.AUTHENTICATION, rotate_key=True)
FATAL = Verdict(kind=K.INVALID_REQUEST)
OVERFLOW = Verdict(kind=K.OVERFLOW)
ANSWER = (TextDelta(0, "salvaged"), MessageStop())
SALVAGED = Verdict(kind=K.BROKEN, retry=True, answer=ANSWER)


def decide(verdict: Verdict, jitter: float = 0.5, **so_far: Any) -> Decision:
    """The plan's decision, with a fixed jitter."""
    return RetryPlan(LIMITS, jitter=lambda: jitter).decide(verdict, SoFar(**so_far))


@pytest.mark.parametrize(
    ("name", "verdict", "so_far", "decision"),
    [
        ("the first wait is the base", PASSING, {}, Wait(2.0)),
        ("waits double", PASSING, {"waits": 2}, Wait(8.0)),
        ("waits have a maximum", PASSING, {"waits": 6}, Wait(20.0)),
        ("tries are counted", PASSING, {"waits": 8}, GiveUp()),
        ("the total is kept", PASSING, {"waits": 2, "elapsed": 53.0}, GiveUp()),
        ("the total may just be reached", PASSING, {"waits": 2, "elapsed": 52.0}, Wait(8.0)),
        ("the next route when tries are used up", PASSING, {"waits": 8, "fallbacks": 1}, FallBack()),
        ("the next route when time is used up", PASSING, {"elapsed": 59.0, "fallbacks": 1}, FallBack()),
        ("a wait comes before the next route", PASSING, {"fallbacks": 1}, Wait(2.0)),
        ("never after content", PASSING, {"content_sent": True, "fallbacks": 1}, GiveUp()),
        (
            "no change after content",
            Verdict(kind=K.BROKEN, adjustment=OMIT),
            {"content_sent": True},
            GiveUp(),
        ),
        ("what the upstream asks wins", ASKED, {"waits": 5}, Wait(7.35)),
        ("a long wait is told at once", ASKED, {"elapsed": 54.0}, GiveUp()),
        (
            "a wait beyond the total is told at once",
            Verdict(kind=K.OVERLOADED, retry=True, retry_after=3600.0),
            {},
            GiveUp(),
        ),
        (
            "at once where nothing is to be waited for",
            Verdict(kind=K.BROKEN, retry=True, retry_after=0.0),
            {},
            Wait(0.0),
        ),
        (
            "but only the first time",
            Verdict(kind=K.OVERLOADED, retry=True, retry_after=0.0),
            {"waits": 1},
            Wait(4.0),
        ),
        ("another key at once", LIMITED, {"keys_left": 2, "key_ready_in": 0.0}, Rotate()),
        ("another key after a bad one", BAD_KEY, {"keys_left": 1, "key_ready_in": 0.0}, Rotate()),
        ("keys do not count as tries", LIMITED, {"keys_left": 1, "waits": 8}, Rotate()),
        ("no key after the total", LIMITED, {"keys_left": 1, "elapsed": 61.0}, GiveUp()),
        ("the first key to cool is waited for", LIMITED, {"key_ready_in": 4.0}, Wait(4.2)),
        ("also after a bad key", BAD_KEY, {"key_ready_in": 10.0}, Wait(10.5)),
        ("keys that cool for too long", BAD_KEY, {"key_ready_in": 300.0}, GiveUp()),
        ("no key at all", BAD_KEY, {}, GiveUp()),
        ("no key, next route", BAD_KEY, {"fallbacks": 1}, FallBack()),
        ("a keyless upstream's limit", LIMITED, {}, Wait(31.0 - 0.5)),
        ("a failure of all keys rotates none", ASKED, {"keys_left": 3, "key_ready_in": 0.0}, Wait(7.35)),
        ("a fatal one is told", FATAL, {"keys_left": 3}, GiveUp()),
        ("a fatal one goes to the next route", FATAL, {"fallbacks": 2}, FallBack()),
        ("an overflow is told, the client compacts", OVERFLOW, {"fallbacks": 2}, GiveUp()),
        ("a change at once", Verdict(kind=K.INVALID_REQUEST, adjustment=OMIT), {}, Resend(OMIT)),
        ("an answer in the failure", SALVAGED, {"fallbacks": 1}, Deliver(ANSWER)),
        ("also when a part of it is out", SALVAGED, {"content_sent": True}, Deliver(ANSWER)),
        (
            "a change comes before a rotation",
            Verdict(kind=K.BILLING, rotate_key=True, adjustment=SHORTER),
            {"keys_left": 1},
            Resend(SHORTER),
        ),
        (
            "the same change only once",
            Verdict(kind=K.INVALID_REQUEST, adjustment=OMIT),
            {"adjustments": (SHORTER, OMIT)},
            GiveUp(),
        ),
        (
            "a shorter answer instead of an overflow",
            Verdict(kind=K.OVERFLOW, adjustment=SHORTER),
            {"adjustments": (OMIT,)},
            Resend(SHORTER),
        ),
        (
            "not for ever",
            Verdict(kind=K.INVALID_REQUEST, adjustment=OMIT),
            {"adjustments": tuple(Adjustment(max_tokens=n) for n in range(4))},
            GiveUp(),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_plan(name: str, verdict: Verdict, so_far: dict[str, Any], decision: Decision) -> None:
    """Each row of the table is one rule of the plan."""
    decided = decide(verdict, **so_far)
    if isinstance(decision, Wait):
        assert isinstance(decided, Wait)
        assert decided.seconds == pytest.approx(decision.seconds)
    else:
        assert decided == decision


def test_jitter_spreads_the_waits_around_the_middle() -> None:
    """Backoff varies by a quarter to both sides."""
    assert decide(PASSING, jitter=0.0) == Wait(1.5)
    assert decide(PASSING, jitter=1.0) == Wait(2.5)


@given(
    verdict=st.builds(
        Verdict,
        kind=st.sampled_from(list(VerdictKind)),
        retry=st.booleans(),
        rotate_key=st.booleans(),
        retry_after=st.none() | st.floats(0, 1e6),
        adjustment=st.none() | st.just(OMIT),
    ),
    so_far=st.builds(
        SoFar,
        elapsed=st.floats(0, 100),
        waits=st.integers(0, 10),
        keys_left=st.integers(0, 3),
        key_ready_in=st.none() | st.floats(0, 1e4),
        fallbacks=st.integers(0, 2),
        content_sent=st.booleans(),
    ),
    jitter=st.floats(0, 1),
)
def test_waits_are_never_early_and_never_late(verdict: Verdict, so_far: SoFar, jitter: float) -> None:
    """A wait is never shorter than asked, ends about within the total, and never follows content."""
    decision = RetryPlan(LIMITS, jitter=lambda: jitter).decide(verdict, so_far)
    if so_far.content_sent:
        assert decision == GiveUp()
    if isinstance(decision, Wait):
        assert decision.seconds >= 0
        assert so_far.elapsed + decision.seconds <= LIMITS.retry_total + 1.0
        if verdict.retry_after and not (verdict.rotate_key and so_far.key_ready_in is not None):
            assert decision.seconds >= verdict.retry_after


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([PASSING, FATAL], FATAL),
        ([BAD_KEY, LIMITED], LIMITED),
        ([LIMITED, BAD_KEY], LIMITED),
        ([BAD_KEY, BAD_KEY], BAD_KEY),
        ([LIMITED, PASSING], PASSING),
    ],
)
def test_the_most_hopeful_key_is_told(verdicts: list[Verdict], told: Verdict) -> None:
    """With one key limited and the others bad the client hears of the limit, else of the last failure."""
    assert decisive(verdicts) is told
