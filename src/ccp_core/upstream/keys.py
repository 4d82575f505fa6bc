"""The keys of one provider: which one is next, and which ones are to be left alone for a while.

A key stays in use until it fails or has served its share. A rate limit cools a key down for one model, since
most limits are a model's own; a refused or empty key is put aside for all. When only refused keys are left
they are tried all the same: the person may have put them right, and the upstream's words say it best.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from attrs import evolve, field, frozen

from ccp_core.errors import Verdict, VerdictKind
from ccp_core.upstream.storage import Cooling, ProcessStorage, Storage

REFUSED_SECONDS = 300.0
"""How long a key that was refused, or has no credit, is put aside at first; doubled each further time."""

REFUSED_MAX_SECONDS = 3600.0

_REFUSED = (VerdictKind.AUTHENTICATION, VerdictKind.BILLING)
_MAX_COUNTED = 1024


@frozen
class Key:
    """A key to send a request with. ``number`` is its position in the settings, from 1."""

    number: int
    secret: str = field(repr=False)
    failures: int = 0
    """How often it had failed when it was given out."""


class NoKeyReady(Exception):
    """Every key that may be used is cooling down, or none is left for this request.

    ``verdict``, for the retry plan and the client's error: what made the first one cool that will be ready again, and
    in how many seconds that is (``retry_after``).
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("no key is ready")
        self.verdict = verdict


class KeyRing:
    """Keys in use for one provider.

    ``usage_limit``: change the key after so many successful requests; 0 never. ``base``, ``longest``: seconds
    of the first cool-down and of the longest one, for limits that do not say how long they last.
    """

    def __init__(
        self,
        keys: Sequence[str],
        *,
        provider_id: str = "",
        usage_limit: int = 0,
        storage: Storage | None = None,
        base: float = 2.0,
        longest: float = 120.0,
    ) -> None:
        self._keys = [Key(number, secret) for number, secret in enumerate(keys, 1)]
        self._names = tuple(_name(provider_id, key.secret) for key in self._keys)
        self._usage_limit = usage_limit
        self._storage: Storage = storage if storage is not None else ProcessStorage()
        self._base = base
        self._longest = longest
        self._current = 0
        self._used = 0
        self._failures: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys themselves, to take them out of texts."""
        return tuple(key.secret for key in self._keys)

    def peek(self) -> str:
        """The key in use, for a request that does not count; empty when there is none."""
        return self._keys[self._current].secret if self._keys else ""

    async def acquire(self, model: str = "", avoid: Collection[int] = ()) -> Key | None:
        """The key to use now; None when the provider has none.

        ``avoid``: numbers of keys that were refused for this request. Raises NoKeyReady.
        """
        if not self._keys:
            return None
        usable = [key for key in self._in_turn() if key.number not in avoid]
        if not usable:
            raise NoKeyReady(_verdict_of(Cooling(0.0, VerdictKind.AUTHENTICATION)))
        cooling = await self._cooling(usable, model)
        for key, left in zip(usable, cooling, strict=True):
            if left is None:
                return self._use(key)
        waiting = [left for left in cooling if left is not None]
        limited = [left for left in waiting if left.kind not in _REFUSED]
        if not limited:
            return self._use(usable[0])
        raise NoKeyReady(_verdict_of(min(limited, key=lambda left: left.seconds)))

    async def ready(self, model: str = "", avoid: Collection[int] = ()) -> tuple[int, float | None]:
        """For the retry plan: how many keys can be used now, and in how many seconds the first one can.

        None when no key is left. A key put aside as refused counts from the end of its time.
        """
        usable = [key for key in self._keys if key.number not in avoid]
        if not usable:
            return 0, None
        waits = [left.seconds if left else 0.0 for left in await self._cooling(usable, model)]
        return waits.count(0.0), min(waits)

    def succeeded(self, key: Key | None, model: str = "") -> None:
        """Count a request that was answered."""
        if key is None:
            return
        name = self._names[key.number - 1]
        self._failures.pop(name, None)
        self._failures.pop(_scope(name, model), None)
        if self._usage_limit and key.number - 1 == self._current:
            self._used += 1
            if self._used >= self._usage_limit:
                self._switch((self._current + 1) % len(self._keys))

    async def failed(self, key: Key | None, verdict: Verdict, model: str = "") -> None:
        """Let a key cool down when the failure was the key's own; other failures leave it alone."""
        if key is None or not verdict.rotate_key:
            return
        name = self._names[key.number - 1]
        if verdict.kind in _REFUSED and not verdict.retry:
            seconds = min(REFUSED_SECONDS * 2.0 ** self._again(name, key), REFUSED_MAX_SECONDS)
        elif verdict.retry:
            name = _scope(name, model)
            growing = min(self._base * 2.0 ** self._again(name, key), self._longest)
            seconds = verdict.retry_after or growing
        else:
            return
        await self._storage.cool(name, Cooling(seconds, verdict.kind))

    async def cool_down(self, key: Key | None, seconds: float, model: str = "") -> None:
        """Leave a key alone for a while, since its allowance is used up."""
        if key is not None and seconds > 0:
            name = _scope(self._names[key.number - 1], model)
            await self._storage.cool(name, Cooling(seconds, VerdictKind.RATE_LIMIT))

    def _in_turn(self) -> list[Key]:
        return self._keys[self._current :] + self._keys[: self._current]

    def _use(self, key: Key) -> Key:
        if key.number - 1 != self._current:
            self._switch(key.number - 1)
        return key

    def _switch(self, index: int) -> None:
        self._current, self._used = index, 0

    async def _cooling(self, keys: Sequence[Key], model: str) -> list[Cooling | None]:
        """For each key the longer of its own cool-down and its cool-down for this model."""
        names = [self._names[key.number - 1] for key in keys]
        found = await self._storage.cooling([*names, *(_scope(name, model) for name in names)])
        return [
            max((left for left in pair if left is not None), key=lambda left: left.seconds, default=None)
            for pair in zip(found[: len(names)], found[len(names) :], strict=True)
        ]

    def _again(self, name: str, key: Key) -> int:
        """How often this has failed before, without a success in between.

        Requests that had the key at the same time failed for the same reason: together they count once.
        """
        times = self._failures.pop(name, 0)
        if self._keys[key.number - 1] == key:
            self._keys[key.number - 1] = evolve(key, failures=key.failures + 1)
            times += 1
        self._failures[name] = times
        if len(self._failures) > _MAX_COUNTED:
            del self._failures[next(iter(self._failures))]
        return min(max(0, times - 1), 16)


def _name(provider_id: str, secret: str) -> str:
    """A name that processes with the same key share, and from which the key cannot be found."""
    return f"{provider_id}:{hashlib.sha256(secret.encode()).hexdigest()[:16]}"


def _scope(name: str, model: str) -> str:
    return f"{name}:{model}"


def _verdict_of(cooling: Cooling) -> Verdict:
    refused = cooling.kind in _REFUSED
    return Verdict(
        kind=cooling.kind,
        retry=not refused,
        rotate_key=True,
        retry_after=None if refused else cooling.seconds,
    )
