"""A lane: the hooks that one provider's traffic passes, with one typed method each.

Order of asking, first to last: global plugins (middleware), the provider's own plugin, the transport base, the core's
defaults. Nobody else calls pluggy, and no plugin sees the traffic of another provider.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from ccp_core import hookspecs
from ccp_core.errors import ApiError, UpstreamFailure, Verdict, VerdictKind, nested_too_deeply
from ccp_core.hook_failures import HookFailed, kind, who_answered, who_raised
from ccp_core.hookspecs import PROJECT
from ccp_core.protocol.events import EVENT_CONTENT, StreamEvent
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.sse import SSEEvent
from ccp_core.provider import BuildOptions, ModelCard, Provider, UpstreamHead, UpstreamRequest
from ccp_core.route import Caller, LocalAnswer, RequestRecord, Route, StreamContext

if TYPE_CHECKING:
    from ccp_core.config.settings import Settings

T = TypeVar("T")


class Lane:
    """The hooks of one provider (or, without a provider, those that are asked before one is known).

    ``report`` is told of every plugin that raises or answers nonsense.
    """

    def __init__(
        self,
        provider: Provider | None,
        implementations: Iterable[Any],
        distribution_of: Callable[[Any], str],
        report: Callable[[HookFailed], None] = lambda failed: None,
    ) -> None:
        self._provider = provider
        self._distribution_of = distribution_of
        self._report = report
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        for implementation in implementations:
            self._manager.register(implementation)
        self._hook = self._manager.hook
        self._translate = _straight(self._hook.ccp_translate_chunk)

    @property
    def provider(self) -> Provider:
        """The provider whose lane this is."""
        assert self._provider is not None
        return self._provider

    def resolve_route(self, request: MessagesRequest, caller: Caller, settings: Settings) -> Route:
        """Where the request goes. Raises ApiError when it cannot go anywhere."""
        route = self.ask("ccp_resolve_route", Route, request=request, caller=caller, settings=settings)
        if route is None:
            raise ApiError(
                400,
                "invalid_request_error",
                "No model is configured for this request. Set MODEL (models.default in ccp.toml)"
                " to provider/model.",
            )
        return route

    def answer_locally(
        self, request: MessagesRequest, route: Route, settings: Settings
    ) -> LocalAnswer | None:
        """An answer without an upstream, or None."""
        return self.ask("ccp_answer_locally", LocalAnswer, request=request, route=route, settings=settings)

    def build_request(self, request: MessagesRequest, route: Route, options: BuildOptions) -> UpstreamRequest:
        """The request for the upstream."""
        arguments = {"provider": self._provider, "request": request, "route": route, "options": options}
        built = self.ask("ccp_build_request", UpstreamRequest, **arguments)
        if built is None:
            raise self._nonsense("ccp_build_request", arguments, "no plugin of this lane built a request")
        return built

    def open_stream(self, stream: StreamContext, head: UpstreamHead) -> None:
        """Prepare ``stream.state``."""
        stream.state = self.ask("ccp_open_stream", object, stream=stream, upstream=head)

    def translate_chunk(self, stream: StreamContext, chunk: Sequence[SSEEvent]) -> Sequence[StreamEvent]:
        """The events that one network read leads to."""
        try:
            events = self._translate(stream, chunk)
        except Exception as error:
            raise self._raised("ccp_translate_chunk", error) from error
        if wrong := _wrong(events):
            raise self._nonsense("ccp_translate_chunk", {"stream": stream, "chunk": chunk}, wrong)
        return events or ()

    def finish_stream(self, stream: StreamContext) -> Sequence[StreamEvent]:
        """What is still to be said when the upstream has closed the stream."""
        events: Any = self.ask("ccp_finish_stream", object, stream=stream)
        if wrong := _wrong(events):
            raise self._nonsense("ccp_finish_stream", {"stream": stream}, wrong)
        return events or ()

    def classify_error(self, failure: UpstreamFailure) -> Verdict:
        """What a failure means. A plugin that fails in this is left out: what went wrong first is what matters."""
        verdict: Any = None
        try:
            verdict = self.judge(failure)
        except HookFailed as failed:
            others = self._manager.subset_hook_caller("ccp_classify_error", [failed.plugin])
            with contextlib.suppress(Exception):
                verdict = others(provider=self._provider, failure=failure)
        if isinstance(verdict, Verdict):
            return verdict
        return Verdict(kind=VerdictKind.SERVER_ERROR, message=failure.error.message, retry=True)

    def judge(self, failure: UpstreamFailure) -> Verdict | None:
        """The plugins' verdict on a failure. Raises HookFailed when one of them fails."""
        return self.ask("ccp_classify_error", Verdict, provider=self._provider, failure=failure)

    def list_models(self, payload: Any) -> Sequence[ModelCard]:
        """The models in a payload of the upstream's list."""
        arguments = {"provider": self._provider, "payload": payload}
        cards = self.ask("ccp_list_models", object, **arguments) or ()
        if not isinstance(cards, list | tuple) or not all(isinstance(card, ModelCard) for card in cards):
            raise self._nonsense("ccp_list_models", arguments, f"{kind(cards)} is no list of ModelCard")
        return cards

    def request_finished(self, record: RequestRecord) -> None:
        """Tell every plugin that a request is done. One that fails is reported: the answer is out already."""
        with contextlib.suppress(HookFailed):
            self.ask("ccp_request_finished", object, record=record)

    def order(self, hook: str) -> list[str]:
        """The distributions that answer ``hook``, first asked first; wrappers are marked."""
        caller = getattr(self._hook, hook)
        return [
            self._distribution_of(impl.plugin) + (" (wrapper)" if impl.wrapper or impl.hookwrapper else "")
            for impl in reversed(caller.get_hookimpls())
        ]

    def ask(self, hook: str, wanted: type[T], **arguments: Any) -> T | None:
        """What the lane answers to a hook. Raises HookFailed for a plugin that raises or answers nonsense."""
        try:
            answer = getattr(self._hook, hook)(**arguments)
        except ApiError:
            raise
        except Exception as error:
            raise self._raised(hook, error) from error
        if answer is not None and not isinstance(answer, wanted):
            raise self._nonsense(hook, arguments, f"{kind(answer)} is no {wanted.__name__}")
        return answer

    def _asked(self, hook: str) -> list[pluggy.HookImpl]:
        """The implementations, first asked first."""
        return list(reversed(getattr(self._hook, hook).get_hookimpls()))

    def _raised(self, hook: str, error: Exception) -> ApiError:
        if (too_deep := nested_too_deeply(error)) is not None:  # of which no plugin is to blame
            return too_deep
        plugin, what = who_raised(self._asked(hook), error)
        return self._failed(hook, plugin, what)

    def _nonsense(self, hook: str, arguments: Mapping[str, Any], what: str) -> HookFailed:
        return self._failed(hook, who_answered(self._asked(hook), arguments), what)

    def _failed(self, hook: str, plugin: Any, what: str) -> HookFailed:
        failed = HookFailed(hook, self._distribution_of(plugin), what, plugin)
        self._report(failed)
        return failed


def _wrong(events: Any) -> str | None:
    """What makes a hook's answer no list of stream events; None for one that is, and for no answer."""
    if type(events) is not list and not isinstance(events, list | tuple | None):
        return f"{kind(events)} is no list of stream events"
    for event in events or ():
        content = EVENT_CONTENT.get(type(event))
        if content is None:
            return f"{kind(event)} is no stream event"
        name, wanted = content
        if not isinstance(value := getattr(event, name), wanted):
            return f"{name} of its {type(event).__name__} is {kind(value)} and no {wanted.__name__}"
    return None


def _straight(caller: pluggy.HookCaller) -> Callable[[StreamContext, Sequence[SSEEvent]], Any]:
    """The hook as a function. Most lanes have one implementation of it, and it is called for every network read: then
    that is called by itself, without what pluggy needs to bring several together.
    """
    implementations = caller.get_hookimpls()
    if len(implementations) == 1:
        [only] = implementations
        if only.argnames == ("stream", "chunk") and not (only.wrapper or only.hookwrapper):
            function: Callable[[StreamContext, Sequence[SSEEvent]], Any] = only.function
            return function
    return lambda stream, chunk: caller(stream=stream, chunk=chunk)
