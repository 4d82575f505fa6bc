"""Where rate windows and cool-downs are kept: in this process, or in Redis for all that share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from ccp_core.errors import VerdictKind

if TYPE_CHECKING:
    from limits.aio.strategies import MovingWindowRateLimiter

_MAX_COOLING = 4096


@frozen
class Cooling:
    """Something that is left alone for so many seconds, and why."""

    seconds: float
    kind: VerdictKind


class Storage(Protocol):
    """Rate windows and cool-downs, by name."""

    async def admit(self, name: str, rate: int, window: float) -> float:
        """Take a place among ``rate`` in any ``window`` seconds.

        0 when a place was taken, otherwise the seconds after which to ask again; never negative.
        """

    async def cool(self, name: str, cooling: Cooling) -> None:
        """Begin or prolong a cool-down; one that lasts longer already stays."""

    async def cooling(self, names: Sequence[str]) -> list[Cooling | None]:
        """What is left of each cool-down."""

    async def close(self) -> None:
        """Let go of connections."""


class StorageError(Exception):
    """The storage cannot be used; the text says why and what to do."""


def open_storage(uri: str) -> Storage:
    """The storage for ``limits.storage``: ``memory``, or an address like ``redis://host:6379/0``.

    Raises StorageError. A Redis that is not there (yet) is no error: each process then counts for itself.
    """
    if uri in ("", "memory"):
        return ProcessStorage()
    if not uri.startswith(("redis://", "rediss://")):
        raise StorageError("limits.storage must be memory, redis://host:port or rediss://host:port")
    try:
        from ccp_core.upstream.redis_storage import RedisStorage
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "redis":
            raise
        raise StorageError(
            'limits.storage names Redis, but its client is not installed; run: pip install "ccp-core[redis]"'
        ) from None
    return RedisStorage(uri)


class ProcessStorage:
    """The storage of one process. ``clock`` gives monotonic seconds for the cool-downs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cooling: dict[str, tuple[float, VerdictKind]] = {}

    async def admit(self, name: str, rate: int, window: float) -> float:
        """Take a place; see Storage."""
        from ccp_core.upstream.windows import Places, remaining

        places = Places(rate, window)
        if await self._windows.hit(places, name):
            return 0.0
        wait = await remaining(self._windows, places, name)
        if wait > window + 1.0:
            # The system's clock was set back: the window lies in the future and would last until then.
            await self._windows.clear(places, name)
            return 0.0 if await self._windows.hit(places, name) else window
        return wait

    @cached_property
    def _windows(self) -> MovingWindowRateLimiter:
        # Late: the library takes time to load, and a proxy without rates does not need it.
        from limits.aio.storage import MemoryStorage as LimitsMemory
        from limits.aio.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(LimitsMemory())

    async def cool(self, name: str, cooling: Cooling) -> None:
        """Begin or prolong a cool-down."""
        now = self._clock()
        until = now + cooling.seconds
        if until > self._cooling.get(name, (0.0, cooling.kind))[0]:
            self._cooling[name] = (until, cooling.kind)
        if len(self._cooling) > _MAX_COOLING:
            self._cooling = {key: value for key, value in self._cooling.items() if value[0] > now}

    async def cooling(self, names: Sequence[str]) -> list[Cooling | None]:
        """What is left of each cool-down."""
        return [self._left(name) for name in names]

    async def close(self) -> None:
        """Nothing to let go of."""

    def _left(self, name: str) -> Cooling | None:
        found = self._cooling.get(name)
        if found is None:
            return None
        seconds = found[0] - self._clock()
        if seconds <= 0:
            del self._cooling[name]
            return None
        return Cooling(seconds, found[1])
