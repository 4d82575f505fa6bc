"""Groq for ccp."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from ccp_core.errors import UpstreamFailure, Verdict
from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import BuildOptions, ModelCard, Provider, ProviderSpec, UpstreamRequest
from ccp_groq.errors import classify
from ccp_groq.models import DIALECT, is_for_chat, vision

_UNCHECKED = "disable_tool_validation"

SPEC = ProviderSpec(
    id="groq",
    name="Groq",
    base_url="https://api.groq.com/openai/v1",
    transports=("openai",),
    env_prefixes=("GROQ",),
    keys_url="https://console.groq.com/keys",
    default_max_tokens=16384,  # the rate is charged with what an answer may have, not with what it has
    vision=vision,
    dialects={"openai": DIALECT},
)


@hookimpl
def ccp_register_providers(register: ProviderRegistrar) -> None:
    """Register Groq."""
    register(SPEC)


@hookimpl(wrapper=True)
def ccp_build_request(options: BuildOptions) -> Generator[None, UpstreamRequest, UpstreamRequest]:
    """Leave it to the client to judge the names of tools, which is not possible where one is demanded."""
    built = yield
    choice = built.body.get("tool_choice", "auto")
    if "tools" in built.body and isinstance(choice, str) and _UNCHECKED not in options.omit:
        built.body[_UNCHECKED] = True
    return built


@hookimpl
def ccp_classify_error(provider: Provider, failure: UpstreamFailure) -> Verdict | None:
    """Recognise requests above the rate, and calls that Groq could not read."""
    return classify(provider, failure)


@hookimpl(wrapper=True)
def ccp_list_models() -> Generator[None, Sequence[ModelCard] | None, Sequence[ModelCard]]:
    """Leave out the models for speech and moderation."""
    cards = yield
    return [card for card in cards or () if is_for_chat(card.id)]
