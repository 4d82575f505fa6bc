"""The gateway: everything that one configuration needs to answer requests."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import structlog
from attrs import evolve
from yarl import URL

from ccp_core import vision
from ccp_core.builtins import classify, demo, local_answers
from ccp_core.config.settings import ProviderSettings, Settings
from ccp_core.errors import ApiError
from ccp_core.host import PluginError, PluginHost
from ccp_core.lane import Lane
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.provider import Provider, ProviderSpec
from ccp_core.route import Caller, RequestRecord, Route
from ccp_core.routing import DefaultRouting
from ccp_core.upstream import catalogue
from ccp_core.upstream.storage import Storage, open_storage
from ccp_core.upstream.upstream import Upstream

log = structlog.get_logger("ccp.gateway")

DEFAULTS = (classify, local_answers)
"""The core's own features that every lane has, written as plugins; they are asked last."""


class Gateway:
    """Lanes and upstreams of every usable provider, made once from settings and plugins.

    ``refresh_models``: keep the upstreams' model lists fresh in the background, from ``start`` on.
    ``storage_at`` opens ``limits.storage``. ``predecessor``: the gateway whose place this one takes; of that one goes
    on what has not changed. Raises StorageError.
    """

    def __init__(
        self,
        settings: Settings,
        host: PluginHost,
        *,
        refresh_models: bool = True,
        storage_at: Callable[[str], Storage] = open_storage,
        predecessor: Gateway | None = None,
    ) -> None:
        self.host = host
        self.upstreams: dict[str, Upstream] = {}
        self.unusable: dict[str, str] = dict(host.unusable)
        """Providers that cannot be used, with the reason."""
        self.given = settings
        """The settings as they were read; ``settings`` have a model also where these name none."""
        self.is_demo = settings.is_blank
        if self.is_demo:
            settings = evolve(settings, models=evolve(settings.models, default=demo.MODEL))
        self.settings = settings
        self._storage_at = storage_at
        self._successor: Gateway | None = None
        if predecessor is not None and predecessor.settings.limits.storage == settings.limits.storage:
            self._storage: Storage = predecessor._storage
        else:
            self._storage = storage_at(settings.limits.storage)
        for spec in _specs(settings, host):
            self._add(spec, predecessor)
        self.provider_ids = frozenset(self.upstreams)
        self.root: Lane = host.root([DefaultRouting(self.provider_ids | self.unusable.keys())])
        self.local_answers: Counter[str] = predecessor.local_answers if predecessor else Counter()
        """How often each local answer was given."""
        self._refresh_models = refresh_models
        self._refreshing: asyncio.Task[None] | None = None
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def successor(self, settings: Settings) -> Gateway:
        """A gateway for other settings: windows, cool-downs, connections and what was learned of models go on where
        the settings of a provider are the same. It takes over once it is started. Raises StorageError.
        """
        return Gateway(
            settings,
            self.host,
            refresh_models=self._refresh_models,
            storage_at=self._storage_at,
            predecessor=self,
        )

    def retire(self, successor: Gateway) -> None:
        """Leave to ``successor`` what it uses, too; ``close`` closes the rest."""
        self._successor = successor

    def _add(self, spec: ProviderSpec, predecessor: Gateway | None) -> None:
        if spec.id == demo.PROVIDER_ID and not self.is_demo:
            return
        own = self.settings.providers.get(spec.id, ProviderSettings())
        provider = Provider(
            spec=spec,
            base_url=_base_url(spec, own),
            transport=own.transport or (spec.transports[0] if spec.transports else "openai"),
            rescue_tool_calls=own.rescue_tool_calls,
        )
        try:
            lane = self.host.lane(provider, DEFAULTS)
        except PluginError as error:
            self.unusable[spec.id] = str(error)
            log.error("provider_unusable", provider=spec.id, reason=str(error))
            return
        upstream = Upstream(provider, lane, own, self.settings, self._storage)
        old = predecessor.upstreams.get(spec.id) if predecessor is not None else None
        self.upstreams[spec.id] = old if old is not None and old.basis == upstream.basis else upstream

    def resolve_route(self, request: MessagesRequest, caller: Caller) -> Route:
        """Where the request goes. Raises ApiError when it cannot go anywhere."""
        return self.seeing(request, self.root.resolve_route(request, caller, self.settings))

    def seeing(self, request: MessagesRequest, route: Route) -> Route:
        """``route``; for a turn that shows an image its model does not take, the one to ``models.vision``."""
        upstream = self.upstreams.get(route.provider_id)
        if upstream is None or upstream.takes_images(route.model) or not vision.shows_image(request.messages):
            return route
        return vision.seeing(route, self.settings.models.vision)

    def upstream(self, provider_id: str) -> Upstream:
        """The upstream of a provider. Raises ApiError when it cannot be used."""
        upstream = self.upstreams.get(provider_id)
        if upstream is None:
            reason = self.unusable.get(provider_id, "no installed plugin provides it")
            raise ApiError(
                400,
                "invalid_request_error",
                f"The provider {provider_id!r} cannot be used: {reason}. `ccp plugins` lists what is installed.",
            )
        return upstream

    def request_finished(self, record: RequestRecord) -> None:
        """Log one line for a request that is done, and tell the plugins of its lane."""
        if log.is_enabled_for(logging.INFO):
            log.info("request", **record.said())
        upstream = self.upstreams.get(record.provider)
        if upstream is not None:
            upstream.lane.request_finished(record)

    async def start(self) -> None:
        """Begin what goes on in the background."""
        if self._refresh_models:
            self._refreshing = asyncio.create_task(catalogue.keep_fresh(self.upstreams.values()))

    async def close(self) -> None:
        """Close all connections to upstreams."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        kept = self._successor.upstreams.values() if self._successor is not None else ()
        for upstream in self.upstreams.values():
            if upstream not in kept:
                await upstream.close()
        if self._successor is None or self._successor._storage is not self._storage:
            await self._storage.close()

    async def close_when_idle(self) -> None:
        """Close once the last request that uses this gateway is done."""
        try:
            await self.idle()
        finally:
            await self.close()

    async def idle(self) -> None:
        """Wait until no request is under way."""
        await self._idle.wait()

    def __enter__(self) -> Gateway:
        self._busy += 1
        self._idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    @property
    def busy(self) -> int:
        """Requests under way."""
        return self._busy


def load_host() -> PluginHost:
    """All installed plugins, and the demo provider."""
    host = PluginHost.load()
    host.add(demo, name=demo.PROVIDER_ID)
    return host


def _base_url(spec: ProviderSpec, own: ProviderSettings) -> str:
    """The address that paths are appended to. People add a ``/v1`` where none belongs, and forget the one that does."""
    base = (own.base_url or spec.base_url).rstrip("/")
    if spec.paths_hold_v1:
        return base.removesuffix("/v1")
    forgotten = spec.local and spec.base_url.endswith("/v1") and URL(base).path == "/"
    return f"{base}/v1" if forgotten else base


def _specs(settings: Settings, host: PluginHost) -> list[ProviderSpec]:
    """The registered providers, and one for each ``[providers.NAME]`` table that is an endpoint of its own."""
    specs = list(host.providers.values())
    specs += [
        _endpoint(name, own)
        for name, own in settings.providers.items()
        if name not in host.providers and name not in host.unusable and own.base_url
    ]
    return specs


def _endpoint(name: str, own: ProviderSettings) -> ProviderSpec:
    return ProviderSpec(
        id=name,
        name=name,
        base_url=own.base_url or "",
        transports=(own.transport or "openai",),
        env_prefixes=(),
        needs_key=False,
    )
