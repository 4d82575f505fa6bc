"""Ollama for ccp: models on one's own machine, over Anthropic Messages or chat completions."""

from __future__ import annotations

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, effort_switch

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ProviderSpec
from ccp_ollama.errors import ccp_classify_error as ccp_classify_error
from ccp_ollama.models import ccp_list_models as ccp_list_models

SPEC = ProviderSpec(
    id="ollama",
    name="Ollama",
    base_url="http://localhost:11434",
    paths_hold_v1=True,
    transports=("anthropic", "openai"),
    env_prefixes=("OLLAMA",),
    needs_key=False,
    local=True,
    models_paths=("/v1/models", "/api/tags", "/api/ps"),
    silent_truncation=True,
    start_hint="Start it with `OLLAMA_CONTEXT_LENGTH=65536 ollama serve`.",
    messages_since="0.14",
    dialects={
        "anthropic": MessagesDialect(
            path="/v1/messages",
            images=frozenset({"base64"}),
            tool_choices=frozenset(),  # it reads the choice and forgets it
            thinks_unasked=True,
            efforts={"minimal": "low", "xhigh": "high"},
        ),
        "openai": ChatDialect(
            path="/v1/chat/completions",
            named_tool_choice=False,
            response_format=True,
            reasoning=effort_switch("low", "medium", "high"),
            replay="reasoning",
        ),
    },
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register Ollama."""
    register(SPEC)
