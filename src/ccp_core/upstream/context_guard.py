"""Prompts that are too long for what is known of the model are refused here, in words that make the client compact.

Most upstreams refuse them themselves, and count better. So only what is surely too long is refused before it is sent:
that saves sending megabytes for nothing, and works with servers whose own words nobody knows.

Some local servers drop the beginning of a prompt that does not fit into the context with which the model was loaded.
The client never learns of it, and the model forgets its instructions. For them the estimate decides, and the loaded
context is looked up anew, since models are loaded with other settings. Where nothing is known, nothing is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from ccp_core.errors import Verdict, VerdictKind
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.tokens import count
from ccp_core.upstream import catalogue

if TYPE_CHECKING:
    from ccp_core.upstream.upstream import Upstream

log = structlog.get_logger("ccp.context")

LOOK_UP_TIMEOUT = 1.0
"""Seconds that looking up the loaded context may take; then the request goes on with what is known."""

FRESH = 30.0
"""Seconds after which a known context is looked up again: models are loaded anew with other settings."""

RETRY = 3.0
"""The same for an unknown one: the first request to a server is what loads the model."""

ANSWER = 1024
"""Tokens that must be left for an answer, unless fewer were asked for."""

_SHARE = 0.9
"""The part of the context that a prompt may fill where the server cuts: its length is an estimate."""

_SURELY = 1.25
"""An estimate of so many times the context is too long even if it is wrong."""

_BYTES = 2
"""A token takes at least so many bytes of a request."""


class ContextGuard:
    """Judges the prompts for one provider. ``clock`` gives monotonic seconds."""

    def __init__(self, upstream: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._clock = clock
        self._looked_up = -FRESH
        self._looking_up = asyncio.Lock()

    async def overflow(self, request: MessagesRequest, model: str) -> Verdict | None:
        """The verdict on a prompt that the model would not get whole; None for one that it may get."""
        spec = self._upstream.provider.spec
        if spec.silent_truncation or (spec.local and self._prompt_too_long(request, model)):
            await self._look_up(model)
        prompt = self._prompt_too_long(request, model)
        if not prompt:
            return None
        window = self._upstream.card(model).context_window
        log.warning(
            "prompt_does_not_fit",
            provider=self._upstream.provider.id,
            model=model,
            prompt_tokens=prompt,
            context_window=window,
        )
        return Verdict(kind=VerdictKind.OVERFLOW, prompt_tokens=prompt, context_window=window)

    def fits(self, model: str, estimated: int) -> bool:
        """Whether a prompt of about ``estimated`` tokens surely reached the model whole."""
        if not self._upstream.provider.spec.silent_truncation:
            return True
        window = self._upstream.card(model).context_window
        return window is not None and estimated <= window * _SHARE

    def _prompt_too_long(self, request: MessagesRequest, model: str) -> int:
        """The tokens of a prompt that does not fit into what is known of the model's context; else 0."""
        window = self._upstream.card(model).context_window
        if window is None:
            return 0
        if self._upstream.provider.spec.silent_truncation:
            room = int(window * _SHARE) - min(request.max_tokens or ANSWER, ANSWER)
        else:
            room = int(window * _SURELY)
        if request.size // _BYTES <= room:  # nearly all of them need no counting
            return 0
        prompt = self._upstream.learned.tokens(model, count(request.body))
        return prompt if prompt > room else 0

    async def _look_up(self, model: str) -> None:
        if self._is_fresh(model):
            return
        async with self._looking_up:  # of requests that come at once, one asks for all
            if not self._is_fresh(model):
                await catalogue.refresh(self._upstream, LOOK_UP_TIMEOUT)
                self._looked_up = self._clock()

    def _is_fresh(self, model: str) -> bool:
        known = self._upstream.card(model).context_window is not None
        return self._clock() - self._looked_up < (FRESH if known else RETRY)
