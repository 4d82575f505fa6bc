"""The JSON of a request, whose tools are parsed once for a session and not once for a turn.

A client declares the same tools in every turn of a session, byte for byte, and they are about half of a usual
request. So the JSON of the latest ones is kept; where it comes again, it is cut out before the rest is parsed,
and the parsed tools are put back: shared by requests, and so never to be changed.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

import orjson

_NAME = b'"tools":'
_MEMBER = _NAME + b"[{"  # a list of objects: parameters in schemas have that name as well
MAX_BYTES = 1024 * 1024
"""Larger declarations are not kept, nor what others make of them: as objects they may take twenty times as much."""

_WORTH = 16
"""Where the rest is so many times as large, to copy it takes longer than to parse the tools."""

STAND_IN = secrets.token_hex(16)
"""Stands for what was cut out of a body. Nobody can guess it, so it comes from nowhere else."""
STAND_IN_JSON = orjson.dumps(STAND_IN)

KEPT = 16
"""How many declarations are kept, the latest: for so many different sessions at a time."""

_known: deque[tuple[bytes, list[Any]]] = deque(maxlen=KEPT)


def loads(data: bytes) -> Any:
    """What ``orjson.loads`` gives. Raises orjson.JSONDecodeError."""
    member = data.rfind(_MEMBER)  # behind the messages, so found sooner from the end
    if member >= 0:
        start = member + len(_NAME)
        for packed, known in _known:
            if data.startswith(packed, start) and len(packed) * _WORTH > len(data):
                body = _without(data, start, start + len(packed))
                if body is not None:
                    body["tools"] = known
                    return body
    body = orjson.loads(data)
    if type(body) is dict and (tools := body.get("tools")) and type(tools) is list:
        body["tools"] = _shared(tools)
    return body


def _without(data: bytes, start: int, end: int) -> Any:
    """The body with the stand-in for its tools; None when what was cut out is not the body's own tools.

    An unescaped quotation mark is never inside a JSON string: what was cut out was a member's value, if of another
    object perhaps.
    """
    try:
        body = orjson.loads(b"".join((data[:start], STAND_IN_JSON, data[end:])))
    except orjson.JSONDecodeError:
        return None  # parsed again as it came, for the place of the error
    return body if type(body) is dict and body.get("tools") == STAND_IN else None


def _shared(tools: list[Any]) -> list[Any]:
    """The list that was there before, where it is known: what was made of it is found again. Otherwise ``tools``."""
    try:
        packed = orjson.dumps(tools)
    except orjson.JSONEncodeError:  # nested too deeply to be written again
        return tools
    for known_packed, known in _known:
        if known_packed == packed:
            return known
    if len(packed) <= MAX_BYTES:
        _known.appendleft((packed, tools))
    return tools
