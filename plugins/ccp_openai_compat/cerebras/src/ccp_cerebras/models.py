"""What Cerebras takes for which model: its families differ in how thinking is switched, and in images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ccp_openai_compat import ChatDialect, ReasoningWish, effort_switch

_EFFORT = effort_switch("low", "medium", "high", off="low")  # gpt-oss cannot stop thinking
_OFF = effort_switch(off="none")


def reasoning(wish: ReasoningWish) -> Mapping[str, Any]:
    """gpt-oss takes an effort, the others are switched off with one; GLM would forget what it thought before."""
    switched = _EFFORT(wish) if "gpt-oss" in wish.model else _OFF(wish)
    return {**switched, "clear_thinking": False} if "glm" in wish.model else switched


def dialect(model: str) -> ChatDialect:
    """What Cerebras takes for a model."""
    return ChatDialect(
        max_tokens_field="max_completion_tokens",
        reasoning=reasoning,
        replay="reasoning",
        replay_turns="all" if "glm" in model else "tool_calls",
    )


def vision(model: str) -> bool | None:
    """The families of which it is known that they read text only."""
    return False if re.search("gpt-oss|glm|llama", model) else None
