"""What several worker processes share: the settings cut into parts, and one storage in the process above them.

Rates and cool-downs are kept in one place, by the parent or in Redis, so all workers together keep to them.
Concurrency and queue are each worker's own: each gets its part.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from ccp_core.config.settings import ProviderSettings, Settings
from ccp_core.errors import VerdictKind
from ccp_core.server.channel import Channel, ChannelClosed
from ccp_core.upstream.storage import Cooling, Storage, open_storage


def part_of(settings: Settings, number: int, workers: int) -> Settings:
    """The settings of worker ``number`` (from 0) of ``workers``."""

    def part(whole: int) -> int:
        share, rest = divmod(whole, workers)
        return max(1, share + (number < rest)) if whole else 0

    def provider(own: ProviderSettings) -> ProviderSettings:
        return own if own.concurrency is None else evolve(own, concurrency=part(own.concurrency))

    return evolve(
        settings,
        limits=evolve(
            settings.limits, concurrency=part(settings.limits.concurrency), queue=part(settings.limits.queue)
        ),
        providers={name: provider(own) for name, own in settings.providers.items()},
    )


def too_small(settings: Settings, workers: int) -> list[str]:
    """The settings whose value cannot be cut into so many parts."""
    values = {"limits.concurrency": settings.limits.concurrency}
    values |= {
        f"providers.{name}.concurrency": own.concurrency or 0 for name, own in settings.providers.items()
    }
    return [name for name, value in values.items() if 0 < value < workers]


class ParentStorage:
    """The storage of a worker: that of the parent, asked over the channel.

    Once the parent is gone nothing is limited: the worker takes no more requests, and finishes those that it has.
    """

    def __init__(self, parent: Channel) -> None:
        self._parent = parent

    async def admit(self, name: str, rate: int, window: float) -> float:
        """Take a place; see Storage."""
        try:
            return float(await self._parent.call("admit", name, rate, window))
        except ChannelClosed:
            return 0.0

    async def cool(self, name: str, cooling: Cooling) -> None:
        """Begin or prolong a cool-down, here and for all other workers."""
        with contextlib.suppress(ChannelClosed):
            await self._parent.call("cool", name, cooling.seconds, cooling.kind.value)

    async def cooling(self, names: Sequence[str]) -> list[Cooling | None]:
        """What is left of each cool-down, whoever began it."""
        try:
            found = await self._parent.call("cooling", list(names))
        except ChannelClosed:
            return [None] * len(names)
        return [Cooling(entry[0], VerdictKind(entry[1])) if entry else None for entry in found]

    async def close(self) -> None:
        """The storage is the parent's."""


def storage_methods(storage: Storage) -> dict[str, Any]:
    """The parent's side of ParentStorage."""

    async def cool(name: str, seconds: float, kind: str) -> None:
        await storage.cool(name, Cooling(seconds, VerdictKind(kind)))

    async def cooling(names: list[str]) -> list[tuple[float, str] | None]:
        found = await storage.cooling(names)
        return [(entry.seconds, entry.kind.value) if entry else None for entry in found]

    return {"admit": storage.admit, "cool": cool, "cooling": cooling}


def storage_of_worker(parent: Channel, uri: str) -> Storage:
    """Redis is asked by each worker itself; the memory that all share is the parent's."""
    return ParentStorage(parent) if uri == "memory" else open_storage(uri)
