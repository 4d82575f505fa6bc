"""JSON as upstreams really send it: raw control characters in strings, and emoji cut in two.

A character outside the basic plane may come as two escapes (``\\ud83d`` and ``\\ude00``), and in two deltas.
Each half alone is no text that could be encoded.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from ccp_core.protocol.events import Json


def loads(data: bytes) -> Any:
    """Parse JSON; halves of surrogate pairs stay in its strings. Raises ValueError when it is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json.loads(data.decode("utf-8", "replace"), strict=False)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def damaged(data: bytes) -> Json | None:
    """The error object that stands for an event which began as a JSON object and is none; None for other data.

    Such an event held a piece of the answer. To go on without it would be a text, or a call, that nobody wrote.
    """
    if not data.lstrip().startswith(b"{"):
        return None
    return {"type": "error", "error": {"type": "api_error", "message": "an event of its stream was damaged"}}


def clean(text: str) -> str:
    """``text`` with the halves of surrogate pairs joined, and replaced where the other half is missing."""
    try:
        text.encode()  # of nearly every text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Halves:
    """Joins characters that were cut in two, across the pieces of one text."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """``text`` as it can be sent; a first half at its end is kept until the second one comes."""
        if self._half:
            text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return clean(text)
