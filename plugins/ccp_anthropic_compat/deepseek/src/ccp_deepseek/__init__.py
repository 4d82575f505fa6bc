"""DeepSeek for ccp: its Anthropic Messages endpoint, or its chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, ReasoningWish

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ProviderSpec
from ccp_deepseek.errors import OFF
from ccp_deepseek.errors import ccp_classify_error as ccp_classify_error

EFFORTS = {"minimal": "low", "medium": "high", "xhigh": "high", "ultra": "max"}


def reasoning(wish: ReasoningWish) -> Mapping[str, Any]:
    """Models think unless told not to, and know three efforts: low, high, max."""
    if not wish.on:
        return OFF
    effort = {"reasoning_effort": EFFORTS.get(wish.effort, wish.effort)} if wish.effort else {}
    return {"thinking": {"type": "enabled"}, **effort}


SPEC = ProviderSpec(
    id="deepseek",
    name="DeepSeek",
    base_url="https://api.deepseek.com/anthropic",
    paths_hold_v1=True,
    transports=("anthropic", "openai"),
    env_prefixes=("DEEPSEEK",),
    auth="both",  # the Messages endpoint documents x-api-key, everything else reads Authorization
    models_paths=("../models",),
    vision=lambda model: False,  # a few newer ones may; the settings can say so
    keys_url="https://platform.deepseek.com/api_keys",
    dialects={
        "anthropic": MessagesDialect(
            path="/v1/messages",
            flat_results=True,
            thinking=frozenset({"enabled", "disabled"}),
            thinks_unasked=True,
            thinking_before_tools=True,
            efforts=EFFORTS,
        ),
        "openai": ChatDialect(
            path="../chat/completions", reasoning=reasoning, replay_turns="all", replay_placeholder=" "
        ),
    },
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register DeepSeek."""
    register(SPEC)
