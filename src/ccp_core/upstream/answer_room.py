"""How long an answer can be: what was asked for, where the model's own figures leave room for it.

An upstream refuses a request whose prompt fits but leaves no room for ``max_tokens``. Where the figures are known
it is asked for fewer at once; where they are not, its refusal tells them.
"""

from __future__ import annotations

from collections.abc import Callable

from ccp_core.protocol.messages import MessagesRequest

MIN_ANSWER = 1024
"""Tokens. Where fewer are left the upstream is to say that the prompt is too long, and the client compacts."""

_BYTES = 2
"""A token takes at least so many bytes of a request; most take about four."""

_MARGIN = 20
"""A twentieth of the prompt is left free, because its length is an estimate."""


def answer_cap(
    request: MessagesRequest, max_output: int | None, window: int | None, prompt_tokens: Callable[[], int]
) -> int | None:
    """Tokens that the answer may have at most, where these are fewer than were asked for; otherwise None.

    ``max_output`` and ``window`` are the model's, in tokens, where they are known. ``prompt_tokens`` counts the
    prompt, which takes time: it is called where the answer may be too long.
    """
    asked = request.max_tokens
    if asked is None:
        return None
    cap = min(asked, max_output or asked)
    if window is not None and cap + request.size // _BYTES > window:
        prompt = prompt_tokens()
        room = window - prompt - prompt // _MARGIN
        if room >= MIN_ANSWER:
            cap = min(cap, room)
    return cap if cap < asked else None
