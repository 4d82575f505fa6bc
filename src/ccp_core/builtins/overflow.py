"""Recognising "the prompt is too long" in whatever words an upstream says it, and reading the numbers.

The numbers tell apart a prompt that does not fit (the client must compact) from one that fits but leaves
no room for the ``max_tokens`` that were asked for (the same request is sent again with fewer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ccp_core.builtins.error_words import LINK, RATE
from ccp_core.errors import UpstreamErrorFields

_CODES = frozenset(
    {
        "context_length_exceeded",
        "context_window_exceeded",
        "model_context_window_exceeded",
        "exceed_context_size_error",
        "request_too_large",
        "string_too_long",
    }
)

_WORDS = re.compile(
    r"maximum context length|context length of only"
    r"|context[ _](?:length|window|size|limit)[^.]{0,40}exceed"
    r"|exceed[^.]{0,60}context[ _](?:length|window|size|limit)"
    r"|(?:longer|greater|larger) than the (?:model'?s? )?(?:maximum )?context (?:length|size|window)"
    r"|prompt (?:is )?too (?:long|large)|input (?:is )?too long"
    r"|input token length too long|input (?:length|tokens?)[^.]{0,30}exceed|exceeded model token limit"
    r"|total message size \d+ exceeds"
    r"|reduce the length of (?:the |your )?(?:messages|input|prompt|either)"
    r"|max_tokens must be at least 1, got -"
    r"|inputs`? tokens \+ `?max_new_tokens`? must be"
    r"|must be (?:less than|below|smaller than|at most)[^.]{0,60}context[ _](?:length|window|size|limit)"
    r"|request (?:entity |body )?(?:is )?too large"
)
_OR_ANSWER = re.compile(
    r"\bor (?:the )?completion|max_(?:completion_|new_)?tokens\b(?! must be at least 1, got -)"
)

_N = r"(\d[\d,]{0,14})"
_PROMPT = [
    re.compile(pattern.replace("N", _N))
    for pattern in (
        r"\(N (?:of text input|in the messages|in the prompt)",
        r"contains at least N input tokens",
        r"your request has N input tokens",
        r"N tokens from the input messages",
        r"(?:messages|prompt|input|request) resulted in N tokens",
        r"(?:input|request) \(N tokens\)",
        r"keep the first N tokens",
        r"prompt is too long:? N",
        r"current length is N",
        r"given:? N `?inputs`? tokens",
        r"context limit: N \+",
        r"input token count (?:of )?\(?N",
        r"\(requested:? N\)",
    )
]
_WINDOW = [
    re.compile(pattern.replace("N", _N))
    for pattern in (
        r"maximum context length(?: of| is|:)? N",
        r"context (?:length|size|window) \(N",
        r"context length of only N",
        r"token limit: N",
        r"> N maximum",
        r"while limit is N",
        r"must be <= N",
        r"\+ \d+ > N",
        r"(?:maximum number of tokens allowed|configured limit(?: of)?) \(?N",
    )
]


@frozen
class Overflow:
    """A prompt too large for the model. Figures are tokens; None where the upstream does not say."""

    prompt_tokens: int | None = None
    context_window: int | None = None
    or_answer: bool = False
    """The answer that was asked for may be what is too long: the upstream speaks of both, and gives no figures."""

    @property
    def room(self) -> int:
        """Tokens left for an answer; 0 where the prompt itself does not fit, or a figure is missing."""
        if self.prompt_tokens is None or self.context_window is None:
            return 0
        # Upstreams count "about": stay a little below.
        return max(0, self.context_window - self.prompt_tokens - max(16, self.prompt_tokens // 200))


def detect_overflow(error: UpstreamErrorFields) -> Overflow | None:
    """What ``error`` says of an overflow; None when it is about something else."""
    text = LINK.sub("", error.text)
    # Tokens per minute are a rate, however large the single request was: compacting would not help.
    if RATE.search(text):
        return None
    if error.code.lower() in _CODES or error.type.lower() in _CODES or _WORDS.search(text):
        prompt = _integer(error.raw, "n_prompt_tokens") or _first(_PROMPT, text)
        window = _integer(error.raw, "n_ctx") or _first(_WINDOW, text)
        return Overflow(
            prompt, window, prompt is None and _OR_ANSWER.search(error.message.lower()) is not None
        )
    return None


def _first(patterns: list[re.Pattern[str]], text: str) -> int | None:
    for pattern in patterns:
        if found := pattern.search(text):
            return int(found[1].replace(",", ""))
    return None


def _integer(raw: Mapping[str, Any], name: str) -> int | None:
    value = raw.get(name)
    return value if type(value) is int and value > 0 else None
