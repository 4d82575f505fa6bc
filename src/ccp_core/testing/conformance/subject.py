"""The provider under test: its lane over each transport, and streams through it as the core runs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint
from typing import Any, TypeAlias, cast

from attrs import define, evolve, field

from ccp_core.errors import UpstreamFailure, Verdict
from ccp_core.gateway import DEFAULTS
from ccp_core.host import ENTRY_POINT_GROUP, PluginError, PluginHost
from ccp_core.lane import Lane
from ccp_core.protocol.encode import encode
from ccp_core.protocol.grammar import Grammar, UpstreamStreamError
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.sse import SSEDecoder, SSEEvent
from ccp_core.provider import (
    BuildOptions,
    ModelCard,
    Provider,
    ProviderSpec,
    Transport,
    UpstreamHead,
    UpstreamRequest,
)
from ccp_core.route import Route, StreamContext

from .outcome import Outcome

NOT_LOADED = "not loaded"
"""Stands for the transports of a plugin that cannot be loaded."""

OWN_PROTOCOL = "own protocol"
"""Stands for the transport of a provider that uses neither transport library."""

Chunks: TypeAlias = tuple[tuple[SSEEvent, ...], ...]


def chunks_of(pieces: Iterable[bytes]) -> Chunks:
    """What the decoder makes of a body that comes in these network reads; the last chunk is the body's end."""
    decoder = SSEDecoder()
    chunks = [tuple(chunk) for piece in pieces if (chunk := decoder.feed(piece))]
    return (*chunks, tuple(decoder.finish()))


class CannotLoad(AssertionError):
    """The plugin cannot be used at all; the text says why."""


@define(eq=False)
class Subject:
    """A provider's plugin, loaded as the proxy loads it."""

    spec: ProviderSpec
    host: PluginHost

    @classmethod
    def load(cls, provider_id: str, points: Iterable[EntryPoint]) -> Subject:
        """Load the plugin behind ``points`` (its own, and those of the transports). Raises CannotLoad."""
        points = list(points)
        own = [point for point in points if point.group == ENTRY_POINT_GROUP]
        if len(own) != 1:
            raise CannotLoad(
                f"{len(own)} installed distributions have an entry point {provider_id!r} in the group"
                f" {ENTRY_POINT_GROUP!r} where one is needed: {[point.value for point in own]}."
                " Is the distribution installed, and `provider_id` spelled as in its pyproject.toml?"
            )
        host = PluginHost.load(points)
        if host.broken:
            raise CannotLoad("; ".join(f"{broken.name}: {broken.reason}" for broken in host.broken))
        if provider_id not in host.providers:
            raise CannotLoad(
                f"the plugin registers no provider {provider_id!r} but {sorted(host.providers)};"
                " the id in its ProviderSpec and the name of its entry point must be the same"
            )
        return cls(host.providers[provider_id], host)

    def transport(self, name: str | None = None) -> str:
        """A transport by name; the default one for None."""
        return name or next(iter(self.spec.transports), OWN_PROTOCOL)

    def lane(self, transport: str, base_url: str = "") -> Lane:
        """The provider's lane over a transport. Raises CannotLoad when that transport is not installed."""
        wire = cast(Transport, "openai" if transport == OWN_PROTOCOL else transport)
        provider = Provider(
            spec=self.spec, base_url=base_url or self.spec.base_url.rstrip("/"), transport=wire
        )
        if wire not in (self.spec.transports or ("openai",)):
            raise CannotLoad(f"{self.spec.id} has no transport {wire!r} but {self.spec.transports}")
        try:
            return self.host.lane(provider, DEFAULTS)
        except PluginError as error:
            raise CannotLoad(str(error)) from None

    def another(self) -> Subject:
        """Another provider of the same description, in whose lanes the plugin is not: the transport answers alone."""
        return evolve(self, spec=evolve(self.spec, id="another"))

    def route(self, model: str, thinking: bool = True) -> Route:
        """A route to one of the provider's models."""
        return Route(provider_id=self.spec.id, model=model, thinking=thinking)

    def build(
        self,
        request: MessagesRequest,
        transport: str,
        model: str,
        options: BuildOptions | None = None,
        *,
        base_url: str = "",
    ) -> UpstreamRequest:
        """The upstream request that the lane builds; ``base_url`` is the provider's own unless given."""
        lane = self.lane(transport, base_url)
        options = options or BuildOptions()
        if options.vision is None:
            options = evolve(options, vision=lane.provider.card(model).vision)
        return lane.build_request(request, self.route(model, options.thinking), options)

    def classify(self, failure: UpstreamFailure, transport: str) -> Verdict:
        """The lane's verdict. Raises HookFailed when a hook does, where the core would go on without it."""
        verdict = self.lane(transport).judge(failure)
        assert verdict is not None, "nobody answered"
        return verdict

    def list_models(self, payload: Any, transport: str) -> Sequence[ModelCard]:
        """The models that the lane reads from a list."""
        return self.lane(transport).list_models(payload)

    def stream(
        self, request: MessagesRequest, transport: str, model: str, *, thinking: bool = True
    ) -> UpstreamStream:
        """A stream that answers ``request``; it can be run many times."""
        options = BuildOptions(thinking=thinking)
        lane, route = self.lane(transport), self.route(model, thinking)
        context = StreamContext(
            provider=lane.provider,
            request=request,
            upstream_request=lane.build_request(request, route, options),
            route=route,
            options=options,
        )
        return UpstreamStream(lane, context)


@define(eq=False)
class UpstreamStream:
    """The answer to one upstream request, from server-sent events to the client's bytes."""

    lane: Lane
    context: StreamContext

    def start(self) -> Pouring:
        """Begin a run of its own."""
        context = evolve(self.context)
        self.lane.open_stream(context, UpstreamHead(status=200, headers={}))
        grammar = Grammar(
            model="claude-test",
            provider=context.provider.id,
            prompt_tokens=7,
            show_thinking=context.route.thinking,
        )
        return Pouring(self.lane, context, grammar)

    def run(self, chunks: Chunks) -> Outcome:
        """Pour one chunk for each network read, then close the stream."""
        pouring = self.start()
        for chunk in chunks:
            pouring.read(chunk)
        return pouring.close()


@define(eq=False)
class Pouring:
    """One run of a stream."""

    lane: Lane
    context: StreamContext
    grammar: Grammar
    outcome: Outcome = field(factory=Outcome)

    def read(self, chunk: Sequence[SSEEvent]) -> None:
        """What one network read completed."""
        if chunk and not self._over:
            self._send(self.lane.translate_chunk(self.context, chunk))

    def close(self) -> Outcome:
        """The upstream has closed the stream."""
        if not self._over:
            self._send(self.lane.finish_stream(self.context))
        self.outcome.complete = self.grammar.finished
        return self.outcome

    @property
    def _over(self) -> bool:
        return self.grammar.finished or self.outcome.error is not None

    def _send(self, events: Sequence[Any]) -> None:
        try:
            self.outcome.sent += encode(self.grammar.accept(events))
        except UpstreamStreamError as error:
            self.outcome.error = error.event
