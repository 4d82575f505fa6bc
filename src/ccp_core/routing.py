"""Where a request goes: the core's own answer to ccp_resolve_route, asked last."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from attrs import define

from ccp_core.errors import ApiError
from ccp_core.hookspecs import hookimpl
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.route import Caller, Route, split_model

if TYPE_CHECKING:
    from ccp_core.config.settings import Settings

TIERS = ("opus", "sonnet", "haiku", "fable")


def tier_of(model: str) -> str:
    """The tier that a client's model id belongs to, by substring so that future ids work too."""
    lowered = model.lower()
    for tier in TIERS:
        if tier in lowered:
            return tier
    return "default"


@define(eq=False)
class DefaultRouting:
    """Token route first, then a model id that names a provider, then the tier's setting, then the default."""

    providers: Collection[str]
    """Ids of the providers that can be routed to."""

    @hookimpl(trylast=True)
    def ccp_resolve_route(self, request: MessagesRequest, caller: Caller, settings: Settings) -> Route | None:
        """See the class."""
        tier = tier_of(request.model)
        if caller.token_route is not None:
            pair = split_model(caller.token_route)
            if pair is None or pair[0] not in self.providers:
                raise ApiError(400, "invalid_request_error", self._bad_token_route(caller.token_route))
            return self._route(pair, tier, settings)
        named = split_model(request.model.removeprefix("anthropic/"))
        if named is not None and named[0] in self.providers:
            return self._route(named, tier, settings)
        text = getattr(settings.models, tier) or settings.models.default
        pair = split_model(text)
        return None if pair is None else self._route(pair, tier, settings, with_fallbacks=True)

    def _route(
        self, pair: tuple[str, str], tier: str, settings: Settings, *, with_fallbacks: bool = False
    ) -> Route:
        thinking = getattr(settings.thinking, tier)
        if thinking is None:
            thinking = settings.thinking.default
        fallbacks: tuple[Route, ...] = ()
        texts = getattr(settings.fallbacks, tier) if with_fallbacks else ()
        if texts is None:
            texts = settings.fallbacks.default
        if texts:
            pairs = map(split_model, texts)
            fallbacks = tuple(
                Route(provider_id=p[0], model=p[1], tier=tier, thinking=thinking)
                for p in pairs
                if p is not None
            )
        return Route(provider_id=pair[0], model=pair[1], tier=tier, thinking=thinking, fallbacks=fallbacks)

    def _bad_token_route(self, text: str) -> str:
        known = ", ".join(sorted(self.providers)) or "none"
        return (
            f"The route {text!r} behind the token is not provider/model with an installed provider."
            f" Installed providers: {known}."
        )
