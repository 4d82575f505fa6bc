"""Which key is used, and how long a failed one is left alone."""

from __future__ import annotations

import pytest

from ccp_core.errors import Verdict, VerdictKind
from ccp_core.upstream.keys import KeyRing, NoKeyReady
from ccp_core.upstream.storage import ProcessStorage

K = VerdictKind
REFUSED = Verdict(kind=K.AUTHENTICATION, rotate_key=True)
BROKE = Verdict(kind=K.BILLING, rotate_key=True)
LIMITED = Verdict(kind=K.RATE_LIMIT, retry=True, rotate_key=True)
LIMITED_30 = Verdict(kind=K.RATE_LIMIT, retry=True, rotate_key=True, retry_after=30.0)
OVERLOADED = Verdict(kind=K.OVERLOADED, retry=True)
TOO_LARGE = Verdict(kind=K.RATE_LIMIT, rotate_key=True)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(clock: Clock) -> ProcessStorage:
    return ProcessStorage(clock)


def ring_of(storage: ProcessStorage, *keys: str, usage_limit: int = 0) -> KeyRing:
    """A ring whose cool-downs begin with 2 seconds and end with 60."""
    return KeyRing(keys, provider_id="acme", usage_limit=usage_limit, storage=storage, longest=60.0)


async def number(ring: KeyRing, model: str = "", avoid: tuple[int, ...] = ()) -> int:
    """The number of the key that the ring gives."""
    key = await ring.acquire(model, avoid)
    assert key is not None
    return key.number


async def test_a_provider_without_keys_gives_none(storage: ProcessStorage) -> None:
    """A keyless provider works: nothing to acquire, to count or to cool."""
    ring = ring_of(storage)
    assert await ring.acquire() is None
    assert ring.peek() == ""
    ring.succeeded(None)
    await ring.failed(None, REFUSED)
    assert await ring.ready() == (0, None)


async def test_a_key_is_kept_until_it_fails(storage: ProcessStorage) -> None:
    """Without a usage limit all requests take the first key, whatever succeeds."""
    ring = ring_of(storage, "a", "b")
    for _ in range(5):
        key = await ring.acquire()
        assert key is not None
        assert (key.number, key.secret) == (1, "a")
        ring.succeeded(key)
    assert ring.peek() == "a"


async def test_the_usage_limit_counts_successes(storage: ProcessStorage) -> None:
    """After as many successes the next key comes; failures do not count, and it goes round."""
    ring = ring_of(storage, "a", "b", usage_limit=2)
    seen = []
    for outcome in (True, False, True, True, True, True):
        key = await ring.acquire()
        assert key is not None
        seen.append(key.number)
        if outcome:
            ring.succeeded(key)
        else:
            await ring.failed(key, OVERLOADED)
    assert seen == [1, 1, 1, 2, 2, 1]


async def test_late_successes_of_an_earlier_key_do_not_change_the_next(storage: ProcessStorage) -> None:
    """Requests that were under way when the key changed are not counted against the new one."""
    ring = ring_of(storage, "a", "b", usage_limit=2)
    first = [await ring.acquire() for _ in range(4)]
    for key in first:
        ring.succeeded(key)
    assert await number(ring) == 2
    ring.succeeded(await ring.acquire())
    assert await number(ring) == 2


async def test_a_limited_key_cools_as_long_as_the_upstream_says(
    storage: ProcessStorage, clock: Clock
) -> None:
    """Retry-After counts; afterwards the key is good again, but there is no need to go back to it."""
    ring = ring_of(storage, "a", "b")
    key = await ring.acquire()
    await ring.failed(key, LIMITED_30)
    assert await number(ring) == 2
    assert await ring.ready() == (1, 0.0)
    clock.now += 30
    assert await ring.ready() == (2, 0.0)
    assert await number(ring) == 2


async def test_a_limit_without_a_time_cools_longer_each_time(storage: ProcessStorage, clock: Clock) -> None:
    """Cool-downs double from the base to the longest, and begin anew after a success."""
    ring = ring_of(storage, "a")
    waits = []
    for _ in range(7):
        key = await ring.acquire()
        await ring.failed(key, LIMITED)
        waits.append((await ring.ready())[1])
        clock.now += 60
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    ring.succeeded(await ring.acquire())
    await ring.failed(await ring.acquire(), LIMITED)
    assert await ring.ready() == (0, 2.0)


@pytest.mark.parametrize(("verdict", "seconds"), [(LIMITED, (2, 4)), (REFUSED, (300, 600))])
async def test_requests_that_fail_together_count_once(
    storage: ProcessStorage, clock: Clock, verdict: Verdict, seconds: tuple[int, int]
) -> None:
    """Ten requests under way with a key that is then limited or refused are one failure of the key, not ten."""
    ring = ring_of(storage, "a")
    for wait in seconds:
        keys = [await ring.acquire() for _ in range(10)]
        for key in keys:
            await ring.failed(key, verdict)
        assert await ring.ready() == (0, wait)
        clock.now += wait


async def test_all_limited_tells_the_first_time_and_why(storage: ProcessStorage, clock: Clock) -> None:
    """The earliest end of the cool-downs is told, with a verdict for the client's error."""
    ring = ring_of(storage, "a", "b")
    await ring.failed(await ring.acquire(), LIMITED_30)
    clock.now += 10
    await ring.failed(await ring.acquire(), LIMITED_30)
    with pytest.raises(NoKeyReady) as caught:
        await ring.acquire()
    assert caught.value.verdict.kind is K.RATE_LIMIT
    assert caught.value.verdict.retry
    assert caught.value.verdict.retry_after == pytest.approx(20)
    clock.now += 20
    assert await number(ring) == 1


@pytest.mark.parametrize("verdict", [REFUSED, BROKE])
async def test_a_refused_key_is_put_aside_for_long_and_longer(
    storage: ProcessStorage, clock: Clock, verdict: Verdict
) -> None:
    """A key without access or credit is not asked for five minutes, then for ten, at most an hour."""
    ring = ring_of(storage, "a", "b")
    for seconds in (300, 600, 1200, 2400, 3600, 3600):
        while await number(ring) != 1:
            await ring.failed(await ring.acquire(), LIMITED_30)
        await ring.failed(await ring.acquire(), verdict)
        clock.now += seconds - 1
        assert await number(ring) == 2
        clock.now += 1
        assert (await ring.ready())[0] == 2


async def test_refused_keys_are_tried_again_when_there_are_no_others(storage: ProcessStorage) -> None:
    """A person who has put the only key right need not wait; the next request uses it."""
    ring = ring_of(storage, "a", "b")
    await ring.failed(await ring.acquire(), REFUSED)
    await ring.failed(await ring.acquire(), BROKE)
    assert await number(ring) == 2
    assert await number(ring, avoid=(2,)) == 1
    with pytest.raises(NoKeyReady) as caught:
        await ring.acquire(avoid=(1, 2))
    assert caught.value.verdict.retry_after is None
    assert await ring.ready(avoid=(1, 2)) == (0, None)


async def test_a_limited_key_is_waited_for_rather_than_a_refused_one_tried(storage: ProcessStorage) -> None:
    """One refused and one limited: the limited one will come back, and says when."""
    ring = ring_of(storage, "a", "b")
    await ring.failed(await ring.acquire(), REFUSED)
    await ring.failed(await ring.acquire(), LIMITED_30)
    with pytest.raises(NoKeyReady) as caught:
        await ring.acquire()
    assert caught.value.verdict.retry_after == pytest.approx(30)


async def test_a_limit_is_one_models_own_a_refusal_is_for_all(storage: ProcessStorage) -> None:
    """A model that is limited leaves the key free for others; a refused key serves none."""
    ring = ring_of(storage, "a", "b")
    await ring.failed(await ring.acquire("big"), LIMITED_30, "big")
    assert await number(ring, "big") == 2
    assert await ring.ready("small") == (2, 0.0)
    await ring.failed(await ring.acquire("small"), REFUSED, "small")
    assert await ring.ready("other") == (1, 0.0)
    assert await number(ring, "other") == 1


@pytest.mark.parametrize(
    "verdict", [OVERLOADED, TOO_LARGE, Verdict(kind=K.PERMISSION, rotate_key=True), Verdict(kind=K.OVERFLOW)]
)
async def test_what_is_not_the_keys_fault_cools_nothing(storage: ProcessStorage, verdict: Verdict) -> None:
    """Overload, a request too large and a model that is not allowed leave the key as it is."""
    ring = ring_of(storage, "a", "b")
    await ring.failed(await ring.acquire(), verdict)
    assert await ring.ready() == (2, 0.0)


async def test_an_allowance_that_is_used_up_rests_the_key(storage: ProcessStorage) -> None:
    """Headers of a success may say that nothing is left: the other key takes over before a 429 comes."""
    ring = ring_of(storage, "a", "b")
    await ring.cool_down(await ring.acquire("m"), 12.0, "m")
    assert await number(ring, "m") == 2


async def test_rings_on_one_storage_share_cool_downs(storage: ProcessStorage) -> None:
    """Another process with the same key, at another position, leaves it alone too."""
    one, other = ring_of(storage, "a", "b"), ring_of(storage, "b", "a")
    await one.failed(await one.acquire(), LIMITED_30)
    assert await number(one) == 2
    assert await other.ready() == (1, 0.0)
    await one.failed(await one.acquire(), LIMITED_30)
    with pytest.raises(NoKeyReady):
        await other.acquire()


async def test_no_key_is_ever_shown(storage: ProcessStorage) -> None:
    """Neither a key's repr nor the names in the storage hold the secret."""
    ring = ring_of(storage, "very-secret-key")
    key = await ring.acquire()
    await ring.failed(key, REFUSED)
    assert "very-secret-key" not in repr(key)
    assert "very-secret-key" not in repr(storage.__dict__)
    assert "very-secret-key" not in repr(ring)
