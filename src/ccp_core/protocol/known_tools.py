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
from attrs import define

_NAME = b'"tools":'
_MEMBER = _NAME + b"[{"  # a list of objects: parameters in schemas have that name as well
MAX_BYTES = 1024 * 1024
"""Larger declarations are not kept, nor what others make of them: as objects they may take twenty times as much."""

_WORTH = 16
"""Where the rest is so many times as large, to copy it takes longer than to parse the tools."""

_STAND_IN = secrets.token_hex(16)
"""Stands for what was cut out of a body. Nobody can guess it, so it comes from nowhere else."""
_STAND_IN_JSON = orjson.dumps(_STAND_IN)

KEPT = 16
"""How many declarations are kept, the latest: for so many different sessions at a time."""


@define(eq=False)
class _Declaration:
    packed: bytes
    tools: list[Any]
    from_end: int = 0
    """Bytes from its beginning to the end of the body in which it was found last: the next one often ends alike."""


_known: deque[_Declaration] = deque(maxlen=KEPT)


def loads(data: bytes) -> Any:
    """What ``orjson.loads`` gives. Raises orjson.JSONDecodeError."""
    known = _declared_in(data)
    if known is not None and len(known.packed) * _WORTH > len(data):
        start = len(data) - known.from_end
        body = _without(data, start, start + len(known.packed))
        if body is not None:
            body["tools"] = known.tools
            return body
    body = orjson.loads(data)
    if type(body) is dict and (tools := body.get("tools")) and type(tools) is list:
        body["tools"] = _shared(tools)
    return body


def _declared_in(data: bytes) -> _Declaration | None:
    """The known declaration that seems to be in a body, ``from_end`` bytes from its end."""
    size = len(data)
    for known in _known:
        if data.startswith(known.packed, size - known.from_end):
            return known
    member = data.rfind(_MEMBER)  # behind the messages, so found sooner from the end
    if member >= 0:
        start = member + len(_NAME)
        for known in _known:
            if data.startswith(known.packed, start):
                known.from_end = size - start
                return known
    return None


def _without(data: bytes, start: int, end: int) -> Any:
    """The body with the stand-in for its tools; None when what was cut out is not the body's own tools.

    An unescaped quotation mark is never inside a JSON string: what was cut out was a member's value, if of another
    object perhaps.
    """
    try:
        body = orjson.loads(b"".join((data[:start], _STAND_IN_JSON, data[end:])))
    except orjson.JSONDecodeError:
        return None  # parsed again as it came, for the place of the error
    return body if type(body) is dict and body.get("tools") == _STAND_IN else None


def _shared(tools: list[Any]) -> list[Any]:
    """The list that was there before, where it is known: what was made of it is found again. Otherwise ``tools``."""
    try:
        packed = orjson.dumps(tools)
    except orjson.JSONEncodeError:  # nested too deeply to be written again
        return tools
    for known in _known:
        if known.packed == packed:
            return known.tools
    if len(packed) <= MAX_BYTES:
        _known.appendleft(_Declaration(packed, tools))
    return tools
