"""Windows and cool-downs in one process and in Redis, and what happens when Redis goes away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from redis.asyncio import Redis

from ccp_core.errors import Verdict, VerdictKind
from ccp_core.upstream import redis_storage
from ccp_core.upstream.keys import KeyRing, NoKeyReady
from ccp_core.upstream.redis_storage import RedisStorage
from ccp_core.upstream.storage import Cooling, Storage, StorageError, open_storage
from ccp_core.upstream.throttle import Throttle

if TYPE_CHECKING:
    from tests.upstream.conftest import RedisServer

LIMITED = Cooling(30.0, VerdictKind.RATE_LIMIT)
REFUSED = Cooling(90.0, VerdictKind.AUTHENTICATION)

# Admissions of one process, as seconds since the epoch: 40 requests in all at 20 in 2 s.
WORKER = """
import asyncio, sys, time
from ccp_core.upstream.storage import open_storage
from ccp_core.upstream.throttle import Throttle

async def main():
    storage = open_storage(sys.argv[1])
    throttle = Throttle("acme", rate=20, window=2.0, concurrency=20, storage=storage)
    async def request():
        async with throttle.slot():
            print(time.time(), flush=True)
    await asyncio.gather(*(request() for _ in range(20)))
    await storage.close()

asyncio.run(main())
"""


@pytest.fixture(params=["process", "redis"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """Both kinds of storage: they keep the same promises."""
    uri = "memory" if request.param == "process" else request.getfixturevalue("redis_server").uri
    storage = open_storage(uri)
    yield storage
    await storage.close()


async def test_a_window_admits_its_rate_and_tells_when_to_come_again(storage: Storage) -> None:
    """Three in a window: the fourth is told the time that is left, and other names are not concerned."""
    for _ in range(3):
        assert await storage.admit("acme", 3, 60.0) == 0
    wait = await storage.admit("acme", 3, 60.0)
    assert 55 < wait <= 60.1
    assert await storage.admit("other", 3, 60.0) == 0


async def test_a_short_window_is_strict_in_real_time(storage: Storage) -> None:
    """Of 12 requests, each as early as it may, no 0.25 s see more than 4, by the wall clock."""
    throttle = Throttle("acme", rate=4, window=0.25, storage=storage)
    times = []
    for _ in range(12):
        async with throttle.slot():
            times.append(time.time())
    for early, late in zip(times, times[4:], strict=False):
        assert late - early >= 0.25
    assert times[-1] - times[0] < 2.0


async def test_cool_downs_are_kept_by_name(storage: Storage) -> None:
    """What is left of each is told with its reason; a shorter one does not end a longer one."""
    await storage.cool("a", LIMITED)
    await storage.cool("b", REFUSED)
    await storage.cool("b", LIMITED)
    a, b, c = await storage.cooling(["a", "b", "c"])
    assert a is not None
    assert b is not None
    assert c is None
    assert (a.kind, b.kind) == (VerdictKind.RATE_LIMIT, VerdictKind.AUTHENTICATION)
    assert 29 < a.seconds <= 30
    assert 89 < b.seconds <= 90
    await storage.cool("a", REFUSED)
    longer = (await storage.cooling(["a"]))[0]
    assert longer is not None
    assert longer.kind is VerdictKind.AUTHENTICATION


async def test_two_processes_share_one_strict_window(redis_server: RedisServer) -> None:
    """40 requests of two processes: all get through, and no 2 s see more than 20 of them."""
    command = [sys.executable, "-c", WORKER, redis_server.uri]
    workers = [
        await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [await worker.communicate() for worker in workers]
    assert [errors for _, errors in outputs] == [b"", b""]
    times = sorted(float(line) for output, _ in outputs for line in output.split())
    assert len(times) == 40
    for early, late in zip(times, times[20:], strict=False):
        assert late - early >= 2.0


async def test_two_processes_share_cool_downs(redis_server: RedisServer) -> None:
    """A key that one process found limited is left alone by the other, which knows why."""
    one, other = RedisStorage(redis_server.uri), RedisStorage(redis_server.uri)
    limited = Verdict(kind=VerdictKind.RATE_LIMIT, retry=True, rotate_key=True, retry_after=30.0)
    first, second = (KeyRing(["the-key"], provider_id="acme", storage=storage) for storage in (one, other))
    await first.failed(await first.acquire("m"), limited, "m")
    with pytest.raises(NoKeyReady) as caught:
        await second.acquire("m")
    assert 29 < (caught.value.verdict.retry_after or 0) <= 30
    assert caught.value.verdict.kind is VerdictKind.RATE_LIMIT
    assert await second.acquire("another model") is not None
    await one.close()
    await other.close()


async def back(logs: list[Any]) -> None:
    """Wait until Redis has been found again."""
    async with asyncio.timeout(10):
        while logs[-1]["event"] != "storage_back":  # noqa: ASYNC110 - another process, which does not tell
            await asyncio.sleep(0.01)


async def test_without_redis_each_process_counts_for_itself_and_comes_back(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis dies in a full window: it stays full, one warning is written; when Redis is back it is used again."""
    monkeypatch.setattr(redis_storage, "RETRY_EVERY", 0.02)
    storage = RedisStorage(redis_server.uri, clock=lambda: 0.0)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert await storage.admit("acme", 2, 60.0) == 0
        await storage.cool("key", LIMITED)
        redis_server.kill()
        assert await storage.admit("acme", 2, 60.0) > 50
        assert await storage.admit("other", 1, 60.0) == 0
        assert await storage.cooling(["key"]) == [LIMITED]
        await storage.cool("key", REFUSED)
        assert await storage.admit("other", 1, 60.0) > 50
        assert [entry["event"] for entry in logs] == ["storage_lost"]

        redis_server.start()
        await back(logs)
        assert await storage.admit("other", 1, 60.0) == 0  # a new Redis, an empty window
        assert [entry["event"] for entry in logs] == ["storage_lost", "storage_back"]
        redis_server.kill()
        assert await storage.cooling(["key"]) == [REFUSED]
        assert [entry["event"] for entry in logs] == ["storage_lost", "storage_back", "storage_lost"]
    await storage.close()


async def test_a_redis_that_was_restarted_is_used_at_once(redis_server: RedisServer) -> None:
    """Connections that the restart broke cost nothing: no process counts for itself because of them."""
    storage = RedisStorage(redis_server.uri)
    with structlog.testing.capture_logs() as logs:
        await asyncio.gather(*(storage.admit("acme", 100, 60.0) for _ in range(5)))
        redis_server.kill()
        redis_server.start()
        await asyncio.gather(*(storage.admit("acme", 100, 60.0) for _ in range(5)))
        redis_server.kill()
        redis_server.start()
        assert await storage.cooling(["key"]) == [None]
    assert logs == []
    await storage.close()


async def test_a_redis_that_never_was_there_stops_nothing(unused_tcp_port: int) -> None:
    """A wrong address costs a warning without the password, and the proxy works."""
    storage = open_storage(f"redis://:hunter22@127.0.0.1:{unused_tcp_port}/0")
    with structlog.testing.capture_logs() as logs:
        assert await storage.admit("acme", 1, 60.0) == 0
        assert await storage.admit("acme", 1, 60.0) > 50
    assert len(logs) == 1
    assert logs[0]["host"] == "127.0.0.1"
    assert "hunter22" not in repr(logs)
    await storage.close()


@pytest.mark.parametrize("uri", ["memcached://x", "redis", "http://127.0.0.1"])
def test_an_unknown_storage_is_told_with_what_is_allowed(uri: str) -> None:
    """The text names the setting and its values, and not the value itself, which may hold a password."""
    with pytest.raises(StorageError) as caught:
        open_storage(uri)
    assert "limits.storage must be memory, redis://" in str(caught.value)


def test_redis_without_its_client_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the redis package is missing the person is told what to install."""
    for name in [name for name in sys.modules if name == "redis" or name.startswith("redis.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "ccp_core.upstream.redis_storage", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(StorageError, match=r"ccp-core\[redis\]"):
        open_storage("redis://127.0.0.1:1/0")


async def test_no_request_waits_for_a_redis_that_does_not_answer() -> None:
    """That is found out once; looking for it goes on beside the requests."""
    connected = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    storage = RedisStorage(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    assert await storage.cooling(["key"]) == [None]
    asked = connected
    for _ in range(20):
        assert await storage.admit("acme", 20, 60.0) == 0
    assert await storage.admit("acme", 20, 60.0) > 50
    assert connected == asked
    await storage.close()
    server.close()
    await server.wait_closed()


async def test_a_redis_that_cannot_be_written_is_no_redis(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers, but it is full, or a copy of another one: it is not taken for one that is back."""
    monkeypatch.setattr(redis_storage, "RETRY_EVERY", 0.02)
    storage = RedisStorage(redis_server.uri)
    client = Redis.from_url(redis_server.uri)
    with structlog.testing.capture_logs() as logs:
        await client.execute_command("REPLICAOF", "127.0.0.1", "1")
        for _ in range(2):
            assert await storage.admit("acme", 2, 60.0) == 0
        assert await storage.admit("acme", 2, 60.0) > 50
        await asyncio.sleep(0.2)  # many looks
        assert [entry["event"] for entry in logs] == ["storage_lost"]
        await client.execute_command("REPLICAOF", "NO", "ONE")
        await back(logs)
    await client.aclose()
    await storage.close()
