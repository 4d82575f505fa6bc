"""What to do after a failed attempt: a pure function of the verdict and of what was tried so far.

Rules, the first that applies decides:

1. A failure that holds an answer is one.
2. Once content has reached the client, nothing is tried again.
3. A change with which the request may be accepted is tried at once, each change once.
4. Where another key may do, it is taken at once; a key that is cooling is waited for.
5. What may pass is waited for: as long as the upstream says, else longer each time. Where nothing has to be waited for
   (a connection was lost, as an idle one is when the upstream just closes it) the first further try comes at once.
6. A wait that ends after ``limits.retry_total``, or one more than ``limits.retries``, is not begun.
7. What is left goes to the next route. An overflow does not: the client shall compact its conversation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

from ccp_core.config.settings import LimitSettings
from ccp_core.errors import Adjustment, Verdict, VerdictKind
from ccp_core.protocol.events import StreamEvent

MAX_ADJUSTMENTS = 4
"""Changes that are tried for one request."""


@frozen
class Wait:
    """Try again after so many seconds."""

    seconds: float


@frozen
class Rotate:
    """Try again at once, with another key."""


@frozen
class Resend:
    """Try again at once, with the request changed."""

    adjustment: Adjustment


@frozen
class Deliver:
    """Give the client the answer that the failure holds."""

    events: Sequence[StreamEvent]


@frozen
class GoOn:
    """Ask the model at once to go on with its answer."""


@frozen
class FallBack:
    """Go on with the next route."""


@frozen
class GiveUp:
    """Tell the client."""


Decision: TypeAlias = Wait | Rotate | Resend | Deliver | GoOn | FallBack | GiveUp


@frozen(kw_only=True)
class SoFar:
    """What has been tried for one request on one route, the failed attempt included."""

    elapsed: float = 0.0
    """Seconds since the request came, over all routes."""
    waits: int = 0
    """Tries that began after a Wait."""
    adjustments: tuple[Adjustment, ...] = ()
    """Changes that were tried."""
    keys_left: int = 0
    """Keys that can be used now and have not been refused for this request."""
    key_ready_in: float | None = None
    """Seconds until the first such key has cooled down; None when there is none."""
    fallbacks: int = 0
    """Routes that are left."""
    content_sent: bool = False


class RetryPlan:
    """Decides after each failure. ``jitter`` gives numbers from 0 to 1: many clients must not act as one."""

    def __init__(self, limits: LimitSettings, jitter: Callable[[], float] = random.random) -> None:
        self._limits = limits
        self._jitter = jitter

    def decide(self, verdict: Verdict, so_far: SoFar) -> Decision:
        """What to do after a failure that means ``verdict``."""
        if verdict.answer:
            return Deliver(verdict.answer)
        if so_far.content_sent:
            return GiveUp()
        change = verdict.adjustment
        if change and change not in so_far.adjustments and len(so_far.adjustments) < MAX_ADJUSTMENTS:
            return Resend(change)
        if verdict.rotate_key and so_far.keys_left and so_far.elapsed < self._limits.retry_total:
            return Rotate()
        wait = self._wait(verdict, so_far)
        if wait is not None:
            return Wait(wait)
        if so_far.fallbacks and verdict.kind is not VerdictKind.OVERFLOW:
            return FallBack()
        return GiveUp()

    def _wait(self, verdict: Verdict, so_far: SoFar) -> float | None:
        """Seconds to wait before the next try; None when there is none."""
        limits = self._limits
        if so_far.waits >= limits.retries:
            return None
        asked = so_far.key_ready_in if verdict.rotate_key else None
        if asked is None:
            if not verdict.retry:
                return None
            asked = verdict.retry_after
            if asked == 0.0 and so_far.waits:
                asked = None
        if asked is not None:
            if so_far.elapsed + asked > limits.retry_total:
                return None
            # Later than asked, never earlier.
            return asked + min(1.0, asked / 10) * self._jitter()
        backoff = min(limits.retry_base * 2.0**so_far.waits, limits.retry_max)
        backoff *= 0.75 + 0.5 * self._jitter()
        return backoff if so_far.elapsed + backoff <= limits.retry_total else None


def decisive(verdicts: Sequence[Verdict]) -> Verdict:
    """Of the verdicts on the attempts of one request, in order, the one to tell the client.

    The last one, unless that only says that a key is bad while another key was merely limited for now.
    """
    last = verdicts[-1]
    if last.rotate_key and not last.retry:
        return next((verdict for verdict in reversed(verdicts) if verdict.rotate_key and verdict.retry), last)
    return last
