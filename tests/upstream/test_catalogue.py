"""Model lists: fetched from every path, merged, kept fresh in the background, never in anybody's way."""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import cattrs
import pytest

from ccp_core import ModelCard, ProviderSpec, hookimpl
from ccp_core.config.settings import Settings
from ccp_core.gateway import Gateway, load_host
from ccp_core.host import TRANSPORT_GROUP, PluginHost
from ccp_core.testing import Answer, Gate, Stall, Wait, chat_error, models_list
from ccp_core.testing.proxy_app import KEY
from ccp_core.upstream import catalogue
from ccp_core.upstream.client import AttemptFailed
from ccp_core.upstream.upstream import Upstream


def host_with(base_url: str, **spec: Any) -> PluginHost:
    """The installed transports, and one provider ``acme``."""
    values = {"transports": ("openai",), "env_prefixes": ("ACME",), "models_paths": ("/models", "../details")}

    @hookimpl
    def ccp_register_providers(register: Any) -> None:
        register(ProviderSpec(id="acme", name="Acme", base_url=base_url, **(values | spec)))

    host = load_host()
    host.add(SimpleNamespace(ccp_register_providers=ccp_register_providers), name="acme")
    return host


def upstream_of(host: PluginHost, **own: Any) -> Upstream:
    """The upstream of ``acme`` with a key."""
    config = {"models": {"default": "acme/small"}, "providers": {"acme": {"api_key": KEY, **own}}}
    return Gateway(cattrs.structure(config, Settings), host).upstreams["acme"]


def details(**models: Any) -> Answer:
    return Answer.json({"data": [{"id": id, **entry} for id, entry in models.items()]})


async def test_cards_of_all_lists_are_merged_by_id_and_the_key_is_sent(fake_upstream):
    """What one list lacks another one completes."""
    routes = {
        "GET /models": models_list(["small", "big"]),
        "GET /details": details(small={"context_length": 8192}),
    }
    server = await fake_upstream(routes=routes)
    upstream = upstream_of(host_with(server.base_url))
    models = await catalogue.fetch(upstream)
    await upstream.close()
    assert {id: card.context_window for id, card in models.items()} == {"small": 8192, "big": None}
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}


async def test_a_list_that_fails_is_left_out_while_another_is_answered(fake_upstream):
    server = await fake_upstream(routes={"GET /models": models_list(["small"])})
    upstream = upstream_of(host_with(server.base_url))
    models = await catalogue.fetch(upstream)
    await upstream.close()
    assert list(models) == ["small"]


async def test_when_every_list_fails_the_failure_is_told(fake_upstream):
    refusal = chat_error(401, "no such key")
    server = await fake_upstream(routes={"GET /models": refusal, "GET /details": refusal})
    upstream = upstream_of(host_with(server.base_url))
    with pytest.raises(AttemptFailed) as failed:
        await catalogue.fetch(upstream)
    await upstream.close()
    assert failed.value.failure.status == 401


async def test_the_key_of_another_address_is_not_sent_to_the_vendors_own_host(fake_upstream):
    """A gateway's key is nobody else's business."""
    vendor = await fake_upstream(routes={"GET /list": models_list(["small"])})
    gateway = await fake_upstream(routes={"GET /models": models_list(["own"])})
    host = host_with("https://vendor.example/v1", models_paths=(f"{vendor.url}/list",))
    upstream = upstream_of(host, base_url=gateway.base_url)
    models = await catalogue.fetch(upstream)
    await upstream.close()
    assert list(models) == ["own"]
    assert vendor.requests == []


async def test_plugins_see_the_models_that_were_found_and_what_the_settings_say_of_them(fake_upstream):
    server = await fake_upstream(routes={"GET /models": models_list(["small"])})
    upstream = upstream_of(host_with(server.base_url), context_windows={"small": 4096, "hidden": 1000})
    assert upstream.provider.models["small"].context_window == 4096
    assert await catalogue.refresh(upstream)
    await upstream.close()
    assert upstream.provider.models == {
        "small": ModelCard(id="small", context_window=4096),
        "hidden": ModelCard(id="hidden", context_window=1000),
    }


async def test_a_refresh_that_fails_keeps_what_was_known(refusing_upstream):
    upstream = upstream_of(host_with(refusing_upstream))
    upstream.set_models({"small": ModelCard(id="small")})
    assert not await catalogue.refresh(upstream)
    await upstream.close()
    assert list(upstream.models) == ["small"]


@pytest.mark.parametrize(
    ("spec", "own", "configured"),
    [
        ({}, {"api_key": "sk-1"}, True),
        ({}, {"api_key": ""}, False),
        ({}, {"api_key": "", "auth": "none"}, True),
        ({"needs_key": False}, {"api_key": ""}, True),
        ({"models_paths": ()}, {"api_key": "sk-1"}, False),
    ],
)
async def test_only_providers_with_access_are_asked(spec, own, configured):
    upstream = upstream_of(host_with("http://127.0.0.1:9/v1", **spec), **own)
    assert catalogue.is_configured(upstream) is configured


def endpoint(base_url: str) -> dict[str, Any]:
    own = {"transport": "openai", "base_url": base_url}
    return {"models": {"default": "own/m"}, "providers": {"own": own}}


def transports() -> PluginHost:
    """No providers: those on this machine would be asked, too, and somebody may run them."""
    return PluginHost.load(entry_points(group=TRANSPORT_GROUP))


async def test_the_proxy_lists_models_once_they_have_come_in_the_background(fake_upstream, start_proxy):
    gate = Gate()
    answer = models_list(["m", "other"])
    server = await fake_upstream(routes={"GET /models": answer.after(Wait(gate))})
    proxy = await start_proxy(endpoint(server.base_url), host=transports(), refresh_models=True)
    await gate.reached.wait()

    async def listed() -> list[str]:
        """Of this server: others may run on this machine, and are found too."""
        ids = [entry["id"] for entry in (await proxy.request("GET", "/v1/models")).json["data"]]
        return [id for id in ids if id.startswith("anthropic/own/")]

    before = await listed()
    gate.open()
    await server.requests[0].finished.wait()
    after = before
    while len(after) < 2:
        after = await listed()
    assert before == ["anthropic/own/m"]
    assert after == ["anthropic/own/m", "anthropic/own/other"]


async def test_a_list_that_never_comes_delays_neither_requests_nor_the_end(fake_upstream, start_proxy):
    server = await fake_upstream(routes={"GET /models": models_list().after(Stall())})
    async with asyncio.timeout(10):
        proxy = await start_proxy(endpoint(server.base_url), host=transports(), refresh_models=True)
        await server.received()
        assert (await proxy.request("GET", "/v1/models")).status == 200
        await proxy.gateway.close()
        await server.requests[0].disconnected.wait()


async def test_models_are_refreshed_again_and_again(fake_upstream):
    numbers = iter(range(1, 1000))
    server = await fake_upstream(routes={"GET /models": lambda _: models_list([f"model-{next(numbers)}"])})
    upstream = upstream_of(host_with(server.base_url, models_paths=("/models",)))
    task = asyncio.create_task(catalogue.keep_fresh([upstream], interval=0.01))
    await server.received(3)
    assert list(upstream.models) == ["model-2"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await upstream.close()
