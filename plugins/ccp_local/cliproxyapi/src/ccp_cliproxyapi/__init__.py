"""CLIProxyAPI for ccp: the models of subscriptions that it is logged in to, Claude's own among them."""

from __future__ import annotations

from ccp_anthropic_compat import MessagesDialect
from ccp_openai_compat import ChatDialect, effort_switch

from ccp_cliproxyapi.errors import ccp_classify_error as ccp_classify_error
from ccp_cliproxyapi.models import ccp_list_models as ccp_list_models
from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ProviderSpec

SPEC = ProviderSpec(
    id="cliproxyapi",
    name="CLIProxyAPI",
    base_url="http://localhost:8317/v1",
    transports=("anthropic", "openai"),
    env_prefixes=("CLIPROXYAPI",),
    auth="x-api-key",
    needs_key=False,
    local=True,
    count_tokens_path="/messages/count_tokens",
    start_hint="Start it with `cli-proxy-api`, once before with `cli-proxy-api --claude-login`.",
    dialects={
        # Requests go to Anthropic's own servers as they are, so nothing is taken from them.
        "anthropic": MessagesDialect(
            fields=None,
            betas=True,
            billing_header=True,
            cache_control=frozenset({"system", "messages", "tools"}),
            system_role=True,
            blocks=None,
            is_error=True,
            plain_ids=True,
            tool_fields=None,
            server_tools=True,
            thinking_history="own",
            output_format=True,
            think_tags=False,
            text_tool_calls=False,
        ),
        "openai": ChatDialect(
            response_format=True,
            reasoning=effort_switch("low", "medium", "high", "xhigh", "max"),
            think_tags=False,
        ),
    },
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register CLIProxyAPI."""
    register(SPEC)
