"""How the proxy ends: what is under way may finish, and whoever cannot is told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from ccp_core.testing import Gate, Stall, Wait, chat_stream, validate_stream
from ccp_core.testing.processes import clean_environment
from ccp_core.testing.proxy_app import one_provider

from .conftest import refuses, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


@WORKERS
async def test_answers_under_way_are_finished_and_new_connections_refused(
    workers, fake_upstream, start_process
):
    gate = Gate()
    upstream = await fake_upstream(chat_stream(text="Hello there, you").insert(-3, Wait(gate)))
    proxy = await start_process(one_provider("nvidia_nim", upstream.base_url), "--workers", workers)
    stream = await proxy.open()
    proxy.process.send(signal.SIGTERM)
    await until(lambda: refuses(proxy.process.port))
    gate.open()
    assert validate_stream(await stream.rest()).message.text == "Hello there, you"
    assert await proxy.ended() == 0


@WORKERS
async def test_answers_that_take_too_long_end_with_an_error_in_their_open_block(
    workers, fake_upstream, start_process
):
    """So the client asks again, which it would not do after a closed connection alone."""
    upstream = await fake_upstream(
        lambda request: (
            chat_stream(text="Hello there, you").insert(-3, Stall()) if request.json["stream"] else None
        )
    )
    config = one_provider("nvidia_nim", upstream.base_url, server={"drain_seconds": 0.2})
    proxy = await start_process(config, "--workers", workers)
    stream = await proxy.open()
    proxy.process.send(signal.SIGTERM)
    told = validate_stream(await stream.rest(), ending="error", error_in_open_block=True)
    assert told.error["type"] == "overloaded_error"
    assert "being stopped" in told.error["message"]
    assert await proxy.ended() == 0


async def test_a_request_without_an_answer_yet_gets_a_status_upon_which_it_is_repeated(
    fake_upstream, start_process
):
    upstream = await fake_upstream(chat_stream(text="Hello").after(Stall()))
    config = one_provider("nvidia_nim", upstream.base_url, server={"drain_seconds": 0.2})
    proxy = await start_process(config)
    turns = [asyncio.ensure_future(proxy.ask(stream=streamed)) for streamed in (True, False)]
    await upstream.received(2)
    proxy.process.send(signal.SIGTERM)
    for status, body in await asyncio.gather(*turns):
        assert (status, body["error"]["type"]) == (529, "overloaded_error")
    assert await proxy.ended() == 0


@WORKERS
async def test_asked_twice_it_ends_at_once(workers, fake_upstream, start_process):
    upstream = await fake_upstream(chat_stream(text="Hello there, you").insert(-3, Stall()))
    proxy = await start_process(one_provider("nvidia_nim", upstream.base_url), "--workers", workers)
    stream = await proxy.open()
    proxy.process.send(signal.SIGINT)
    await until(lambda: refuses(proxy.process.port))
    begun = time.monotonic()
    proxy.process.send(signal.SIGINT)
    assert await proxy.ended() == 130
    assert time.monotonic() - begun < 5  # and not the 30 s of drain_seconds
    await stream.rest()


@WORKERS
async def test_an_idle_proxy_ends_at_once_also_with_clients_connected(workers, start_process):
    proxy = await start_process({}, "--workers", workers)
    await proxy.health()  # leaves an open connection behind
    begun = time.monotonic()
    proxy.process.send(signal.SIGTERM)
    assert await proxy.ended() == 0
    assert time.monotonic() - begun < 5
    assert not proxy.process.log.count("Traceback")


@WORKERS
async def test_a_second_proxy_on_the_port_says_so(workers, start_process):
    first = await start_process({})
    second = await first.ccp("serve", "--port", str(first.process.port), "--workers", workers)
    assert second.returncode == 2
    assert f"port {first.process.port}" in second.stderr
    assert "--port" in second.stderr
    assert "Traceback" not in second.stderr


def serve(folder, **options):
    """``ccp serve`` without a configuration, on any port."""
    command = [sys.executable, "-m", "ccp_core", "serve", "--port", "0"]
    return subprocess.Popen(command, env=clean_environment(folder), cwd=folder, **options)


def test_it_can_be_stopped_before_it_serves(tmp_path):
    """Ctrl-C while it starts is no crash."""
    process = serve(tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode in (0, 130)
    assert "Traceback" not in output


def test_a_terminal_that_is_closed_takes_its_proxy_with_it(tmp_path):
    """Its SIGHUP does not ask for a reload: nobody would find the proxy that goes on without a terminal."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    process = serve(
        tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    seen = b""
    while b"ccp env" not in seen:  # the last line
        seen += os.read(ours, 1000)
    os.close(ours)
    try:
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    assert "stopping" in "".join(path.read_text() for path in tmp_path.rglob("server.log"))


def test_redis_without_its_client_ends_the_start_with_the_cure(tmp_path):
    (tmp_path / "redis.py").write_text("raise ImportError(name='redis')")
    environment = {**clean_environment(tmp_path), "PYTHONPATH": str(tmp_path)}
    environment["CCP_LIMITS_STORAGE"] = "redis://127.0.0.1:1"
    done = subprocess.run(
        [sys.executable, "-m", "ccp_core", "serve", "--port", "0"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert 'pip install "ccp-core[redis]"' in done.stderr
    assert "Traceback" not in done.stderr
