"""A long conversation's JSON, parsed in portions: others have their turn on the event loop in between.

It is cut between messages. That a cut stands there, and not somewhere in a message, shows when the portions are
parsed: a portion that holds the beginning of a message and not its end is no JSON.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import orjson

from ccp_core.protocol import known_tools
from ccp_core.protocol.known_tools import STAND_IN, STAND_IN_JSON

_MESSAGES = b'"messages":['
_BETWEEN = b'},{"role":'
_BYTES = 32 * 1024
"""Of a portion, which takes a tenth of a millisecond."""


def loads(data: bytes) -> Generator[None, None, Any]:
    """What ``orjson.loads`` gives, after some ``yield``; None for what cannot be parsed in this way."""
    begin = data.find(_MESSAGES) + len(_MESSAGES)
    if begin < len(_MESSAGES):
        return None
    start = begin
    messages: list[Any] = []
    try:
        while (end := data.find(_BETWEEN, start + _BYTES) + 1) > 0:
            messages += orjson.loads(b"[%b]" % data[start:end])
            start = end + 1
            yield
        if not messages:
            return None
        body = known_tools.loads(b"%b%b,%b" % (data[:begin], STAND_IN_JSON, data[start:]))
    except orjson.JSONDecodeError:
        return None
    rest = body.get("messages") if type(body) is dict else None
    if type(rest) is not list or rest[:1] != [STAND_IN]:  # these were messages of another object
        return None
    body["messages"] = messages + rest[1:]
    yield
    return body
