"""llama.cpp for ccp: a ``llama-server`` of one's own, over Anthropic Messages or chat completions."""

from __future__ import annotations

from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ProviderSpec
from ccp_llamacpp.dialects import CHAT, MESSAGES
from ccp_llamacpp.refusals import ccp_build_request as ccp_build_request
from ccp_llamacpp.refusals import ccp_classify_error as ccp_classify_error

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
    dialects={"anthropic": MESSAGES, "openai": CHAT},
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register llama.cpp."""
    register(SPEC)
