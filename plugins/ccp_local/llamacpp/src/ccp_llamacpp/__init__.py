"""llama.cpp for ccp: a ``llama-server`` of one's own, over Anthropic Messages or chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, ReasoningWish

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.protocol.schema_edit import without_booleans
from ccp_core.provider import ProviderSpec
from ccp_llamacpp.refusals import ccp_build_request as ccp_build_request
from ccp_llamacpp.refusals import ccp_classify_error as ccp_classify_error


def reasoning(wish: ReasoningWish) -> Mapping[str, Any]:
    """The chat template has the switch, the sampler the budget in tokens."""
    budget = {"thinking_budget_tokens": wish.budget} if wish.on and wish.budget else {}
    return {"chat_template_kwargs": {"enable_thinking": wish.on}, **budget}


SPEC = ProviderSpec(
    id="llamacpp",
    name="llama.cpp",
    base_url="http://localhost:8080/v1",
    transports=("anthropic", "openai"),
    env_prefixes=("LLAMACPP",),
    needs_key=False,
    local=True,
    count_tokens_path="/messages/count_tokens",
    start_hint="Start it with `llama-server -m MODEL.gguf --jinja -c 65536 --port 8080`.",
    messages_since="the builds of December 2025",
    dialects={
        "anthropic": MessagesDialect(
            other_fields=True,
            input_schema=without_booleans,
            tool_choices=frozenset({"auto", "any"}),
            thinking=frozenset({"enabled", "adaptive"}),
            thinking_off={"chat_template_kwargs": {"enable_thinking": False}},
            thinks_unasked=True,
            efforts=None,
        ),
        "openai": ChatDialect(
            parameters=without_booleans,
            sampling=frozenset({"temperature", "top_p", "top_k"}),
            response_format=True,
            reasoning=reasoning,
            replay_turns="all",
        ),
    },
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register llama.cpp."""
    register(SPEC)
