"""vLLM for ccp: a ``vllm serve`` of one's own, over Anthropic Messages or chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, ReasoningWish, nearest_effort

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ProviderSpec
from ccp_vllm.errors import ccp_classify_error as ccp_classify_error


def reasoning(wish: ReasoningWish) -> Mapping[str, Any]:
    """Templates differ in the name of their switch and ignore the other; gpt-oss takes an effort instead."""
    effort = nearest_effort(wish.effort, ("low", "medium", "high")) if wish.on else None
    switch = {"chat_template_kwargs": {"thinking": wish.on, "enable_thinking": wish.on}}
    return {**switch, "reasoning_effort": effort} if effort else switch


SPEC = ProviderSpec(
    id="vllm",
    name="vLLM",
    base_url="http://localhost:8000/v1",
    transports=("anthropic", "openai"),
    env_prefixes=("VLLM",),
    needs_key=False,
    local=True,
    count_tokens_path="/messages/count_tokens",
    start_hint="Start it with `vllm serve MODEL --enable-auto-tool-choice --tool-call-parser PARSER`.",
    messages_since="0.11.1",
    dialects={
        "anthropic": MessagesDialect(other_fields=True, output_format=True, thinks_unasked=True),
        "openai": ChatDialect(
            sampling=frozenset({"temperature", "top_p", "top_k"}),
            response_format=True,
            reasoning=reasoning,
            replay="as_received",
            replay_turns="all",
            call_id_limit=None,
        ),
    },
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register vLLM."""
    register(SPEC)
