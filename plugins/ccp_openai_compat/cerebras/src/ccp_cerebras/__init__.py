"""Cerebras for ccp."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from attrs import evolve
from ccp_openai_compat import ChatDialect, ReasoningWish, effort_switch

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ModelCard, ProviderSpec

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


SPEC = ProviderSpec(
    id="cerebras",
    name="Cerebras",
    base_url="https://api.cerebras.ai/v1",
    transports=("openai",),
    env_prefixes=("CEREBRAS",),
    keys_url="https://cloud.cerebras.ai",
    models_paths=("/models", "/models?format=openrouter"),  # the second one tells of windows and abilities
    default_max_tokens=16384,  # the rate is charged with what an answer may have, not with what it has
    vision=vision,
    dialects={"openai": dialect},
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register Cerebras."""
    register(SPEC)


@hookimpl(wrapper=True)
def ccp_list_models() -> Generator[None, Sequence[ModelCard] | None, Sequence[ModelCard]]:
    """Take the vendor's name off the ids of the second list."""
    cards = yield
    return [evolve(card, id=card.id.removeprefix("cerebras/")) for card in cards or ()]
