"""Reading the configuration again: what changes, what goes on, and what happens to a wrong one."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from ccp_core.testing import Gate, Wait, chat_error, chat_stream, validate_stream
from ccp_core.testing.proxy_app import KEY, one_provider

from .conftest import until

needs_sighup = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
WORKERS = pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=needs_sighup)])


def routed_to(model, upstream, **sections):
    config = one_provider("nvidia_nim", upstream.base_url, **sections)
    return {**config, "models": {"default": f"nvidia_nim/{model}"}}


async def models_used(proxy, upstream, requests=6):
    """The models that further requests, each on a connection of its own, are sent to."""
    before = len(upstream.requests)
    for status, _ in await asyncio.gather(*(proxy.ask() for _ in range(requests))):
        assert status == 200
    return {request.json["model"] for request in upstream.requests[before:] if request.dialect}


@WORKERS
async def test_ccp_reload_puts_the_new_configuration_in_force_and_drops_no_answer(
    workers, fake_upstream, start_process
):
    gate = Gate()
    answers = [chat_stream(text="Hello there, you").insert(-3, Wait(gate)), *[chat_stream(text="x")] * 12]
    upstream = await fake_upstream(answers)
    proxy = await start_process(routed_to("old", upstream), "--workers", workers)
    stream = await proxy.open()
    proxy.process.configure(routed_to("new", upstream))
    done = await proxy.ccp("reload")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"at {proxy.url} has read its configuration again" in done.stdout
    assert await models_used(proxy, upstream) == {"new"}
    gate.open()
    assert validate_stream(await stream.rest()).message.text == "Hello there, you"


@WORKERS
async def test_a_wrong_configuration_is_refused_in_one_line_and_the_old_one_stays(
    workers, fake_upstream, start_process
):
    upstream = await fake_upstream([chat_stream(text="x")] * 12)
    proxy = await start_process(routed_to("old", upstream), "--workers", workers)
    proxy.process.configure({**routed_to("new", upstream), "limits": {"rate": "much"}})
    done = await proxy.ccp("reload")
    assert done.returncode == 2
    problem, consequence = done.stderr.splitlines()
    assert "limits.rate" in problem
    assert "ccp.toml" in problem
    assert "keeps the configuration that it had" in consequence
    assert "limits.rate" in await proxy.logged("configuration_not_reloaded")
    assert await models_used(proxy, upstream) == {"old"}


@pytest.mark.parametrize("keys_in_environment", [False, True])
async def test_a_configuration_that_is_empty_of_a_sudden_is_refused(
    keys_in_environment, fake_upstream, start_process
):
    """As a file is while an editor saves it: its models and its token must not be lost to running sessions."""
    upstream = await fake_upstream(lambda request: chat_stream(text="x"))
    env = {"NVIDIA_NIM_API_KEY": KEY} if keys_in_environment else {}
    proxy = await start_process(routed_to("old", upstream), env=env)
    proxy.process.configure({})
    done = await proxy.ccp("reload")
    assert done.returncode == 2
    assert "no model is configured any more" in done.stderr
    assert await models_used(proxy, upstream) == {"old"}
    proxy.process.configure(routed_to("new", upstream))
    assert (await proxy.ccp("reload")).returncode == 0
    assert await models_used(proxy, upstream) == {"new"}


@needs_sighup
@WORKERS
async def test_sighup_does_the_same(workers, fake_upstream, start_process):
    upstream = await fake_upstream(lambda request: chat_stream(text="x"))
    proxy = await start_process(routed_to("old", upstream), "--workers", workers)
    proxy.process.configure(routed_to("new", upstream))
    proxy.process.send(signal.SIGHUP)
    await proxy.logged("configuration_reloaded")
    assert await models_used(proxy, upstream) == {"new"}
    proxy.process.configure({"nonsense": 1})
    proxy.process.send(signal.SIGHUP)
    assert "nonsense" in await proxy.logged("configuration_not_reloaded")
    assert await models_used(proxy, upstream) == {"new"}


async def test_what_needs_a_new_start_is_said(fake_upstream, start_process):
    upstream = await fake_upstream(lambda request: chat_stream(text="x"))
    proxy = await start_process(routed_to("old", upstream))
    proxy.process.configure(
        routed_to("new", upstream, server={"workers": 3, "host": "127.0.0.2"}, logging={"level": "debug"})
    )
    done = await proxy.ccp("reload")
    assert done.returncode == 0
    for name in ("server.workers", "logging.level"):
        assert f"{name} takes effect at the next start" in done.stderr
    assert await models_used(proxy, upstream) == {"new"}


async def test_a_key_that_comes_with_a_reload_is_in_no_log_either(fake_upstream, start_process):
    later = "a0Later0Key0Without0Any0Usual0Form"
    upstream = await fake_upstream(
        lambda request: chat_error(500, f"broken by {request.headers['authorization'].split()[-1]}")
    )
    config = routed_to("m", upstream, logging={"api_error_tracebacks": True}, limits={"retries": 0})
    proxy = await start_process(config)
    await proxy.ask()
    config["providers"]["nvidia_nim"]["api_key"] = later
    proxy.process.configure(config)
    assert (await proxy.ccp("reload")).returncode == 0
    _, body = await proxy.ask()
    assert upstream.model_calls[-1].headers["authorization"] == f"Bearer {later}"
    assert KEY not in proxy.process.log + proxy.process.log_file
    assert later not in proxy.process.log + proxy.process.log_file + str(body)


async def test_reload_names_what_it_does_not_find(start_process):
    first = await start_process({})
    second = await start_process({}, env={"HOME": str(first.process.folder), "XDG_STATE_HOME": ""})
    both = await first.ccp("reload")
    assert both.returncode == 2
    assert str(first.process.port) in both.stderr
    assert str(second.process.port) in both.stderr
    assert (await first.ccp("reload", "--port", str(second.process.port))).returncode == 0
    await asyncio.to_thread(second.process.stop)
    assert (await first.ccp("reload")).returncode == 0
    nobody = await first.ccp("reload", "--port", str(second.process.port))
    assert nobody.returncode == 2
    assert f"no proxy of yours is running at port {second.process.port}" in nobody.stderr


async def test_a_killed_proxy_is_not_found(start_process):
    proxy = await start_process({})
    proxy.process.kill()
    await proxy.ended()
    done = await proxy.ccp("reload")
    assert done.returncode == 2
    assert "no proxy of yours is running" in done.stderr


async def test_only_the_owner_can_ask_for_a_reload(start_process):
    proxy = await start_process({})
    for headers in ({}, {"x-ccp-secret": "guessed"}, {"x-ccp-secret": ""}):
        async with proxy.session.post(proxy.url + "/ccp/reload", headers=headers) as response:
            assert response.status == 403
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.process.port)
    writer.write(
        b"POST /ccp/reload HTTP/1.1\r\nhost: localhost\r\nx-ccp-secret: \xff\r\n\r\n"
    )  # no text at all
    assert (await reader.readline()).split()[1] == b"403"
    writer.close()


async def test_windows_and_cool_downs_go_on_after_a_reload(fake_upstream, start_proxy):
    """Otherwise each reload would let a further burst through, and ask with a key that is known to be limited."""
    limited = chat_error(429, "Slow down").with_headers({"retry-after": "50"})
    upstream = await fake_upstream([limited, *[chat_stream(text="x")] * 3])
    keys = {"api_key": "", "api_keys": ["first-key-1", "second-key-2"]}
    limits = {"rate": 4, "window": 60.0, "retry_total": 1.0}
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url, provider=keys, limits=limits))
    assert (await proxy.post()).status == 200
    await proxy.reload(
        one_provider(
            "nvidia_nim", upstream.base_url, provider={**keys, "max_tokens": 77}, limits=limits, server={}
        )
    )
    assert (await proxy.post()).status == 200
    assert (await proxy.post()).status == 200
    sent = [request.headers["authorization"].split()[-1] for request in upstream.requests]
    assert sent == ["first-key-1", "second-key-2", "second-key-2", "second-key-2"]
    assert upstream.requests[-1].json["max_tokens"] == 77
    waiting = asyncio.ensure_future(proxy.post())
    await until(lambda: proxy.gateway.upstreams["nvidia_nim"].throttle.waiting)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(upstream.requests) == 4


async def test_a_provider_whose_settings_stay_keeps_its_connections(fake_upstream, start_proxy):
    upstream = await fake_upstream([chat_stream(text="x")] * 2)
    config = one_provider("nvidia_nim", upstream.base_url)
    proxy = await start_proxy(config)
    await proxy.post()
    await proxy.reload({**config, "models": {"default": "nvidia_nim/other"}})
    await proxy.post()
    assert [request.json["model"] for request in upstream.requests] == ["test-model", "other"]
    assert upstream.connections == 1


async def test_an_answer_survives_two_reloads_of_which_the_second_drops_its_provider(
    fake_upstream, start_proxy
):
    gate = Gate()
    upstream = await fake_upstream(chat_stream(text="Hello there, you").insert(-3, Wait(gate)))
    config = one_provider("nvidia_nim", upstream.base_url)
    proxy = await start_proxy(config)
    turn = asyncio.ensure_future(proxy.stream())
    await gate.reached.wait()
    await proxy.reload({**config, "models": {"default": "nvidia_nim/other"}})
    await proxy.reload(one_provider("open_router", upstream.base_url))
    await asyncio.wait([turn], timeout=0.1)  # time for a connection to be closed that must not be
    gate.open()
    assert validate_stream((await turn).body).message.text == "Hello there, you"
