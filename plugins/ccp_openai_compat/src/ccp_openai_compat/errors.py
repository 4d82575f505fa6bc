"""What only chat upstreams complain about: the core's own reading of errors has the rest.

Each answer here is a change with which the same request is sent once more, and which is remembered for the
model. An error is only believed when the request really holds what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ccp_core.builtins.adjustments import DISPENSABLE
from ccp_core.errors import Adjustment, UpstreamFailure, Verdict, VerdictKind
from ccp_core.protocol.events import Json
from ccp_core.provider import IMAGES
from ccp_openai_compat.reasoning import EFFORTS, KnownEfforts
from ccp_openai_compat.request.body import FILES

_REFUSED = re.compile(
    r"unsupported|not (?:currently )?(?:supported|permitted|allowed|accepted)|(?:no|does not|doesn't) support"
    r"|unknown|unrecognized|unexpected|extra (?:inputs|fields)|forbidden"
)
_TEXT_ONLY = re.compile(
    r"not (?:a )?(?:multi-?modal|vision)|only (?:accepts? |supports? |takes? )?text|expected `?text|that support image"
)
_NO_PARTS = re.compile(r"content\W{0,2} (?:must|should|has to) be a (?:valid )?string")
_BAD_FILE = re.compile(r"format|media.?type|mime|size|dimension|decod|corrupt|base64|download|fetch")
_IMAGE = re.compile(r"image|multi-?modal|vision")
_DOCUMENT = re.compile(r"\bfiles?\b|file_data|\bpdf\b|document")
_MISSING = re.compile(r"\bmissing\b|\brequired\b|must be (?:passed|provided|set)")
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_EFFORT = "reasoning_effort"
_EFFORT_WORD = re.compile(rf"(?<![\w-])({'|'.join((*EFFORTS, 'default'))})(?![\w-])")
_QUOTED_EFFORT = re.compile(rf"[`'\"]({'|'.join((*EFFORTS, 'default'))})[`'\"]")
_USUAL_EFFORTS = ("low", "medium", "high")
_NEEDED = {"max_completion_tokens", "max_tokens", "messages", "model", "stop", "stream", "tools"}


def learn(failure: UpstreamFailure) -> Verdict | None:
    """A verdict with an adjustment for a request that was refused for what it can do without; else None."""
    if failure.status not in (400, 404, 415, 422) or failure.request is None:
        return None
    text, body = failure.error.text, failure.request.body
    if efforts := _efforts(text, body):
        adjustment = Adjustment(replace={_EFFORT: efforts})
    elif path := _dispensable(text, body):
        adjustment = Adjustment(omit=frozenset({path}))
    else:
        return None
    return Verdict(kind=VerdictKind.INVALID_REQUEST, message=failure.error.message, adjustment=adjustment)


def _efforts(text: str, body: Json) -> KnownEfforts | None:
    """The efforts that the model takes, when an error refuses the one that was sent and others would do."""
    sent = body.get(_EFFORT)
    _, named, behind = text.partition(_EFFORT)
    if not named or not isinstance(sent, str):
        return None
    words = {*(_QUOTED_EFFORT.findall(text) or _EFFORT_WORD.findall(behind))}
    if words == {sent}:  # refused, and the others are not named
        words.update(_USUAL_EFFORTS)
    words.discard(sent)
    return KnownEfforts(tuple(sorted(words))) if words else None


def _dispensable(text: str, body: Json) -> str | None:
    """The path of what an error complains about, when the body has it and can do without it."""
    refused = _REFUSED.search(text) is not None
    for field in ("reasoning_content", "reasoning"):  # thinking of earlier turns
        named = re.search(rf"(?<!\w){field}(?!\w)", text) and not _MISSING.search(text)
        if (
            named
            and (refused or field == "reasoning_content")
            and field not in body
            and _in_messages(field, body)
        ):
            return f"messages.{field}"
    for field, other in _OTHER_NAME.items():  # "not the one, use the other": request.body then does
        if refused and field in body and 0 <= text.find(field) < text.find(other):
            return field
    if (refused or _TEXT_ONLY.search(text)) and not _BAD_FILE.search(text):
        parts = set(_part_types(body))
        if "image_url" in parts and _IMAGE.search(text):
            return IMAGES
        if "file" in parts and _DOCUMENT.search(text):
            return FILES
    if _NO_PARTS.search(text) and (parts := set(_part_types(body))):
        return IMAGES if "image_url" in parts else FILES if "file" in parts else None
    return _extra_member(text, body) if refused else None


def _extra_member(text: str, body: Json) -> str | None:
    """A member that only some vendors know and that an error names; of several the one named first."""
    found = {
        match.start(): name
        for name in body.keys() - _NEEDED - set(DISPENSABLE)
        if (match := re.search(rf"(?<!\w){name}(?!\w)", text))
    }
    return found[min(found)] if found else None


def _in_messages(field: str, body: Json) -> bool:
    return any(field in message for message in body.get("messages") or ())


def _part_types(body: Json) -> Iterator[Any]:
    for message in body.get("messages") or ():
        content = message.get("content")
        if isinstance(content, list):
            yield from (part.get("type") for part in content)
