"""POST /v1/messages/count_tokens: how long a prompt is."""

from __future__ import annotations

import orjson
from aiohttp import web

from ccp_core.server.routes.messages import caller_of, read_request
from ccp_core.server.state import GATEWAY, TOKEN_ROUTE

PAUSE = 0.001
"""Seconds between two portions of a count while others are answered. A delta on its way passes the event loop several
times: so it meets one portion at most."""


async def count(request: web.Request) -> web.Response:
    """Count with the upstream's own counter where it has one, otherwise estimate."""
    with request.app[GATEWAY].current as gateway:
        pause = PAUSE if gateway.busy > 1 else 0.0
        parsed = await read_request(request, pause=pause)
        caller = caller_of(request.headers, request.get(TOKEN_ROUTE))
        route = gateway.resolve_route(parsed, caller)
        tokens = await gateway.upstream(route.provider_id).count_tokens(parsed, route, pause=pause)
    return web.Response(body=orjson.dumps({"input_tokens": tokens}), content_type="application/json")
