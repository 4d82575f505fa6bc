"""Several processes on one port: they share the work and the rates, and are replaced when they die."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from pathlib import Path

import aiohttp
import cattrs
import orjson
import pytest

from ccp_core.config.settings import LimitSettings, ProviderSettings, ServerSettings, Settings
from ccp_core.config.sources import LoadedSettings
from ccp_core.server import workers
from ccp_core.server.listening import listen
from ccp_core.server.shares import part_of, too_small
from ccp_core.testing import Gate, Wait, chat_error, chat_stream, validate_stream
from ccp_core.testing.proxy_app import one_provider

from .conftest import refuses, until

posix = pytest.mark.skipif(sys.platform == "win32", reason="on Windows one process serves the port")
HELLO = chat_stream(text="Hello there, you")


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def sockets(pid: int) -> set[str]:
    """The sockets that a process has open, by their numbers in the kernel."""
    targets = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return {target[8:-1] for target in targets if target.startswith("socket:[")}


def listening(port: int) -> set[str]:
    """The sockets that listen at a port of 127.0.0.1."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return {fields[9] for fields in lines if fields[1] == f"0100007F:{port:04X}" and fields[3] == "0A"}


@pytest.fixture
def needs_proc():
    if not Path("/proc/self/stat").exists():
        pytest.skip("the processes that a process has started are read from /proc, which is Linux's")


@posix
async def test_a_killed_worker_costs_its_own_answers_alone_and_is_replaced(
    needs_proc, fake_upstream, start_process
):
    gate = Gate()
    upstream = await fake_upstream(lambda request: HELLO.insert(-3, Wait(gate)))
    proxy = await start_process(one_provider("nvidia_nim", upstream.base_url), "--workers", "2")
    first, second = children(proxy.process.pid)
    streams = []
    for waiting in (first, second):  # so that the other one takes what comes
        os.kill(waiting, signal.SIGSTOP)
        streams += [await proxy.open() for _ in range(8)]
        os.kill(waiting, signal.SIGCONT)
    os.kill(first, signal.SIGKILL)
    await until(lambda: len({*children(proxy.process.pid)} - {first, second}) == 1)
    gate.open()
    ends = await asyncio.gather(*(stream.rest() for stream in streams))
    whole = [end for end in ends if b"message_stop" in end]
    for end in whole:
        assert validate_stream(end).message.text == "Hello there, you"
    assert len(whole) == 8
    for status, _ in await asyncio.gather(*(proxy.ask() for _ in range(12))):
        assert status == 200
    assert "signal 9" in await proxy.logged("worker_died")


@posix
async def test_requests_go_on_while_a_worker_is_replaced(needs_proc, fake_upstream, start_process):
    upstream = await fake_upstream(lambda request: HELLO)
    proxy = await start_process(one_provider("nvidia_nim", upstream.base_url), "--workers", "2")
    os.kill(children(proxy.process.pid)[0], signal.SIGKILL)
    for _ in range(30):
        assert (await proxy.ask())[0] == 200


@posix
async def test_workers_keep_to_one_window_without_redis(fake_upstream, start_process):
    times = []

    def answer(request):
        times.append(asyncio.get_running_loop().time())
        return HELLO

    upstream = await fake_upstream(answer)
    config = one_provider("nvidia_nim", upstream.base_url, limits={"rate": 10, "window": 1.5})
    proxy = await start_process(config, "--workers", "2")
    for status, _ in await asyncio.gather(*(proxy.ask() for _ in range(25))):
        assert status == 200
    for early, late in zip(times, times[10:], strict=False):
        assert late - early >= 1.5


@posix
async def test_a_key_that_one_worker_finds_limited_is_left_alone_by_the_other(fake_upstream, start_process):
    def answer(request):
        if "first" in request.headers["authorization"]:
            return chat_error(429, "Slow down").with_headers({"retry-after": "50"})
        return HELLO

    upstream = await fake_upstream(answer)
    keys = {"api_key": "", "api_keys": ["first-key-1", "second-key-2"]}
    proxy = await start_process(
        one_provider("nvidia_nim", upstream.base_url, provider=keys), "--workers", "2"
    )
    await proxy.ask()
    for status, _ in await asyncio.gather(*(proxy.ask() for _ in range(20))):
        assert status == 200
    first = [request for request in upstream.model_calls if "first" in request.headers["authorization"]]
    assert len(first) == 1


@posix
async def test_when_the_parent_is_killed_the_workers_finish_their_answers_and_end(
    needs_proc, fake_upstream, start_process
):
    gate = Gate()
    upstream = await fake_upstream(HELLO.insert(-3, Wait(gate)))
    proxy = await start_process(one_provider("nvidia_nim", upstream.base_url), "--workers", "2")
    workers_then = children(proxy.process.pid)
    stream = await proxy.open()
    proxy.process.kill()
    await until(lambda: refuses(proxy.process.port))
    gate.open()
    assert validate_stream(await stream.rest()).message.text == "Hello there, you"
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers_then))


@posix
async def test_a_module_in_the_working_directory_is_not_taken_for_one_of_python(
    fake_upstream, start_process, tmp_path
):
    """People start the proxy in their own projects."""
    (tmp_path / "proxy0").mkdir()
    (tmp_path / "proxy0" / "random.py").write_text("raise SystemExit('the wrong one')")
    upstream = await fake_upstream(HELLO)
    proxy = await start_process(
        one_provider("nvidia_nim", upstream.base_url),
        "--workers",
        "2",
        command=(sys.executable, "-P", "-m", "ccp_core"),
    )
    assert (await proxy.ask())[0] == 200


@posix
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_process_that_counts_tokens_ends_with_its_proxy_however_that_ends(
    workers: str, needs_proc, refusing_upstream, start_process
):
    """It has inherited no socket that would keep the port."""
    proxy = await start_process(one_provider("nvidia_nim", refusing_upstream), "--workers", workers)
    serving = [proxy.process.pid] if workers == "1" else children(proxy.process.pid)
    assert await proxy.count("word " * 40_000) > 10_000
    [counter] = [pid for parent in serving for pid in children(parent)]
    assert listening(proxy.process.port)
    assert not sockets(counter) & listening(proxy.process.port)
    for pid in {proxy.process.pid, *serving}:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{counter}").exists())


@posix
async def test_workers_that_cannot_start_end_the_proxy_with_a_line(monkeypatch, unused_tcp_port):
    monkeypatch.setattr("ccp_core.server.workers.sys.executable", "/bin/false")
    settings = Settings(server=ServerSettings(port=unused_tcp_port, workers=2))
    with pytest.raises(workers.CannotStart, match="before it could serve"):
        await workers.run(settings, lambda: LoadedSettings(settings), print)
    assert refuses(unused_tcp_port)


def test_limits_of_one_process_are_cut_into_parts_that_make_up_the_whole():
    settings = Settings(
        limits=LimitSettings(concurrency=5, queue=100, rate=7),
        providers={"a": ProviderSettings(concurrency=8), "b": ProviderSettings(concurrency=0)},
    )
    parts = [part_of(settings, number, 3) for number in range(3)]
    assert [part.limits.concurrency for part in parts] == [2, 2, 1]
    assert sum(part.limits.queue for part in parts) == 100
    assert [part.providers["a"].concurrency for part in parts] == [3, 3, 2]
    assert {part.providers["b"].concurrency for part in parts} == {0}
    assert {part.limits.rate for part in parts} == {7}  # which they share
    assert part_of(settings, 0, 1) == settings


def test_a_limit_below_the_number_of_workers_is_told():
    settings = Settings(limits=LimitSettings(concurrency=2), providers={"a": ProviderSettings(concurrency=1)})
    assert too_small(settings, 2) == ["providers.a.concurrency"]
    assert part_of(settings, 1, 2).providers["a"].concurrency == 1


def test_settings_reach_a_worker_as_they_are():
    settings = Settings(
        server=ServerSettings(allowed_hosts=("x.test",)),
        limits=LimitSettings(rate=3),
        providers={
            "a": ProviderSettings(
                api_keys=("k1", "k2"), headers={"X-A": "b"}, context_windows={"m": 5}, vision={"m": True}
            )
        },
    )
    sent = orjson.dumps(cattrs.unstructure(settings))
    assert cattrs.structure(orjson.loads(sent), Settings) == settings


@posix
@pytest.mark.parametrize("signals", [1, 2])
async def test_a_worker_that_hangs_does_not_keep_the_proxy_from_stopping(needs_proc, signals, start_process):
    """It is told to stop like the others, and killed when its time is over, or when somebody asks twice."""
    drain = 0.1 if signals == 1 else 60.0
    proxy = await start_process({"server": {"drain_seconds": drain}}, "--workers", "2")
    hangs = children(proxy.process.pid)[0]
    os.kill(hangs, signal.SIGSTOP)
    os.kill(proxy.process.pid, signal.SIGINT)
    await proxy.logged("stopping")
    if signals == 2:
        os.kill(proxy.process.pid, signal.SIGINT)
    await proxy.ended()
    await until(lambda: not Path(f"/proc/{hangs}").exists())


@posix
async def test_when_the_parent_is_killed_a_failed_attempt_is_still_repeated(
    needs_proc, fake_upstream, start_process
):
    """The worker that finishes its answers has nobody left whom it could ask for keys and rates."""
    gate = Gate()
    upstream = await fake_upstream([chat_error(500, "not now").after(Wait(gate)), HELLO])
    limits = {"rate": 50, "window": 1.0}
    proxy = await start_process(
        one_provider("nvidia_nim", upstream.base_url, limits=limits), "--workers", "2"
    )
    turn = asyncio.ensure_future(proxy.ask())
    await upstream.received(1)
    proxy.process.kill()
    await until(lambda: refuses(proxy.process.port))
    gate.open()
    status, body = await turn
    assert (status, body["content"][-1]["text"]) == (200, "Hello there, you")


@posix
async def test_a_worker_for_which_nothing_is_left_is_tried_again(needs_proc, monkeypatch, unused_tcp_port):
    """Without memory, processes or descriptors for it at the moment of a crash, the port keeps its others."""
    spawn = asyncio.create_subprocess_exec
    settings = Settings(server=ServerSettings(port=unused_tcp_port, workers=1))
    attempts = []

    async def sometimes(*arguments, **options):
        attempts.append(arguments)
        if len(attempts) in (2, 3):
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return await spawn(*arguments, **options)

    monkeypatch.setattr("ccp_core.server.workers.asyncio.create_subprocess_exec", sometimes)
    monkeypatch.setattr("ccp_core.server.workers.FIRST_WAIT", 0.01)
    keeper = workers.Workers(settings, listen("127.0.0.1", unused_tcp_port), lambda: LoadedSettings(settings))
    others = set(children(os.getpid()))  # a Redis of other tests, say
    try:
        await keeper.start()
        (worker,) = set(children(os.getpid())) - others
        os.kill(worker, signal.SIGKILL)
        await until(lambda: len(attempts) == 4)
        async with aiohttp.request("GET", f"http://127.0.0.1:{unused_tcp_port}/health") as response:
            assert response.status == 200
    finally:
        await keeper.kill()


@posix
async def test_a_worker_that_is_just_being_started_ends_with_the_others(monkeypatch, unused_tcp_port):
    spawn = asyncio.create_subprocess_exec
    started, go_on = asyncio.Event(), asyncio.Event()
    made = []

    async def slowly(*arguments, **options):
        made.append(await spawn(*arguments, **options))
        started.set()
        await go_on.wait()
        return made[0]

    monkeypatch.setattr("ccp_core.server.workers.asyncio.create_subprocess_exec", slowly)
    settings = Settings(server=ServerSettings(port=unused_tcp_port, workers=1))
    keeper = workers.Workers(settings, listen("127.0.0.1", unused_tcp_port), lambda: LoadedSettings(settings))
    starting = asyncio.ensure_future(keeper.start())
    try:
        await started.wait()
        ending = asyncio.ensure_future(keeper.kill())
        go_on.set()
        await asyncio.wait_for(ending, 10)
    finally:
        await asyncio.gather(starting, return_exceptions=True)
        if made[0].returncode is None:
            made[0].kill()
    assert made[0].returncode == -signal.SIGKILL


@posix
async def test_a_port_without_any_worker_is_told(monkeypatch, unused_tcp_port):
    async def never(*arguments, **options):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("ccp_core.server.workers.asyncio.create_subprocess_exec", never)
    settings = Settings(server=ServerSettings(port=unused_tcp_port, workers=2))
    with pytest.raises(workers.CannotStart, match="Resource temporarily unavailable"):
        await workers.run(settings, lambda: LoadedSettings(settings), print)
