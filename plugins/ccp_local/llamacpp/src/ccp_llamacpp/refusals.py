"""What ``llama-server`` refuses of a request that others take, and what it does not pass on of an answer.

It makes a grammar of the tools' schemas, in which large bounds and some patterns do not fit; some chat templates
cannot even print a list of types. Then the request is sent once more with the plainest schemas.

It reads calls and thinking out of what the model writes, by the model's template. Where that cannot be read the
whole answer is lost, so the model is asked once more: next time it may do better.
"""

from __future__ import annotations

import re
from collections.abc import Generator

from attrs import evolve

from ccp_core.errors import Adjustment, UpstreamFailure, Verdict, VerdictKind
from ccp_core.hookspecs import hookimpl
from ccp_core.protocol.events import Json
from ccp_core.protocol.schema_edit import plain
from ccp_core.provider import IMAGES, BuildOptions, UpstreamRequest

PLAIN_SCHEMAS = "tools.grammar"
"""In ``BuildOptions.omit``: schemas keep what guides the model, and nothing that constrains a grammar."""

_GRAMMAR = re.compile(
    r"parse grammar|initialize samplers|json schema (?:error|conversion)|generate parser|unrecognized schema"
)
_TEMPLATE = re.compile(r"jinja|while executing|chat template|raise_exception")
_UNREAD = "does not match the expected"
_TRIES = 2
_PAUSE = 0.5  # seconds; nothing has to recover
_WAY_ROUND = "if that goes on, start llama-server with --skip-chat-parsing: ccp then reads the calls itself"
_NO_IMAGES = "image input is not supported"


@hookimpl
def ccp_classify_error(failure: UpstreamFailure) -> Verdict | None:
    """The meaning of a failure that only this server has; None for any other."""
    if failure.status not in (400, 500):
        return None
    text, body = failure.error.text, failure.request.body if failure.request is not None else {}
    if _UNREAD in text:
        return Verdict(
            kind=VerdictKind.BROKEN,
            message=f"{failure.error.message}; {_WAY_ROUND}",
            retry=failure.attempt < _TRIES,
            retry_after=_PAUSE,
        )
    if _GRAMMAR.search(text):
        omit = {PLAIN_SCHEMAS} if body.get("tools") else set()
    elif _NO_IMAGES in text:
        omit = {IMAGES}
    elif failure.status == 500 and _TEMPLATE.search(text):
        omit = set()
    else:
        return None
    return Verdict(
        kind=VerdictKind.INVALID_REQUEST,
        message=failure.error.message,
        adjustment=Adjustment(omit=frozenset(omit)) if omit else None,
    )


@hookimpl(wrapper=True)
def ccp_build_request(options: BuildOptions) -> Generator[None, UpstreamRequest, UpstreamRequest]:
    """Send the plainest schemas, in either protocol, once no grammar could be made from better ones."""
    built = yield
    tools = built.body.get("tools")
    if not tools or PLAIN_SCHEMAS not in options.omit:
        return built
    return evolve(built, body={**built.body, "tools": [_plain(tool) for tool in tools]})


def _plain(tool: Json) -> Json:
    function = tool.get("function")
    if isinstance(function, dict):
        return {**tool, "function": {**function, "parameters": plain(function.get("parameters") or {})}}
    return {**tool, "input_schema": plain(tool.get("input_schema") or {})}
