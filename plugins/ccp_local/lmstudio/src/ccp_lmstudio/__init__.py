"""LM Studio for ccp: models in its app or its server, over Anthropic Messages or chat completions."""

from __future__ import annotations

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, effort_switch

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ProviderSpec
from ccp_lmstudio.errors import ccp_classify_error as ccp_classify_error
from ccp_lmstudio.models import ccp_list_models as ccp_list_models

SPEC = ProviderSpec(
    id="lmstudio",
    name="LM Studio",
    base_url="http://localhost:1234/v1",
    transports=("anthropic", "openai"),
    env_prefixes=("LM_STUDIO", "LMSTUDIO"),
    auth="x-api-key",
    needs_key=False,
    local=True,
    models_paths=("/models", "../api/v0/models", "../api/v1/models"),
    silent_truncation=True,
    start_hint="Start its server under Developer, or with `lms server start`.",
    messages_since="0.4.1",
    dialects={
        "anthropic": MessagesDialect(tool_choices=frozenset({"auto", "any"}), thinks_unasked=True),
        "openai": ChatDialect(
            named_tool_choice=False, response_format=True, reasoning=effort_switch("low", "medium", "high")
        ),
    },
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register LM Studio."""
    register(SPEC)
