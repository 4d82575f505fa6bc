"""What stays in memory of a provider's refusals and usage figures."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_core.errors import Adjustment, Verdict, VerdictKind
from ccp_core.upstream.learned import MAX_MODELS, Facts, Learned


def refusal(kind: VerdictKind = VerdictKind.INVALID_REQUEST, **change: Any) -> Verdict:
    """A verdict with an adjustment."""
    return Verdict(kind=kind, adjustment=Adjustment(**change))


def test_what_a_model_refused_adds_up() -> None:
    """Members to omit and to replace are collected, the lowest cap stays; other models are not touched."""
    learned = Learned()
    learned.note("m", refusal(omit=frozenset({"seed"}), max_tokens=8192))
    learned.note("m", refusal(omit=frozenset({"top_p"}), replace={"temperature": 1}))
    learned.note("m", refusal(max_tokens=16384))
    assert learned.facts("m") == Facts(
        omit=frozenset({"seed", "top_p"}), replace={"temperature": 1}, max_tokens=8192
    )
    assert learned.facts("other") == Facts()


@pytest.mark.parametrize("kind", [VerdictKind.OVERFLOW, VerdictKind.BILLING, VerdictKind.RATE_LIMIT])
def test_a_cap_that_belongs_to_one_prompt_is_forgotten(kind: VerdictKind) -> None:
    """How much room one long prompt left, or one account's purse, says nothing about the next request."""
    learned = Learned()
    learned.note("m", refusal(kind, max_tokens=1000))
    learned.note("m", Verdict(kind=VerdictKind.INVALID_REQUEST))
    assert learned.facts("m") == Facts()


def test_a_change_for_one_conversation_is_forgotten() -> None:
    """What one history needs says nothing about the others."""
    learned = Learned()
    learned.note("m", refusal(replace={"thinking": {"type": "disabled"}}, for_this_request=True))
    assert learned.facts("m") == Facts()


def compare(learned: Learned, estimated: int, counted: int, reported: int) -> bool:
    """One prompt; whether it was counted."""
    calls: list[int] = []

    def count() -> int:
        calls.append(counted)
        return counted

    learned.note_usage("m", estimated, count, reported)
    return bool(calls)


def test_both_figures_follow_the_reported_usage() -> None:
    """The first report counts whole, later ones a quarter each, so that one outlier does little."""
    learned = Learned()
    assert learned.tokens("m", 1000) == learned.tokens_of_size("m", 1000) == 1000
    compare(learned, estimated=800, counted=1000, reported=1200)
    assert (learned.tokens("m", 1000), learned.tokens_of_size("m", 1000)) == (1200, 1500)
    compare(learned, estimated=1000, counted=1000, reported=2000)
    assert (learned.tokens("m", 1000), learned.tokens_of_size("m", 1000)) == (1400, 1625)
    for _ in range(4000):
        compare(learned, estimated=600, counted=1000, reported=900)
    assert learned.tokens("m", 1000) == pytest.approx(900, abs=10)
    assert learned.tokens_of_size("m", 1000) == 1500
    assert learned.tokens("other", 1000) == 1000


def test_only_few_prompts_are_counted() -> None:
    """Counting costs more than all else that is done for a prompt."""
    learned = Learned()
    counted = [compare(learned, estimated=1000, counted=1000, reported=1000) for _ in range(200)]
    assert counted[:3] == [True] * 3
    assert counted.count(True) <= 6


@pytest.mark.parametrize(
    ("estimated", "reported"), [(0, 0), (5, 9), (1000, 0), (0, 1000), (1000, 7), (1000, 5000), (100, 300)]
)
def test_figures_that_cannot_be_right_are_ignored(estimated: int, reported: int) -> None:
    """Zeros, tiny prompts and absurd ratios do not spoil the figures."""
    learned = Learned()
    compare(learned, estimated, estimated, reported)
    assert learned.tokens("m", 1000) == learned.tokens_of_size("m", 1000) == 1000


def test_memory_is_bounded() -> None:
    """A client that invents model names cannot fill the memory; the model seen last is kept."""
    learned = Learned()
    for number in range(MAX_MODELS * 2):
        learned.note("kept", refusal(max_tokens=9))
        learned.note(f"m{number}", refusal(max_tokens=5))
    assert learned.facts("kept").max_tokens == 9
    assert learned.facts(f"m{MAX_MODELS * 2 - 1}").max_tokens == 5
    assert learned.facts("m0") == Facts()
