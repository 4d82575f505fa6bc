"""A few letters find a line."""

from __future__ import annotations

import pytest

from ccp_core.cli.fuzzy import ranked

MODELS = [
    "nvidia_nim/moonshotai/kimi-k2.5",
    "nvidia_nim/z-ai/glm-4.7",
    "open_router/z-ai/glm-4.7:free",
    "open_router/google/gemma-4-26b",
    "groq/openai/gpt-oss-120b",
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kimi", ["nvidia_nim/moonshotai/kimi-k2.5"]),
        ("KIMI", ["nvidia_nim/moonshotai/kimi-k2.5"]),
        ("glm47", ["nvidia_nim/z-ai/glm-4.7", "open_router/z-ai/glm-4.7:free"]),
        ("free glm", ["open_router/z-ai/glm-4.7:free"]),
        ("gp120", ["groq/openai/gpt-oss-120b"]),
        ("xyz", []),
        ("", MODELS),
        (".*", []),
    ],
)
def test_lines_match_whose_letters_stand_in_the_order_that_was_typed(query, found):
    assert ranked(query, MODELS, str) == found


def test_what_begins_a_word_comes_before_what_stands_inside_and_that_before_scattered_letters():
    lines = ["g-x-l-x-m", "biglm", "the glm"]
    assert ranked("glm", lines, str) == ["the glm", "biglm", "g-x-l-x-m"]


def test_the_shorter_of_equally_good_lines_comes_first():
    assert ranked("kimi", ["kimi-k2-thinking", "kimi-k2.5"], str) == ["kimi-k2.5", "kimi-k2-thinking"]


def test_equally_good_and_long_lines_keep_their_order():
    assert ranked("a", ["a2", "a1", "a3"], str) == ["a2", "a1", "a3"]
