"""Refusals that only a Messages endpoint makes, and what the same request may do without.

Words that all upstreams share are the core's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ccp_anthropic_compat.build import HISTORY
from ccp_core.errors import Adjustment, UpstreamFailure, Verdict, VerdictKind
from ccp_core.provider import IMAGES

_ROLE = re.compile(
    r"messages\W{0,3}\d+\W{0,3}role|role.{0,60}(?:'user'|\"user\"|user,? (?:or|and) assistant)"
    r"|system (?:message|role).{0,40}(?:must be|only|beginning|first|not (?:supported|allowed))"
    r"|roles must alternate|unexpected role|invalid role"
)
_SIGNATURE = re.compile(r"signature.{0,40}(?:invalid|required|in `?thinking|verif)|invalid.{0,20}signature")
_CACHE_CONTROL = re.compile(r"cache_control")
_ACCEPTED = re.compile(r"(?:should|must) be (?:one of )?(?:[`'\"]?\w+[`'\"]?(?:, or |, | or | and )?)+")
"""What a validator lists as accepted, when it says what it refuses."""

_CONTENT = re.compile(r"content|block|\btype\b")
_NO_IMAGES = re.compile(
    r"image.{0,40}not (?:be )?supported|not support.{0,30}image|that support image|image.{0,20}(?:disabled|unsupported)"
)
_THINKING_TYPE = re.compile(r"thinking\W{0,3}(?:type)?.{0,80}")
_NO_THINKING = re.compile(
    r"not support (?:extended )?thinking|(?<!\w)thinking is not (?:supported|available|enabled)"
    r"|(?:unknown|unrecognized|unexpected|unsupported)\b[^.]{0,20}[`'\": ]thinking(?![\w.])"
    r"|(?<!\w)thinking[`'\"]?: (?:extra|unexpected|unknown)"
)
_CANNOT_STOP = re.compile(r"disabled|cannot be (?:turned|switched) off|always (?:on|think)|mandatory")
_TOOL_FIELD = re.compile(r"tools\W{0,3}\d+\W{0,3}(?:custom\W)?([a-z_]+)")
_FORMAT = re.compile(r"output_config\W{0,3}(format|effort|task_budget)")
_NEEDED_BLOCKS = {"text", "tool_use", "tool_result", "image", "thinking"}
_NEEDED_OF_TOOLS = {"name", "input_schema", "description"}


def classify(failure: UpstreamFailure) -> Verdict | None:
    """A verdict with an adjustment for what a Messages endpoint refuses; None for everything else."""
    if failure.status not in (400, 404, 422, 500) or failure.request is None:
        return None
    body: Mapping[str, Any] = failure.request.body
    text = failure.error.text
    adjustment = _adjustment(text, body)
    if adjustment is None:
        return None
    return Verdict(kind=VerdictKind.INVALID_REQUEST, message=failure.error.message, adjustment=adjustment)


def _adjustment(text: str, body: Mapping[str, Any]) -> Adjustment | None:
    messages = body.get("messages")
    messages = messages if isinstance(messages, list) else []
    if _ROLE.search(text) and any(message.get("role") == "system" for message in messages):
        return Adjustment(omit=frozenset({"messages.system"}))
    kinds = set(_kinds(messages))
    if _SIGNATURE.search(text) and kinds & {"thinking", "redacted_thinking"}:
        if _holds_unsigned_thinking(messages):
            return Adjustment(replace={HISTORY: "own"})
        # Other conversations have signatures of their own.
        refused = frozenset({"messages.thinking", "messages.redacted_thinking"})
        return Adjustment(omit=refused, for_this_request=True)
    if _CACHE_CONTROL.search(text) and _holds_cache_marks(body):
        return Adjustment(omit=frozenset({"cache_control"}))
    if adjustment := _thinking(text, body):
        return adjustment
    if field := _FORMAT.search(text):
        name = field[1]
        if name in (body.get("output_config") or {}):
            return Adjustment(omit=frozenset({f"output_config.{name}"}))
    if field := _TOOL_FIELD.search(text):
        name = field[1]
        if name not in _NEEDED_OF_TOOLS and any(name in tool for tool in body.get("tools") or ()):
            return Adjustment(omit=frozenset({f"tools.{name}"}))
    if "image" in kinds and _NO_IMAGES.search(text):
        return Adjustment(omit=frozenset({IMAGES}))
    if _CONTENT.search(text):
        words = set(re.findall(r"\w+", _ACCEPTED.sub("", text)))
        if unknown := (kinds & words) - _NEEDED_BLOCKS:
            return Adjustment(omit=frozenset(f"messages.{kind}" for kind in unknown))
    return None


def _thinking(text: str, body: Mapping[str, Any]) -> Adjustment | None:
    """The other way of asking for thinking, when this one was refused; or nothing, when all of it was."""
    asked = (body.get("thinking") or {}).get("type")
    if asked is None or not _THINKING_TYPE.search(text):
        return None
    other = "enabled" if asked == "adaptive" else "adaptive"
    if asked == "adaptive" and asked in text:
        return Adjustment(replace={"thinking.type": other})
    if asked == "enabled" and re.search(
        r"thinking.type.{0,20}enabled.{0,40}not supported|use .{0,20}adaptive", text
    ):
        return Adjustment(replace={"thinking.type": other})
    if _NO_THINKING.search(text) or (asked == "disabled" and _CANNOT_STOP.search(text)):
        return Adjustment(omit=frozenset({"thinking"}))
    return None


def _holds_unsigned_thinking(messages: list[Any]) -> bool:
    """Whether thinking was sent whose signature this endpoint has not made."""
    return any(
        block.get("type") == "thinking" and not block.get("signature")
        for message in messages
        if isinstance(message.get("content"), list)
        for block in message["content"]
    )


def _kinds(messages: list[Any]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            yield block.get("type", "")
            if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
                for part in block["content"]:
                    yield part.get("type", "")


def _holds_cache_marks(body: Mapping[str, Any]) -> bool:
    places: list[Any] = [*(body.get("system") or ()), *(body.get("tools") or ())]
    for message in body.get("messages") or ():
        places += message.get("content") or ()
    return any(isinstance(place, dict) and "cache_control" in place for place in places)
