"""The aiohttp application: routes, one middleware that makes every error Anthropic-shaped, start and stop."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from aiohttp import web

from ccp_core.config.validators import is_loopback
from ccp_core.errors import ApiError, ClientGone
from ccp_core.gateway import Gateway
from ccp_core.protocol.messages import InvalidRequest
from ccp_core.server import control
from ccp_core.server.auth import authenticate, check_host
from ccp_core.server.counting import Counting
from ccp_core.server.errors import error_response, failure_of
from ccp_core.server.routes import count_tokens, health, messages, models
from ccp_core.server.state import (
    COUNTING,
    GATEWAY,
    INTERRUPTION,
    RECORDED,
    REQUEST_ID,
    TOKEN_ROUTE,
    GatewayHolder,
    Interruption,
)

log = structlog.get_logger("ccp.server")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(gateway: Gateway) -> web.Application:
    """The application that serves ``gateway``; it starts and closes it."""
    app = web.Application(
        middlewares=[errors_as_json], client_max_size=gateway.settings.server.max_body_bytes
    )
    app[GATEWAY] = GatewayHolder(gateway)
    app[INTERRUPTION] = Interruption()
    app[COUNTING] = Counting()
    app.cleanup_ctx.append(_running)
    add = app.router.add_route
    add("POST", "/v1/messages", messages.create)
    add("POST", "/v1/messages/count_tokens", count_tokens.count)
    add("GET", "/v1/models", models.index)
    add("GET", "/v1/models/{model:.+}", models.show)
    add("GET", "/health", health.health)
    add("POST", control.RELOAD_PATH, control.reload)
    app.router.add_get("/", health.root)
    gateway.host.each("ccp_configure_app", app=app, settings=gateway.settings)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    await app[GATEWAY].current.start()
    yield
    await app[COUNTING].close()
    await app[GATEWAY].close()


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every request an id, check who asks, and turn whatever is raised into Anthropic's error shape."""
    request_id = "req_" + secrets.token_hex(12)
    request[REQUEST_ID] = request_id
    gateway = request.app[GATEWAY].current
    server = gateway.settings.server
    try:
        if is_loopback(server.host):
            check_host(request.headers.get("host"), server.allowed_hosts)
        if request.path.startswith("/v1/"):
            request[TOKEN_ROUTE] = authenticate(request.headers, server.auth_token, gateway.provider_ids)
        response = await handler(request)
    except ApiError as error:
        response = _refusal(error, request)
    except InvalidRequest as error:
        response = _refusal(ApiError(400, "invalid_request_error", str(error)), request)
    except web.HTTPException as error:
        response = _refusal(_http_error(error, request), request)
    except ClientGone:
        raise ConnectionResetError from None  # aiohttp then only closes the connection
    except Exception as error:
        response = error_response(failure_of(error, request_id, gateway.settings.logging), request_id)
    if not response.prepared:
        response.headers["request-id"] = request_id
    return response


def _refusal(error: ApiError, request: web.Request) -> web.Response:
    """The answer of an error, which has its line in the log, be it that of the record that was made of the request."""
    if RECORDED not in request:
        log.info("refused", request_id=request[REQUEST_ID], status=error.status, error=error.error_type)
    return error_response(error, request[REQUEST_ID])


def _http_error(error: web.HTTPException, request: web.Request) -> ApiError:
    match error.status:
        case 404:
            hint = ""
            if request.path.startswith("/v1/v1/"):
                hint = " ANTHROPIC_BASE_URL must be the proxy's root, without /v1: Claude Code appends it itself."
            return ApiError(404, "not_found_error", f"There is nothing at {request.path[:200]!r}.{hint}")
        case 405:
            return ApiError(
                405, "invalid_request_error", f"{request.method} is not allowed at {request.path[:200]!r}."
            )
        case 413:
            limit = request.app[GATEWAY].current.settings.server.max_body_bytes
            return ApiError(413, "request_too_large", f"The request is larger than {limit} bytes.")
        case _:
            error_type = "invalid_request_error" if error.status < 500 else "api_error"
            return ApiError(error.status, error_type, error.reason)
