"""Cerebras for ccp."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from attrs import evolve

from ccp_cerebras.models import dialect, vision
from ccp_core.hookspecs import hookimpl
from ccp_core.host import ProviderRegistrar
from ccp_core.provider import ModelCard, ProviderSpec

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
