"""Who may use the proxy: the token, and the Host header on a loopback address."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping

from ccp_core.config.validators import is_loopback
from ccp_core.errors import ApiError
from ccp_core.protocol.lenient_json import clean
from ccp_core.route import split_model

TOKEN_HEADERS = ("x-api-key", "authorization", "anthropic-auth-token")


def authenticate(headers: Mapping[str, str], token: str, providers: Collection[str]) -> str | None:
    """Check the client's token and return the route that follows it (``TOKEN:provider/model``), if any.

    With ``token`` blank nobody is refused, and a route counts when it names one of ``providers``.
    Raises ApiError when no header holds the token. 403 and not 401: the client takes 401 for its own login, tries
    for three minutes, and hides the text.
    """
    candidates = [value for name in TOKEN_HEADERS if (value := _token(name, headers.get(name)))]
    if not token:
        for candidate in candidates:
            route = candidate.partition(":")[2]
            pair = split_model(route)
            if pair is not None and pair[0] in providers:
                return route
        return None
    for candidate in candidates:
        if _equal(candidate, token):
            return None
    for candidate in candidates:
        if candidate[len(token) : len(token) + 1] == ":" and _equal(candidate[: len(token)], token):
            return candidate[len(token) + 1 :]
    sent = "another token was sent" if candidates else "no token was sent"
    raise ApiError(
        403,
        "permission_error",
        f"This proxy asks for a token, and {sent}. Set ANTHROPIC_AUTH_TOKEN for Claude Code to the value of"
        " server.auth_token (ANTHROPIC_AUTH_TOKEN) that the proxy was started with.",
        {"x-should-retry": "false"},
    )


def _token(header: str, value: str | None) -> str:
    if not value:
        return ""
    value = clean(value)  # a header may hold bytes that are no text
    if header == "authorization":
        scheme, _, rest = value.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else ""
    return value.strip()


def _equal(left: str, right: str) -> bool:
    # Constant time: an attacker who measures must not find the token letter by letter.
    return hmac.compare_digest(left.encode(), right.encode())


def check_host(header: str | None, allowed: Collection[str]) -> None:
    """Refuse a Host header that does not mean this machine (DNS rebinding: a web page that names us as its own host).

    Only for a proxy that listens on a loopback address. Raises ApiError.
    """
    if header is None:
        return
    host = header
    if not header.endswith("]"):
        name, colon, port = header.rpartition(":")
        if colon and port.isdigit():
            host = name
    if not is_loopback(host) and host.lower() not in allowed:
        raise ApiError(
            403,
            "permission_error",
            f"The Host header {host[:100]!r} is not this machine. To reach the proxy under that name, add it to"
            " server.allowed_hosts in ccp.toml.",
            {"x-should-retry": "false"},
        )
