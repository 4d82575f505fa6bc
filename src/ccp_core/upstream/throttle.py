"""How many requests a provider gets: so many at once, and so many in any window of time.

Theory of operation: requests queue in the order of their coming. The first of the queue takes a free slot,
then a place in the window, and goes; the others wait behind it, so none is overtaken. The slot is given back
when the request ends, however it ends; a place in the window comes back by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

from ccp_core.errors import ApiError
from ccp_core.upstream.storage import ProcessStorage, Storage

MAX_SLOW_DOWN = 60.0
"""Seconds. An allowance that takes longer to come back (a day's, say) is for the upstream to refuse."""

# On the way to the upstream one request may be quicker than another: the window is a little longer.
_MARGIN = 0.1
_MAX_MARGIN = 0.25


class QueueFull(ApiError):
    """More requests wait for a provider than may; the client is told to come again."""

    def __init__(self, name: str, waiting: int) -> None:
        super().__init__(
            529,
            "overloaded_error",
            f"The queue for {name} is full ({waiting} waiting). If it allows more, raise its rate"
            " (PROVIDER_RATE_LIMIT, limits.rate), concurrency (PROVIDER_MAX_CONCURRENCY, limits.concurrency)"
            " or limits.queue.",
        )


class Throttle:
    """The slots, the window and the queue of one provider.

    ``rate`` requests in any ``window`` seconds, ``concurrency`` at once; 0 or None means no limit. At most
    ``queue`` requests wait. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        rate: int | None = None,
        window: float = 1.0,
        concurrency: int | None = None,
        queue: int = 100,
        storage: Storage | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._rate = rate or 0
        self._window = window + min(window * _MARGIN, _MAX_MARGIN)
        self._concurrency = concurrency or 0
        self._queue = queue
        self._storage: Storage = storage if storage is not None else ProcessStorage()
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._free = asyncio.Semaphore(self._concurrency)
        self._not_before = 0.0
        self.in_flight = 0
        """Requests that hold a slot."""
        self.waiting = 0
        """Requests in the queue."""

    def slot(self) -> Slot:
        """A place for one request: ``async with throttle.slot() as queued:`` (seconds). Raises QueueFull."""
        return Slot(self)

    def slow_down(self, seconds: float) -> None:
        """Send nothing for so many seconds: the provider's allowance is used up (retry_after.hold_off)."""
        if 0 < seconds <= MAX_SLOW_DOWN:
            self._not_before = max(self._not_before, self._clock() + seconds)

    async def enter(self) -> float:
        """Wait for a slot and a place, for so many seconds; ``leave`` must follow. Raises QueueFull."""
        began = self._clock()
        queued = 0.0
        if self._concurrency or self._rate or self._not_before > began:
            await self._enter_in_turn()
            queued = self._clock() - began
        self.in_flight += 1
        return queued

    def leave(self) -> None:
        """Give the slot back."""
        self.in_flight -= 1
        if self._concurrency:
            self._free.release()

    async def _enter_in_turn(self) -> None:
        if self.waiting >= self._queue and (self.waiting or (self._concurrency and self._free.locked())):
            raise QueueFull(self._name, self.waiting)
        self.waiting += 1
        try:
            async with self._turn:
                if self._concurrency:
                    await self._free.acquire()
                try:
                    await self._take_place()
                except BaseException:
                    if self._concurrency:
                        self._free.release()
                    raise
        finally:
            self.waiting -= 1

    async def _take_place(self) -> None:
        while True:
            wait = self._not_before - self._clock()
            if wait <= 0:
                if not self._rate:
                    return
                wait = await self._storage.admit(self._name, self._rate, self._window)
                if wait <= 0:
                    return
            if not self._queue:
                raise QueueFull(self._name, 0)
            await self._sleep(wait)


class Slot:
    """What ``Throttle.slot`` gives: an asynchronous context manager for one request."""

    __slots__ = ("_throttle",)

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def __aenter__(self) -> float:
        return await self._throttle.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._throttle.leave()
