"""One request and its upstreams: attempts, until an answer has begun or nothing more can be tried.

Theory of operation: an attempt takes a key and a slot, sends the request, and pours what comes back through the lane's
translation and the grammar into the answer. A failed attempt becomes a verdict, and the retry plan says what to do:
wait, take another key, send again with a change, go to the next route, or give up. Once the model's own content has
reached the client nothing is tried again, unless a recovery asks the model to go on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from attrs import Factory, define, frozen

from ccp_core.errors import Adjustment, ApiError, UpstreamFailure, Verdict
from ccp_core.protocol.events import StreamEvent
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.route import RequestRecord, Route
from ccp_core.server.errors import api_error
from ccp_core.upstream.attempt import Attempt
from ccp_core.upstream.attempts import (
    Decision,
    Deliver,
    FallBack,
    GiveUp,
    GoOn,
    Resend,
    RetryPlan,
    SoFar,
    Wait,
    decisive,
)
from ccp_core.upstream.client import AttemptFailed
from ccp_core.upstream.keys import Key, NoKeyReady
from ccp_core.upstream.raw import RawLog
from ccp_core.upstream.recovery import Recovery
from ccp_core.upstream.throttle import QueueFull
from ccp_core.upstream.upstream import Upstream

if TYPE_CHECKING:
    from ccp_core.gateway import Gateway
    from ccp_core.server.answer import Answer

log = structlog.get_logger("ccp.exchange")


STALE_AFTER = 0.1
"""Seconds in the queue after which a key is chosen again: meanwhile others may have used it up."""


@define
class _Tried:
    """What was tried on one route."""

    tries: int = 0
    waits: int = 0
    verdicts: list[Verdict] = Factory(list)
    adjustments: list[Adjustment] = Factory(list)
    refused: set[int] = Factory(set)
    """Numbers of the keys that failed for this request."""


@frozen
class _Failed:
    """One attempt that did not answer."""

    verdict: Verdict
    cause: str
    status: int | None = None
    key: Key | None = None


class Exchange:
    """Answers ``request`` from ``route`` or its fallbacks.

    ``started`` is the monotonic time of its arrival, ``estimate`` what its prompt has in tokens, before any correction.
    """

    def __init__(
        self,
        gateway: Gateway,
        request: MessagesRequest,
        route: Route,
        answer: Answer,
        record: RequestRecord,
        started: float,
        estimate: int,
        raw: RawLog | None = None,
    ) -> None:
        self._gateway = gateway
        self._request = request
        self._routes = (route, *route.fallbacks)
        self._answer = answer
        self._record = record
        self._started = started
        self._raw = raw
        self._estimate = estimate
        limits = gateway.settings.limits
        self._plan = RetryPlan(limits)
        self._patience_from = started
        recovers = limits.recovery and request.stream and request.output_schema is None
        self._recovery = Recovery(request) if recovers else None
        self._send = answer.send if self._recovery is None and raw is None else self._send_noting

    async def run(self) -> None:
        """Fill the answer. Raises ApiError when nothing more can be tried, also after the answer has begun."""
        last: ApiError | None = None
        for position, route in enumerate(self._routes):
            try:
                upstream = self._gateway.upstream(route.provider_id)
            except ApiError as unusable:
                log.warning("route_unusable", request_id=self._record.request_id, route=str(route))
                last = last or unusable
                continue
            if last is not None:
                self._record.fallbacks += 1
                log.warning(
                    "fallback",
                    request_id=self._record.request_id,
                    from_route=f"{self._record.provider}/{self._record.model}",
                    to_route=str(route),
                )
            last = await self._follow(upstream, route, len(self._routes) - position - 1)
            if last is None:
                return
        assert last is not None
        raise last

    async def _follow(self, upstream: Upstream, route: Route, fallbacks: int) -> ApiError | None:
        """Attempts on one route: None when one has answered, the error when the plan goes on to the next route.

        Raises ApiError when it gives up.
        """
        self._record.provider, self._record.model = route.provider_id, route.model
        overflow = await upstream.context_guard.overflow(self._request, route.model)
        if overflow is not None:
            raise self._api_error(upstream, route, overflow, 0)
        tried = _Tried()
        while True:
            try:
                failed = await self._try(upstream, route, tried)
            except QueueFull as full:
                if self._content_sent or not fallbacks:
                    raise
                return full
            if failed is None:
                return None
            tried.verdicts.append(failed.verdict)
            if self._recovery is not None and self._recovery.takes_over(failed.verdict, self._answer.grammar):
                # The client reads on: from now on all is as for a new request.
                self._patience_from = time.monotonic()
                tried = _Tried(tries=tried.tries, adjustments=tried.adjustments)
                decision: Decision = GoOn()
            else:
                decision = await self._decide(upstream, route, tried, failed.verdict, fallbacks)
            self._log(route, failed, decision)
            if isinstance(decision, Deliver):
                await self._deliver(decision.events)
                return None
            if isinstance(decision, GiveUp):
                raise self._api_error(upstream, route, decisive(tried.verdicts), tried.tries)
            self._answer.restart()
            if isinstance(decision, FallBack):
                return self._api_error(upstream, route, decisive(tried.verdicts), tried.tries)
            self._record.retries += 1
            if isinstance(decision, Resend):
                seeing = self._gateway.seeing(self._request, route)
                if seeing != route:  # what was refused is the image
                    return await self._follow(self._gateway.upstream(seeing.provider_id), seeing, fallbacks)
                tried.adjustments.append(decision.adjustment)
            elif isinstance(decision, Wait):
                tried.waits += 1
                tried.refused.clear()
                await asyncio.sleep(decision.seconds)

    async def _try(self, upstream: Upstream, route: Route, tried: _Tried) -> _Failed | None:
        """One attempt; None when it has answered. Raises QueueFull."""
        request, continuation = self._request, None
        if self._recovery is not None and self._recovery.begun:
            request, continuation = self._recovery.request(), self._recovery.continuation()
        self._answer.grammar.provider = route.provider_id
        attempt = Attempt(
            upstream,
            route,
            self._answer,
            self._send,
            continuation=continuation,
            may_be_last=self._recovery is None and not upstream.learned.wants_count(route.model),
            raw=self._raw,
        )
        key: Key | None = None
        try:
            # Before a slot is taken: a request that has no key shall not cost a place in the window.
            key = await upstream.keys.acquire(route.model, tried.refused)
            async with upstream.throttle.slot() as queued:
                if queued > STALE_AFTER:
                    key = await upstream.keys.acquire(route.model, tried.refused)
                tried.tries += 1
                self._record.key_number = key.number if key is not None else 0
                await attempt.run(request, key, tried.adjustments)
        except NoKeyReady as waiting:
            return _Failed(waiting.verdict, "no_key_ready")
        except AttemptFailed as failed:
            if await attempt.end():
                await self._answer.close()
                return None
            return await self._judge(upstream, route, tried, failed.failure, key)
        grammar = self._answer.grammar
        if continuation is None:
            reported = grammar.usage.prompt_tokens if grammar.prompt_counted else 0
            upstream.note_usage(route.model, request, self._estimate, reported)
        return None

    async def _judge(
        self, upstream: Upstream, route: Route, tried: _Tried, failure: UpstreamFailure, key: Key | None
    ) -> _Failed:
        """What a failure means, for the client, the model and the key."""
        failure.attempt = tried.tries
        verdict = upstream.lane.classify_error(failure)
        upstream.learned.note(route.model, verdict)
        change = verdict.adjustment
        if change is None or change in tried.adjustments:  # otherwise the same key may do, with the change
            await upstream.keys.failed(key, verdict, route.model)
            if key is not None and verdict.rotate_key:
                tried.refused.add(key.number)
        return _Failed(verdict, failure.cause, failure.status, key)

    async def _decide(
        self, upstream: Upstream, route: Route, tried: _Tried, verdict: Verdict, fallbacks: int
    ) -> Decision:
        keys_left, key_ready_in = await upstream.keys.ready(route.model, tried.refused)
        if not keys_left and key_ready_in is None:  # all were tried; one that is limited may be waited for
            key_ready_in = (await upstream.keys.ready(route.model))[1] if verdict.retry else None
        so_far = SoFar(
            elapsed=time.monotonic() - self._patience_from,
            waits=tried.waits,
            adjustments=tuple(tried.adjustments),
            keys_left=keys_left,
            key_ready_in=key_ready_in,
            fallbacks=fallbacks,
            content_sent=self._content_sent,
        )
        return self._plan.decide(verdict, so_far)

    @property
    def _content_sent(self) -> bool:
        """Whether the client has got content that no further attempt can take back."""
        if self._recovery is not None and self._recovery.begun and not self._recovery.got_content:
            return False
        return self._answer.committed and self._answer.grammar.has_content

    async def _deliver(self, events: Sequence[StreamEvent]) -> None:
        """An answer, or the rest of one that has begun, that came in a failure."""
        if not self._content_sent:
            self._answer.restart()
        grammar = self._answer.grammar
        await self._send([*grammar.accept(events), *grammar.finish()])
        await self._answer.close()

    async def _send_noting(self, events: list[StreamEvent]) -> None:
        if self._raw is not None:
            self._raw.sent(events)
        if self._recovery is not None:
            self._recovery.sent(events)
        await self._answer.send(events)

    def _log(self, route: Route, failed: _Failed, decision: Decision) -> None:
        log.warning(
            "attempt_failed",
            request_id=self._record.request_id,
            route=str(route),
            key_number=failed.key.number if failed.key is not None else 0,
            cause=failed.cause,
            status=failed.status,
            verdict=failed.verdict.kind.value,
            decision=type(decision).__name__,
        )

    def _api_error(self, upstream: Upstream, route: Route, verdict: Verdict, tries: int) -> ApiError:
        return api_error(
            verdict,
            provider=upstream.provider,
            model=route.model,
            tries=tries,
            keys=len(upstream.keys),
            prompt_tokens=upstream.learned.tokens_of_size(route.model, self._estimate),
            redact=upstream.redact,
        )
