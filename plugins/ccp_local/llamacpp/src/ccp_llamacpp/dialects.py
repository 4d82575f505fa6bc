"""How ``llama-server`` is spoken to: what it reads of a request, in either protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, ReasoningWish

from ccp_core.protocol.schema_edit import without_booleans


def reasoning(wish: ReasoningWish) -> Mapping[str, Any]:
    """The chat template has the switch, the sampler the budget in tokens."""
    budget = {"thinking_budget_tokens": wish.budget} if wish.on and wish.budget else {}
    return {"chat_template_kwargs": {"enable_thinking": wish.on}, **budget}


MESSAGES = MessagesDialect(
    other_fields=True,
    input_schema=without_booleans,
    tool_choices=frozenset({"auto", "any"}),
    thinking=frozenset({"enabled", "adaptive"}),
    thinking_off={"chat_template_kwargs": {"enable_thinking": False}},
    thinks_unasked=True,
    efforts=None,
)

CHAT = ChatDialect(
    parameters=without_booleans,
    named_tool_choice=False,  # the server takes it for "auto"
    sampling=frozenset({"temperature", "top_p", "top_k"}),
    response_format=True,
    reasoning=reasoning,
    replay_turns="all",
)
