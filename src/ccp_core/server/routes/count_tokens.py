"""POST /v1/messages/count_tokens: how long a prompt is."""

from __future__ import annotations

import orjson
from aiohttp import web

from ccp_core.server.routes.messages import betas_of, caller_of, read_body
from ccp_core.server.state import COUNTING, GATEWAY, TOKEN_ROUTE


async def count(request: web.Request) -> web.Response:
    """Count with the upstream's own counter where it has one, otherwise estimate."""
    with request.app[GATEWAY].current as gateway:
        counting = request.app[COUNTING]
        asked, estimated = await counting.count(await read_body(request), betas_of(request.headers))
        route = gateway.resolve_route(asked, caller_of(request.headers, request.get(TOKEN_ROUTE)))
        tokens = await gateway.upstream(route.provider_id).count_tokens(asked, route, estimated)
    return web.Response(body=orjson.dumps({"input_tokens": tokens}), content_type="application/json")
