"""Rate windows and cool-downs in Redis, shared by processes and hosts.

While Redis is away each process counts for itself, and looks for it every few seconds; no request waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from limits.aio.storage import RedisStorage as LimitsRedis
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from ccp_core.errors import VerdictKind
from ccp_core.upstream.storage import Cooling, ProcessStorage
from ccp_core.upstream.windows import Places, remaining

T = TypeVar("T")

TIMEOUT = 1.0
"""Seconds that Redis may take to answer."""

RETRY_EVERY = 5.0
"""Seconds between looks for a Redis that was lost."""

PREFIX = "ccp"

_ERRORS = (RedisError, OSError, TimeoutError)

log = structlog.get_logger("ccp.storage")

# limits' own scripts take the time from the client and count whole seconds. Hosts disagree about the time,
# and a window of 2.1 s is not one of 3 s: here Redis tells the time, in milliseconds.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local limit, window, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = redis.call('LINDEX', KEYS[1], limit - amount)
if amount > limit or (oldest and tonumber(oldest) > now - window and tonumber(oldest) <= now) then
    return 0
end
for _ = 1, amount do redis.call('LPUSH', KEYS[1], string.format('%.3f', now)) end
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window))
return 1
"""
_LOOK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local count, age = 0, 0
for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)) do
    if tonumber(entry) > now - ARGV[2] then
        count, age = count + 1, now - tonumber(entry)
    end
end
return {count, tostring(age)}
"""


class _Windows(LimitsRedis):
    """Moving windows by Redis' own clock."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"async+{uri}",
            implementation="redispy",
            key_prefix=PREFIX,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
        )
        self.client: Any = self.bridge.get_connection()  # type: ignore[attr-defined]
        self._take = self.client.register_script(_TAKE)
        self._look = self.client.register_script(_LOOK)

    async def acquire_entry(self, key: str, limit: int, expiry: float, amount: int = 1) -> bool:
        """Take ``amount`` places; ``expiry`` is the window in seconds."""
        return bool(await self._take([f"{PREFIX}:{key}"], [limit, expiry * 1000, amount]))

    async def get_moving_window(self, key: str, limit: int, expiry: float) -> tuple[float, int]:
        """When the oldest place of the window was taken, by this process' clock, and how many are."""
        count, age = await self._look([f"{PREFIX}:{key}"], [limit, expiry * 1000])
        return time.time() - float(age) / 1000, int(count)


class RedisStorage:
    """The storage in Redis. ``clock`` gives monotonic seconds for the process' own cool-downs."""

    def __init__(self, uri: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = urlsplit(uri).hostname or "Redis"
        self._storage = _Windows(uri)
        self._windows = MovingWindowRateLimiter(self._storage)
        self._own = ProcessStorage(clock)
        self._looking: asyncio.Task[None] | None = None  # while Redis is away

    async def admit(self, name: str, rate: int, window: float) -> float:
        """Take a place; see Storage."""
        places = Places(rate, window)

        async def shared() -> float:
            if await self._windows.hit(places, name):
                # Kept here as well, so that a window is not empty when Redis goes away in the middle of it.
                await self._own.admit(name, rate, window)
                return 0.0
            return min(window, await remaining(self._windows, places, name))

        return await self._try(shared, lambda: self._own.admit(name, rate, window))

    async def cool(self, name: str, cooling: Cooling) -> None:
        """Begin or prolong a cool-down, here and for all others."""
        await self._own.cool(name, cooling)
        client, milliseconds = self._storage.client, max(1, int(cooling.seconds * 1000))

        async def shared() -> None:
            if await client.pttl(_cooling(name)) < milliseconds:
                await client.set(_cooling(name), cooling.kind.value, px=milliseconds)

        await self._try(shared, _nothing)

    async def cooling(self, names: Sequence[str]) -> list[Cooling | None]:
        """What is left of each cool-down, whoever began it."""

        async def shared() -> list[Cooling | None]:
            pipeline = self._storage.client.pipeline(transaction=False)
            for name in names:
                pipeline.get(_cooling(name))
                pipeline.pttl(_cooling(name))
            answers = await pipeline.execute()
            return [_read(*pair) for pair in zip(answers[::2], answers[1::2], strict=True)]

        return await self._try(shared, lambda: self._own.cooling(names))

    async def close(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._storage.client.aclose()

    async def _ask(self, shared: Callable[[], Awaitable[T]]) -> T:
        """What Redis says; asked on a new connection when an old one is broken, as all are after a restart of Redis."""
        try:
            return await shared()
        except (RedisConnectionError, ConnectionError):
            await self._storage.client.connection_pool.disconnect(inuse_connections=False)
            return await shared()

    async def _try(self, shared: Callable[[], Awaitable[T]], own: Callable[[], Awaitable[T]]) -> T:
        """The shared answer, or this process' own while Redis is away."""
        if self._looking is None:
            try:
                return await self._ask(shared)
            except _ERRORS as error:
                self._lose(error)
        return await own()

    def _lose(self, error: Exception) -> None:
        if self._looking is None:  # of the requests that find it out together one says so
            self._looking = asyncio.get_running_loop().create_task(self._look())
            log.warning(
                "storage_lost",
                host=self._address,
                reason=type(error).__name__,
                effect="rates and cool-downs are kept by each process alone until Redis is back",
            )

    async def _look(self) -> None:
        """Look for Redis until it can be written again."""
        while self._looking is not None:
            await asyncio.sleep(RETRY_EVERY)
            with contextlib.suppress(*_ERRORS):
                await self._ask(lambda: self._windows.hit(Places(1, 1.0), "look"))
                self._looking = None
        log.warning("storage_back", host=self._address)


async def _nothing() -> None:
    return None


def _cooling(name: str) -> str:
    return f"{PREFIX}:cooling:{name}"


def _read(kind: bytes | None, milliseconds: int) -> Cooling | None:
    if kind is None or milliseconds <= 0:
        return None
    try:
        return Cooling(milliseconds / 1000, VerdictKind(kind.decode()))
    except ValueError:  # written by another version
        return Cooling(milliseconds / 1000, VerdictKind.RATE_LIMIT)
