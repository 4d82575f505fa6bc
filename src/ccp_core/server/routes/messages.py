"""POST /v1/messages: one turn of the conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from multidict import CIMultiDictProxy

from ccp_core.errors import ApiError, ClientGone
from ccp_core.gateway import Gateway
from ccp_core.protocol.events import StreamEvent
from ccp_core.protocol.grammar import Grammar
from ccp_core.protocol.messages import parse_request
from ccp_core.protocol.tokens import estimate
from ccp_core.redact import SECRET_HEADERS
from ccp_core.route import Caller, LocalAnswer, RequestRecord
from ccp_core.server.answer import Answer, CollectedAnswer, StreamedAnswer
from ccp_core.server.errors import failure_of
from ccp_core.server.state import GATEWAY, INTERRUPTION, RECORDED, REQUEST_ID, TOKEN_ROUTE
from ccp_core.upstream.exchange import Exchange
from ccp_core.upstream.raw import RawLog


async def create(request: web.Request) -> web.StreamResponse:
    """Answer a Messages request, as a stream or as JSON."""
    with request.app[GATEWAY].current as gateway:
        return await _create(request, gateway)


async def _create(request: web.Request, gateway: Gateway) -> web.StreamResponse:
    started = time.monotonic()
    parsed = parse_request(await read_body(request), betas_of(request.headers))
    caller = caller_of(request.headers, request.get(TOKEN_ROUTE))
    route = gateway.resolve_route(parsed, caller)
    upstream = gateway.upstream(route.provider_id)
    record = RequestRecord(
        request_id=request[REQUEST_ID],
        session_id=caller.session_id,
        agent_id=caller.agent_id,
        client_model=parsed.model,
        tier=route.tier,
        provider=route.provider_id,
        model=route.model,
        stream=parsed.stream,
        status=200,
        request_bytes=parsed.size,
    )
    estimated = estimate(parsed)
    grammar = Grammar(
        model=parsed.model or route.model,
        provider=route.provider_id,
        prompt_tokens=upstream.learned.tokens_of_size(route.model, estimated),
        show_thinking=route.thinking and parsed.wants_thinking,
    )
    raw = RawLog.of(gateway.settings.logging, record.request_id)
    if raw is not None:
        raw.client_request(parsed.body)
    answer: StreamedAnswer | CollectedAnswer
    if parsed.stream:
        timeouts = gateway.settings.timeouts
        answer = StreamedAnswer(
            request,
            grammar,
            headers=lambda: record.headers,
            commit_after=upstream.commit_after,
            ping=timeouts.ping,
        )
    else:
        answer = CollectedAnswer(grammar)
    request[RECORDED] = True
    try:
        local = upstream.lane.answer_locally(parsed, route, gateway.settings)
        with request.app[INTERRUPTION].possible():
            if local is not None:
                record.answered_locally = local.name
                gateway.local_answers[local.name] += 1
                await _answer_from(local, answer)
            else:
                await Exchange(gateway, parsed, route, answer, record, started, estimated, raw).run()
        if isinstance(answer, CollectedAnswer):
            return answer.response(record.headers)
        await answer.close()
        return answer
    except (ClientGone, asyncio.CancelledError) as error:
        if not (isinstance(answer, StreamedAnswer) and answer.ended):  # then the client may well leave
            record.status, record.error = 499, type(error).__name__
        raise
    except Exception as error:
        # No further name for it: that would close a circle, since its traceback leads to this frame.
        error = failure_of(error, record.request_id, gateway.settings.logging)
        record.status, record.error = error.status, error.error_type
        if isinstance(answer, StreamedAnswer) and answer.prepared:
            await answer.fail(error, record.request_id)
            return answer
        error.headers = {**record.headers, **error.headers}
        raise error from None
    finally:
        if isinstance(answer, StreamedAnswer):
            answer.quiet()
        if raw is not None:
            raw.close()
        _finish(record, answer, started)
        gateway.request_finished(record)


async def read_body(request: web.Request) -> bytes:
    """The body, unpacked. aiohttp's own ``read`` would keep it for as long as the request lasts. Raises ApiError."""
    pieces: list[bytes] = []
    size, limit = 0, request.client_max_size
    try:
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > limit:
                raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=size)
            pieces.append(piece)
    except (web.RequestPayloadError, ValueError) as error:
        raise ApiError(400, "invalid_request_error", f"The request body cannot be read: {error}") from None
    return b"".join(pieces)


def betas_of(headers: CIMultiDictProxy[str]) -> str:
    """What all headers ``anthropic-beta`` say."""
    return ",".join(headers.getall("anthropic-beta", ()))


def caller_of(headers: Mapping[str, str], token_route: str | None) -> Caller:
    """Who asks, without anything that could hold a token."""
    kept = {low: value for name, value in headers.items() if (low := name.lower()) not in SECRET_HEADERS}
    return Caller(
        token_route=token_route,
        session_id=kept.get("x-claude-code-session-id", ""),
        agent_id=kept.get("x-claude-code-agent-id", ""),
        headers=kept,
    )


async def _answer_from(local: LocalAnswer, answer: Answer) -> None:
    grammar = answer.grammar
    rest: list[StreamEvent] = []
    if isinstance(local.events, AsyncIterator):
        async for batch in local.events:
            if legal := grammar.accept(batch):
                await answer.send(legal)
    else:
        rest = grammar.accept(local.events)
    rest += grammar.finish()
    if rest:
        await answer.send(rest)


def _finish(record: RequestRecord, answer: StreamedAnswer | CollectedAnswer, started: float) -> None:
    grammar, usage = answer.grammar, answer.grammar.usage
    if answer.first_sent is not None and not record.answered_locally:
        record.first_token = answer.first_sent - started
    record.duration = time.monotonic() - started
    record.input_tokens = usage.prompt_tokens
    record.output_tokens = usage.output_tokens or 0
    record.cached_tokens = usage.cache_read_input_tokens or 0
    record.stop_reason = grammar.stop_reason
