"""One provider at work: its lane, connections, keys, rates and what has been learned about its models."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from ccp_core.config.secrets import secrets_of
from ccp_core.config.settings import ProviderSettings, Settings
from ccp_core.errors import Adjustment
from ccp_core.lane import Lane
from ccp_core.protocol.events import Json
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.tokens import count
from ccp_core.provider import IMAGES, BuildOptions, ModelCard, Provider, UpstreamHead
from ccp_core.redact import Redactor
from ccp_core.route import Route
from ccp_core.upstream.answer_room import answer_cap
from ccp_core.upstream.client import AttemptFailed, UpstreamClient
from ccp_core.upstream.context_guard import ContextGuard
from ccp_core.upstream.keys import Key, KeyRing
from ccp_core.upstream.learned import Learned
from ccp_core.upstream.retry_after import hold_off
from ccp_core.upstream.storage import Storage
from ccp_core.upstream.throttle import MAX_SLOW_DOWN, Throttle

COUNT_TIMEOUT = 2.0
"""Seconds that an upstream's own counter may take."""


class Upstream:
    """A provider as one gateway uses it."""

    def __init__(
        self, provider: Provider, lane: Lane, own: ProviderSettings, settings: Settings, storage: Storage
    ) -> None:
        self.provider = provider
        self.lane = lane
        self.settings = own
        self.basis = (
            provider.base_url,
            provider.transport,
            own,
            settings.limits,
            settings.timeouts,
            id(storage),
        )
        """All that it was made of: with the same settings after a reload it goes on."""
        self.client = UpstreamClient(provider, own, settings.timeouts)
        self.keys = KeyRing(
            own.keys,
            provider_id=provider.id,
            usage_limit=own.key_usage_limit,
            storage=storage,
            base=settings.limits.retry_base,
            longest=settings.limits.retry_max,
        )
        self.throttle = _throttle(provider, own, settings, storage)
        self.learned = Learned()
        self.context_guard = ContextGuard(self)
        self.set_models({})
        self.redact = Redactor(secrets_of(settings))
        self.commit_after = _commit_after(provider, own, settings)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def succeeded(self, key: Key | None, model: str, head: UpstreamHead) -> None:
        """Count a success for the key, and heed what the headers say of the rate that is left.

        An allowance that is used up is the key's: where there are others, they go on.
        """
        self.keys.succeeded(key, model)
        seconds = hold_off(head.headers)
        if len(self.keys) < 2:
            self.throttle.slow_down(seconds)
        elif 0 < seconds <= MAX_SLOW_DOWN:
            await self.keys.cool_down(key, seconds, model)

    def note_usage(self, model: str, request: MessagesRequest, estimated: int, reported: int) -> None:
        """Learn from the tokens that were reported for a prompt, unless the upstream may have cut it."""
        if self.context_guard.fits(model, estimated):
            self.learned.note_usage(model, estimated, lambda: count(request.body), reported)

    @property
    def models(self) -> Mapping[str, ModelCard]:
        """What is known of its models, by id; plugins see the same as ``provider.models``."""
        return self.provider.models

    def set_models(self, models: Mapping[str, ModelCard]) -> None:
        """Replace what is known of the models; what the settings say of them stays."""
        self.provider.models.clear()
        self.provider.models.update(models)
        for model in (*self.settings.context_windows, *self.settings.vision):
            self.provider.models[model] = self.card(model)

    def card(self, model: str) -> ModelCard:
        """What is known of a model: by its provider, overruled by the settings."""
        card = self.provider.card(model)
        window, vision = self.settings.context_windows.get(model), self.settings.vision.get(model)
        if window is None and vision is None:
            return card
        return card.merged(ModelCard(id=model, context_window=window, vision=vision))

    def takes_images(self, model: str) -> bool:
        """Whether images can be sent to a model, as far as anybody knows."""
        return self.card(model).vision is not False and IMAGES not in self.learned.facts(model).omit

    def options(
        self, route: Route, request: MessagesRequest, adjustments: Sequence[Adjustment] = ()
    ) -> BuildOptions:
        """How to build a request for a model: what is known of the model, and changes for this request alone."""
        learned, card = self.learned.facts(route.model), self.card(route.model)
        caps = [
            learned.max_tokens,
            self.settings.max_tokens or self.provider.spec.default_max_tokens,
            answer_cap(
                request,
                card.max_output,
                card.context_window or learned.context_window,
                lambda: self.learned.tokens(route.model, count(request.body)),
            ),
        ]
        omit, replace = learned.omit, dict(learned.replace)
        for change in adjustments:
            omit |= change.omit
            replace.update(change.replace)
            caps.append(change.max_tokens)
        return BuildOptions(
            thinking=route.thinking,
            omit=omit,
            replace=replace,
            max_tokens=min((cap for cap in caps if cap), default=None),
            vision=False if IMAGES in omit else card.vision,
        )

    async def count_tokens(self, request: MessagesRequest, route: Route, estimated: int) -> int:
        """The tokens of a prompt: the upstream's own count where it has a counter, otherwise what the estimate, made
        with tokens.count, comes to with this model.
        """
        path = self.provider.spec.count_tokens_path
        if path is not None and self.provider.transport == "anthropic":
            built = self.lane.build_request(request, route, self.options(route, request))
            body = {name: value for name, value in built.body.items() if name not in ("stream", "max_tokens")}
            with contextlib.suppress(AttemptFailed):  # the estimate is always there
                answer = await self.client.post_json(path, body, self.keys.peek(), COUNT_TIMEOUT)
                if isinstance(answer, dict) and isinstance(answer.get("input_tokens"), int):
                    return int(answer["input_tokens"])
        return self.learned.tokens(route.model, estimated)

    def health(self) -> Json:
        """What /health says of this provider."""
        return {
            "transport": self.provider.transport,
            "base_url": self.provider.base_url,
            "keys": len(self.settings.keys),
            "in_flight": self.throttle.in_flight,
        }


def _throttle(provider: Provider, own: ProviderSettings, settings: Settings, storage: Storage) -> Throttle:
    limits = settings.limits
    rate = own.rate if own.rate is not None else limits.rate
    if rate is None:
        rate = 0 if provider.spec.local else 1
    return Throttle(
        provider.id,
        rate=rate,
        window=own.window if own.window is not None else limits.window,
        concurrency=own.concurrency if own.concurrency is not None else limits.concurrency,
        queue=limits.queue,
        storage=storage,
    )


def _commit_after(provider: Provider, own: ProviderSettings, settings: Settings) -> float:
    if own.commit_after is not None:
        return own.commit_after
    timeouts = settings.timeouts
    return timeouts.commit_after_local if provider.spec.local else timeouts.commit_after
