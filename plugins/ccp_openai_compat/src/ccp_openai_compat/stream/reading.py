"""Reading the objects of a chat stream leniently: text, reasoning, counts and ends under all their names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from ccp_core.protocol.events import Json, Usage
from ccp_core.protocol.lenient_json import clean

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")

_IMPOSSIBLE = 2**53
"""A count from here on is no count, and could not be written for every client."""

STOP_REASONS = {
    "stop": "end_turn",
    "eos": "end_turn",
    "end_turn": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
    "tool_calls": "tool_use",
    "tool_use": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
}
"""What an upstream's ``finish_reason`` is called in the Messages API; an unknown one ends the turn."""


def reasoning_of(delta: Json, field: str | None) -> tuple[str, str | None]:
    """The reasoning in a delta and the field it is in; ``field`` is the one that this stream used before.

    Gateways repeat the same reasoning in two fields, so one field counts for the whole stream.
    """
    for name in (field,) if field else _REASONING_FIELDS:
        value = delta.get(name)
        if value:
            text = value if type(value) is str else text_of(value)
            if text:
                return text, name
    return "", field


def text_of(content: Any) -> str:
    """The text of content that is a list of parts (or reasoning details); thinking parts have none here."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    pieces = []
    for part in content:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, dict) and part.get("type") != "thinking":
            piece = part.get("text") or part.get("summary") or part.get("refusal")
            if isinstance(piece, str):
                pieces.append(piece)
    return "".join(pieces)


def thinking_of(content: list[Any]) -> str:
    """The thinking of content that is a list of parts."""
    return "".join(
        text_of(part.get("thinking"))
        for part in content
        if isinstance(part, dict) and part.get("type") == "thinking"
    )


def usage_in(payload: Json) -> Json | None:
    """The usage object of a chunk, wherever this upstream puts it; None when it says nothing."""
    usage = payload.get("usage")
    if not usage:
        beside = payload.get("x_groq")
        usage = beside.get("usage") if isinstance(beside, dict) else None
    return usage if isinstance(usage, dict) and usage else None


def usage_of(raw: Mapping[str, Any]) -> Usage:
    """Counts in the Messages sense: ``prompt_tokens`` includes cached tokens, ``input_tokens`` does not."""
    prompt_details, answer_details = (
        _object(raw, "prompt_tokens_details"),
        _object(raw, "completion_tokens_details"),
    )
    prompt = _count(raw, "prompt_tokens", "input_tokens")
    cached = (
        _count(prompt_details, "cached_tokens")
        or _count(raw, "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
        or 0
    )
    written = _count(prompt_details, "cache_write_tokens", "cache_creation_tokens") or 0
    return Usage(
        input_tokens=None if prompt is None else max(0, prompt - cached - written),
        output_tokens=_count(raw, "completion_tokens", "output_tokens"),
        cache_read_input_tokens=cached or None,
        cache_creation_input_tokens=written or None,
        thinking_tokens=_count(answer_details, "reasoning_tokens") or None,
    )


def error_in(payload: Json) -> bool:
    """Whether a chunk reports an error instead of content: wrapped, flat, or as an API gateway writes it."""
    if payload.get("error"):
        return True
    beside = payload.get("x_groq")
    if isinstance(beside, dict) and beside.get("error"):
        return True
    if "choices" in payload:
        return False
    status = payload.get("status")
    return payload.get("object") == "error" or (
        type(status) is int and status >= 400 and ("title" in payload or "detail" in payload)
    )


def error_of(payload: Any) -> Any:
    """The error in a chunk, in a form that can be written as JSON again."""
    if isinstance(payload, dict) and not payload.get("error") and isinstance(payload.get("x_groq"), dict):
        payload = {"error": {"message": str(payload["x_groq"].get("error"))}}
    try:
        orjson.dumps(payload)
    except TypeError:  # half a surrogate pair in a text
        return orjson.loads(clean(json.dumps(payload, ensure_ascii=False)))
    return payload


def error_status(payload: Any) -> int | None:
    """The HTTP status that an error object names."""
    if not isinstance(payload, dict):
        return None
    inner = payload.get("error")
    places = (payload, inner) if isinstance(inner, dict) else (payload,)
    for place in places:
        for name in ("status_code", "status", "code"):
            value = place.get(name)
            if type(value) is int and 400 <= value < 600:
                return value
    return None


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _count(raw: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = raw.get(name)
        if (type(value) is int or type(value) is float) and 0 <= value < _IMPOSSIBLE:
            return int(value)
    return None
