"""The environment with which Claude Code uses the proxy. What a variable does was measured on the client itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ccp_core.routing import TIERS, tier_of

ANY_TOKEN = "freecc"  # noqa: S105 - what clients send to a proxy that asks for none; they insist on some token
"""The token for a proxy without one."""

_LEAST_WINDOW = 100_000
"""Tokens. The client takes a smaller CLAUDE_CODE_AUTO_COMPACT_WINDOW for this, and says so at each start."""

_ANSWER_RESERVE = 20_000
"""Tokens that the client keeps free of the window for its answer."""

_COMPACT_AT = 0.8
"""The part of a small window at which the conversation is compacted; the summary needs the rest."""

_ELSEWHERE = (
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
"""Variables that would send the client's requests, or another key, past the proxy."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def token_for(auth_token: str, route: str = "") -> str:
    """The token to send; with ``route`` (``provider/model``), one that chooses the model of its session."""
    token = auth_token or ANY_TOKEN
    return f"{token}:{route}" if route else token


def client_variables(url: str, token: str, window: int | None = None) -> dict[str, str]:
    """What a client of the proxy at ``url`` needs. ``window``: the model's context window in tokens."""
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": token,
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        **_window_variables(window),
    }


def _window_variables(window: int | None) -> dict[str, str]:
    if not window:
        return {}
    variables = {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(max(window, _LEAST_WINDOW))}
    if window < _LEAST_WINDOW:
        percent = int(100 * _COMPACT_AT * window / (_LEAST_WINDOW - _ANSWER_RESERVE))
        variables["CLAUDE_AUTOCOMPACT_PCT_OVERRIDE"] = str(max(1, percent))
    return variables


def child_environment(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """``environ`` for a client that is started with ``variables``; what the person set for compaction stays."""
    own = {name: value for name, value in environ.items() if name not in _ELSEWHERE}
    kept = {name for name in own if name.startswith("CLAUDE_") and name in variables}
    child = {**own, **{name: value for name, value in variables.items() if name not in kept}}
    if any(name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in child):
        for name in ("NO_PROXY", "no_proxy"):
            child[name] = _with_loopback(child.get(name) or child.get("NO_PROXY") or "")
    return child


def _with_loopback(no_proxy: str) -> str:
    hosts = [host.strip() for host in no_proxy.split(",") if host.strip()]
    return ",".join([*hosts, *(host for host in _LOOPBACK if host not in hosts)])


def session_tiers(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """The tiers whose models a session may use for its conversation: the one asked for, or those one can switch to."""
    model = environ.get("ANTHROPIC_MODEL", "")
    for position, argument in enumerate(arguments):
        if argument == "--model" and position + 1 < len(arguments):
            model = arguments[position + 1]
        elif argument.startswith("--model="):
            model = argument.partition("=")[2]
    return (tier_of(model),) if model else tuple(tier for tier in TIERS if tier != "haiku")
