"""What Groq takes for which model: its families differ in the words for effort, and in images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ccp_openai_compat import ChatDialect, ReasoningWish, effort_switch

_EFFORT = effort_switch("low", "medium", "high", off="low")  # gpt-oss cannot stop thinking
_OFF = effort_switch(off="none")
_EFFORT_OR_OFF = effort_switch("low", "medium", "high", off="none")
_TEXT_ONLY = re.compile(r"gpt-oss|llama-3|qwen3-|kimi-k2")
_NO_CHAT = re.compile(r"whisper|\btts\b|orpheus|guard|embed")


def reasoning(wish: ReasoningWish) -> Mapping[str, Any]:
    """The wish in the family's words. Models that do not think refuse all of them and get none."""
    if "gpt-oss" in wish.model:
        return _EFFORT(wish)
    if "qwen3" not in wish.model:
        return {}
    switch = _EFFORT_OR_OFF if "qwen3.8" in wish.model else _OFF
    return {**switch(wish), "reasoning_format": "parsed"}  # unless asked, thinking may come as text


DIALECT = ChatDialect(
    max_tokens_field="max_completion_tokens",
    omit=frozenset({"stream_options"}),  # it counts without being asked
    empty_content="",  # nulls in messages may be refused
    reasoning=reasoning,
    replay="reasoning",
)


def vision(model: str) -> bool | None:
    """The families of which it is known that they read text only."""
    return False if _TEXT_ONLY.search(model) else None


def is_for_chat(model: str) -> bool:
    """Whether a model of the list is for chat, by its name: the list does not say."""
    return not _NO_CHAT.search(model.lower())
