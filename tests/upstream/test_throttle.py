"""A provider's rate, its slots and its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from ccp_core.upstream.storage import Cooling, ProcessStorage
from ccp_core.upstream.throttle import QueueFull, Throttle


class FakeTime:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The time of the windows, of this test alone."""
    fake = FakeTime()
    clock = SimpleNamespace(time=fake.time, monotonic=fake.time)
    monkeypatch.setattr("limits.aio.storage.memory.time", clock)
    monkeypatch.setattr("ccp_core.upstream.windows.time", clock)
    return fake


def throttle_of(fake: FakeTime, **limits: Any) -> Throttle:
    """A throttle in fake time."""
    storage = limits.pop("storage", None) or ProcessStorage(fake.time)
    return Throttle("Acme", storage=storage, clock=fake.time, sleep=fake.sleep, **limits)


def assert_strict(times: Sequence[float], rate: int, window: float) -> None:
    """No ``window`` seconds hold more than ``rate`` of the times."""
    ordered = sorted(times)
    for early, late in zip(ordered, ordered[rate:], strict=False):
        assert late - early >= window


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("rate", "window"), [(10, 2.0), (1, 3.0), (3, 0.5), (2, 60.0)])
async def test_the_window_is_strict_and_everybody_gets_through(
    fake: FakeTime, rate: int, window: float
) -> None:
    """50 requests at once: never more than the rate in any window, all in order, without needless waiting."""
    throttle = throttle_of(fake, rate=rate, window=window)
    start = fake.now
    admitted: list[tuple[int, float]] = []

    async def request(number: int) -> None:
        async with throttle.slot():
            admitted.append((number, fake.now))

    await asyncio.gather(*(request(number) for number in range(50)))
    assert [number for number, _ in admitted] == list(range(50))
    assert_strict([when for _, when in admitted], rate, window)
    fewest = ((50 - 1) // rate) * window
    assert admitted[-1][1] - start <= fewest * 1.11
    assert (throttle.in_flight, throttle.waiting) == (0, 0)


async def test_the_window_slides(fake: FakeTime) -> None:
    """Places come back one by one as the requests that took them grow old, not all at a full minute."""
    throttle = throttle_of(fake, rate=2, window=10.0)
    times = []
    for pause in (0, 6, 0, 0, 0):
        fake.now += pause
        async with throttle.slot():
            times.append(fake.now)
    gaps = [late - early for early, late in pairwise(times)]
    assert gaps == pytest.approx([6.0, 4.25, 6.0, 4.25], abs=0.05)


async def test_without_limits_nothing_is_asked(fake: FakeTime) -> None:
    """Rate and concurrency 0 or absent: the storage is never touched, and nobody waits."""

    class Untouchable:
        async def admit(self, name: str, rate: int, window: float) -> float:
            raise AssertionError("asked")

        async def cool(self, name: str, cooling: Cooling) -> None: ...

        async def cooling(self, names: Sequence[str]) -> list[Cooling | None]:
            return []

        async def close(self) -> None: ...

    for limits in ({}, {"rate": 0, "concurrency": 0}, {"rate": None, "concurrency": None, "queue": 0}):
        throttle = throttle_of(fake, storage=Untouchable(), **limits)
        slots = [throttle.slot() for _ in range(500)]
        for slot in slots:
            await slot.__aenter__()
        assert throttle.in_flight == 500
        for slot in slots:
            await slot.__aexit__(None, None, None)
        assert throttle.in_flight == 0


async def test_slots_are_given_in_order_and_never_more_than_there_are(fake: FakeTime) -> None:
    """With three slots three are in flight; as each ends, the one that waited longest goes next."""
    throttle = throttle_of(fake, concurrency=3)
    ends = [asyncio.Event() for _ in range(8)]
    begun: list[int] = []

    async def request(number: int) -> None:
        async with throttle.slot():
            begun.append(number)
            await ends[number].wait()

    tasks = [asyncio.create_task(request(number)) for number in range(8)]
    await settle()
    assert begun == [0, 1, 2]
    assert (throttle.in_flight, throttle.waiting) == (3, 5)
    for ended, next_one in ((1, 3), (0, 4), (4, 5), (2, 6), (3, 7)):
        ends[ended].set()
        await settle()
        assert begun[-1] == next_one
        assert throttle.in_flight == 3
    for end in ends:
        end.set()
    await asyncio.gather(*tasks)
    assert (throttle.in_flight, throttle.waiting) == (0, 0)


@pytest.mark.parametrize("ending", ["success", "exception", "cancel"])
async def test_a_slot_comes_back_however_its_request_ends(fake: FakeTime, ending: str) -> None:
    """After a success, an exception and a cancellation the next request gets the slot."""
    throttle = throttle_of(fake, concurrency=1)

    async def request() -> None:
        async with throttle.slot():
            if ending == "exception":
                raise ValueError
            if ending == "cancel":
                await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await settle()
    if ending == "cancel":
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert throttle.in_flight == 0
    async with throttle.slot():
        assert throttle.in_flight == 1


async def test_those_who_stop_waiting_take_nothing_with_them(fake: FakeTime) -> None:
    """Cancelled in the queue, as its first and as a later one: slots and order stay as they were."""
    throttle = throttle_of(fake, concurrency=1)
    end = asyncio.Event()
    begun: list[int] = []

    async def request(number: int) -> None:
        async with throttle.slot():
            begun.append(number)
            await end.wait()

    tasks = [asyncio.create_task(request(number)) for number in range(5)]
    await settle()
    tasks[1].cancel()
    tasks[3].cancel()
    await settle()
    assert throttle.waiting == 2
    end.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert begun == [0, 2, 4]
    assert (throttle.in_flight, throttle.waiting) == (0, 0)


async def test_a_wait_for_the_window_can_be_cancelled(fake: FakeTime) -> None:
    """The first of the queue goes away while it sleeps: its slot is free, and the next takes the place."""
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if not asleep.is_set():
            asleep.set()
            await asyncio.Event().wait()
        await fake.sleep(seconds)

    throttle = Throttle(
        "Acme",
        rate=1,
        window=5.0,
        concurrency=1,
        storage=ProcessStorage(fake.time),
        clock=fake.time,
        sleep=sleep,
    )
    async with throttle.slot():
        pass
    first = asyncio.create_task(throttle.enter())
    await asleep.wait()
    second = asyncio.create_task(throttle.enter())
    await settle()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await second
    assert (throttle.in_flight, throttle.waiting) == (1, 0)
    throttle.leave()


@pytest.mark.parametrize(
    "limits", [{"concurrency": 1}, {"rate": 1, "window": 9.0}, {"concurrency": 1, "rate": 1}]
)
async def test_a_full_queue_refuses_at_once(fake: FakeTime, limits: dict[str, Any]) -> None:
    """As many as allowed wait; the next gets a 529 that says what to change, and those waiting are served."""
    release = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await release.wait()
        await fake.sleep(seconds)

    throttle = Throttle(
        "Acme", queue=2, storage=ProcessStorage(fake.time), clock=fake.time, sleep=sleep, **limits
    )
    served: list[int] = []

    async def request(number: int) -> None:
        async with throttle.slot():
            served.append(number)
            await release.wait()

    tasks = [asyncio.create_task(request(number)) for number in range(3)]
    await settle()
    assert (throttle.in_flight, throttle.waiting) == (1, 2)
    with pytest.raises(QueueFull) as caught:
        await request(3)
    assert caught.value.status == 529
    assert caught.value.error_type == "overloaded_error"
    assert "queue for Acme is full (2 waiting)" in caught.value.message
    release.set()
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2]
    await request(4)
    assert (throttle.in_flight, throttle.waiting) == (0, 0)


@pytest.mark.parametrize("limits", [{"concurrency": 1}, {"rate": 3, "window": 9.0}])
async def test_a_full_queue_refuses_those_who_come_last(fake: FakeTime, limits: dict[str, Any]) -> None:
    """Also in the moment in which the first of the queue is served: nobody who waits makes room for a later one."""
    throttle = throttle_of(fake, queue=2, **limits)
    served: list[int] = []
    refused: list[int] = []

    async def request(number: int) -> None:
        try:
            async with throttle.slot():
                served.append(number)
                await asyncio.sleep(0)
        except QueueFull:
            refused.append(number)

    tasks = []
    for number in range(0, 90, 3):
        tasks += [asyncio.create_task(request(number + i)) for i in range(3)]
        await asyncio.sleep(0)
        assert throttle.waiting <= 2
    await asyncio.gather(*tasks)
    assert served == sorted(served)
    assert sorted([*served, *refused]) == list(range(90))
    assert (throttle.in_flight, throttle.waiting) == (0, 0)


async def test_a_queue_of_nothing_lets_pass_only_who_need_not_wait(fake: FakeTime) -> None:
    """With queue 0 a free place is taken, and nobody waits for one."""
    throttle = throttle_of(fake, rate=1, window=5.0, queue=0)
    async with throttle.slot():
        pass
    with pytest.raises(QueueFull):
        await throttle.enter()
    fake.now += 6
    async with throttle.slot():
        assert throttle.in_flight == 1


@pytest.mark.parametrize("limits", [{}, {"rate": 5, "window": 1.0}, {"concurrency": 2}])
async def test_a_used_up_allowance_holds_the_next_request(fake: FakeTime, limits: dict[str, Any]) -> None:
    """The pause that headers ask for is kept; a day's is not, that is for the upstream to refuse."""
    throttle = throttle_of(fake, **limits)
    start = fake.now
    throttle.slow_down(7.5)
    throttle.slow_down(2.0)
    throttle.slow_down(33011.38)
    throttle.slow_down(0.0)
    async with throttle.slot():
        assert fake.now - start == pytest.approx(7.5)
    async with throttle.slot():
        assert fake.now - start == pytest.approx(7.5)


async def test_a_clock_that_is_set_back_does_not_stop_the_traffic(fake: FakeTime) -> None:
    """An hour back: the next request waits for one window at most, not for an hour."""
    throttle = throttle_of(fake, rate=1, window=3.0)
    async with throttle.slot():
        fake.now -= 3600
    start = fake.now
    for _ in range(3):
        async with throttle.slot():
            pass
    assert fake.now - start < 10
