"""A broken plugin never stops the proxy or another lane; it is named, and its own requests get a clear error."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from click.testing import CliRunner
from structlog.testing import capture_logs

from ccp_core.cli.main import cli
from ccp_core.cli.start import load, load_plugins, make_gateway
from ccp_core.testing import Answer, chat_error, chat_stream, validate_stream
from ccp_core.testing.proxy_app import KEY, TURN, Reply, RunningProxy
from ccp_core.testing.pytest_plugin import StartProxy, StartUpstream

Install = Callable[..., str]

IMPORTS = """
from ccp_core import *
from ccp_core.protocol.events import *
"""
REGISTER = """
@hookimpl
def ccp_register_providers(register):
    register(ProviderSpec(id="acme", name="Acme", base_url="http://127.0.0.1:1/v1", transports=("openai",),
                          env_prefixes=("ACME",), needs_key=False))
"""
SECRET = "the-prompt-is-a-secret"


@pytest.fixture(autouse=True)
def logging_as_it_is_at_first() -> Iterator[None]:
    """Commands silence the log of their process."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one plugin, as pip would leave it; the answer is its name."""

    def put(source: str, *, entry_point: str = "acme", distribution: str = "ccp-acme") -> str:
        module = distribution.replace("-", "_")
        folder = tmp_path / distribution
        info = folder / f"{module}-1.2.3.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text(f"[ccp]\n{entry_point} = {module}\n")
        (folder / f"{module}.py").write_text(IMPORTS + textwrap.dedent(source))
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return distribution

    return put


@pytest.fixture
def start(fake_upstream: StartUpstream, start_proxy: StartProxy) -> Callable[..., Any]:
    """Start a proxy that routes to a sound endpoint by default, and to the plugin's provider for opus."""

    async def run(script: Any = (), sound: Answer | None = None) -> RunningProxy:
        fine = await fake_upstream([sound or chat_stream(text="sound")] * 3)
        acme = await fake_upstream(script)
        own = {"base_url": acme.base_url, "transport": "openai", "api_key": KEY}
        config: Mapping[str, Any] = {
            "models": {"default": "fine/model", "opus": "acme/model"},
            "providers": {"acme": own, "fine": {**own, "base_url": fine.base_url}},
            "limits": {"rate": 0, "concurrency": 0, "retries": 1, "retry_base": 0.0},
        }
        proxy: RunningProxy = await start_proxy(config)
        return proxy

    return run


async def other_lane(proxy: RunningProxy) -> Reply:
    return await proxy.post({**TURN, "model": "claude-sonnet-5-5"})


async def health(proxy: RunningProxy) -> Any:
    return (await proxy.request("GET", "/health")).json


async def broken(proxy: RunningProxy, distribution: str = "ccp-acme") -> Any:
    """What /health says of the one broken plugin of a distribution."""
    (plugin,) = (p for p in (await health(proxy))["broken_plugins"] if p["distribution"] == distribution)
    return plugin


AT_START: dict[str, tuple[str, str]] = {
    "import error": ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
    "syntax error": ("def (", "SyntaxError"),
    "exit": ("raise SystemExit('I am not ready')", "I am not ready"),
    "raises in registration": (
        "@hookimpl\ndef ccp_register_providers(register):\n    raise KeyError('no settings')",
        "KeyError: 'no settings'",
    ),
    "misspelt hook": (
        REGISTER + "@hookimpl\ndef ccp_clasify_error(provider): return None",
        "did you mean ccp_classify_error?",
    ),
    "misspelt argument": (
        REGISTER + "@hookimpl\ndef ccp_classify_error(provder): return None",
        "provder",
    ),
    "async hook": (
        REGISTER + "@hookimpl\nasync def ccp_classify_error(failure): return None",
        "ccp_classify_error is an async function",
    ),
    "registers nonsense": (
        "@hookimpl\ndef ccp_register_providers(register):\n    register('acme')",
        "a str where a ProviderSpec is needed",
    ),
    "registers twice": (REGISTER.replace("register(P", "for _ in 'ab': register(P"), "already registered"),
    "transports as a string": (REGISTER.replace('("openai",)', '"openai"'), "not a tuple of strings"),
}


@pytest.mark.parametrize("fault", AT_START)
async def test_a_plugin_that_cannot_be_loaded_is_left_out(
    fault: str, install: Install, start: Callable[..., Any]
) -> None:
    """The proxy starts, names the plugin in the log and in /health, and says it to whoever asks for its models."""
    source, reason = AT_START[fault]
    install(source)
    with capture_logs() as logs:
        proxy = await start()
    assert (await other_lane(proxy)).json["content"][0]["text"] == "sound"

    plugin = await broken(proxy)
    assert (plugin["name"], plugin["version"]) == ("acme", "1.2.3")
    assert reason in plugin["reason"]
    assert "ccp-acme" in [entry["distribution"] for entry in logs if entry["event"] == "plugin_broken"]

    for reply in (await proxy.post(), await proxy.post({**TURN, "model": "acme/any"})):
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        assert "'acme' cannot be used" in reply.error["message"]
        assert "ccp-acme" in reply.error["message"]
        assert reason in reply.error["message"]


async def test_a_transport_that_nobody_has_makes_one_provider_unusable(
    install: Install, start: Callable[..., Any]
) -> None:
    """A provider that names a transport without a library is told of, the others work."""
    install(REGISTER.replace("openai", "carrier-pigeon"))
    proxy = await start()
    assert (await other_lane(proxy)).status == 200
    assert "acme" in (await health(proxy))["providers"]  # the person's settings name a transport that exists


async def test_a_provider_id_that_is_taken_belongs_to_the_first(
    install: Install, start: Callable[..., Any]
) -> None:
    """The second plugin is left out and the first goes on to answer."""
    install(REGISTER, entry_point="acme", distribution="ccp-acme")
    install(REGISTER, entry_point="zz-acme", distribution="ccp-pretender")
    proxy = await start([chat_stream(text="from acme")])
    assert (await broken(proxy, "ccp-pretender"))[
        "reason"
    ] == "provider id 'acme' is already registered by ccp-acme"
    assert (await proxy.post()).json["content"][0]["text"] == "from acme"


AT_WORK: dict[str, tuple[str, str, str]] = {
    "build raises": (
        "ccp_build_request(request)",
        f"raise ValueError('{SECRET}')",
        "it raised ValueError at",
    ),
    "build answers a dict": ("ccp_build_request()", "return {}", "a dict is no UpstreamRequest"),
    "local answer is a string": ("ccp_answer_locally()", "return 'hello'", "a str is no LocalAnswer"),
    "open raises": ("ccp_open_stream()", "1 / 0", "it raised ZeroDivisionError at"),
    "translate raises": ("ccp_translate_chunk(chunk)", "chunk[99]", "it raised IndexError at"),
    "translate answers a string": (
        "ccp_translate_chunk()",
        "return 'hi'",
        "a str is no list of stream events",
    ),
    "translate answers strings": ("ccp_translate_chunk()", "return ['hi']", "a str is no stream event"),
    "translate answers a generator": (
        "ccp_translate_chunk()",
        "return (_ for _ in ())",
        "a generator is no list",
    ),
    "translate answers text that is none": (
        "ccp_translate_chunk()",
        "return [TextDelta(0, 3)]",
        "text of its TextDelta is an int and no str",
    ),
    "translate answers a block that is none": (
        "ccp_translate_chunk()",
        "return [BlockStart(0, 'text')]",
        "block of its BlockStart is a str and no dict",
    ),
    "finish raises": ("ccp_finish_stream()", "raise RuntimeError", "it raised RuntimeError at"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_local_answer_without_events_is_an_empty_answer(
    stream: bool, install: Install, start: Callable[..., Any]
) -> None:
    """It is legal, if odd: the client gets the empty answer that the grammar makes of it."""
    install(
        f"{REGISTER}\n@hookimpl\ndef ccp_answer_locally():\n    return LocalAnswer(name='none', events=[])\n"
    )
    proxy = await start([])
    reply = await (proxy.stream() if stream else proxy.post())
    message = validate_stream(reply.body).message if stream else reply.json
    content = message.content if stream else message["content"]
    assert (reply.status, content) == (200, [{"type": "text", "text": " "}])


@pytest.mark.parametrize("fault", AT_WORK)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_a_plugin_that_fails_at_work_ends_its_own_requests_only(
    fault: str, stream: bool, install: Install, start: Callable[..., Any]
) -> None:
    """The client is told which plugin failed in which hook; nothing of the request is in the error or in the log."""
    definition, body, reason = AT_WORK[fault]
    install(f"{REGISTER}\n@hookimpl\ndef {definition}:\n    {body}\n")
    proxy = await start([chat_stream(text="never ends").keep(-2)] * 2)
    with capture_logs() as logs:
        reply = await proxy.post(
            {**TURN, "stream": stream, "messages": [{"role": "user", "content": SECRET}]}
        )
        assert (await other_lane(proxy)).json["content"][0]["text"] == "sound"

    message = reply.body.decode()
    assert reply.status == 500 or b"event: error" in reply.body
    assert "ccp-acme failed in " + definition.partition("(")[0] in message
    assert reason in message
    assert SECRET not in message
    assert SECRET not in repr(logs)
    (failing,) = (await health(proxy))["failing_plugins"]
    assert (failing["distribution"], failing["hook"]) == ("ccp-acme", definition.partition("(")[0])
    assert failing["count"] == 1
    assert [entry["distribution"] for entry in logs if entry["event"] == "hook_failed"] == ["ccp-acme"]


@pytest.mark.parametrize("body", ["raise LookupError", "return 'overflow'"])
async def test_a_plugin_that_fails_in_judging_leaves_that_to_the_core(
    body: str, install: Install, start: Callable[..., Any]
) -> None:
    """The client gets the upstream's failure as the core understands it; the plugin's is told beside it."""
    install(f"{REGISTER}\n@hookimpl\ndef ccp_classify_error(failure):\n    {body}\n")
    proxy = await start([chat_error(402, "no credit left", type="billing_error")])
    reply = await proxy.post()
    assert (reply.status, reply.error["type"]) == (402, "billing_error")
    assert "no credit left" in reply.error["message"]
    (failing,) = (await health(proxy))["failing_plugins"]
    assert (failing["distribution"], failing["hook"]) == ("ccp-acme", "ccp_classify_error")


async def test_a_listener_that_raises_does_not_undo_an_answer(
    install: Install, start: Callable[..., Any]
) -> None:
    """A request that is done stays done, and the listener is named."""
    install(f"{REGISTER}\n@hookimpl\ndef ccp_request_finished(record):\n    raise OSError('disk full')\n")
    proxy = await start([chat_stream(text="done")])
    assert (await proxy.post()).json["content"][0]["text"] == "done"
    (failing,) = (await health(proxy))["failing_plugins"]
    assert failing["hook"] == "ccp_request_finished"


async def test_middleware_that_raises_is_named_and_never_passed_by(
    install: Install, start: Callable[..., Any]
) -> None:
    """What middleware was to take out of a request must not go out because it failed."""
    install("@hookimpl\ndef ccp_build_request(request):\n    raise KeyError\n", distribution="ccp-redact")
    proxy = await start()
    reply = await other_lane(proxy)
    assert (reply.status, reply.error["type"]) == (500, "api_error")
    assert "ccp-redact failed in ccp_build_request" in reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"


async def test_a_start_up_hook_that_raises_is_named(install: Install, start: Callable[..., Any]) -> None:
    """A plugin that cannot add its routes does not keep the server from starting."""
    install(
        "@hookimpl\ndef ccp_configure_app(app):\n    raise RuntimeError('no')\n", distribution="ccp-routes"
    )
    proxy = await start()
    assert (await other_lane(proxy)).status == 200
    assert (await broken(proxy, "ccp-routes"))["reason"] == "RuntimeError: no"


async def test_a_model_list_that_a_plugin_cannot_read_is_harmless(
    install: Install, start: Callable[..., Any]
) -> None:
    """A refresh of the models in the background fails for that provider alone."""
    install(f"{REGISTER}\n@hookimpl\ndef ccp_list_models(payload):\n    return ['m']\n")
    proxy = await start([chat_stream(text="answered")])
    assert (await proxy.post()).json["content"][0]["text"] == "answered"


def test_settings_that_name_the_provider_of_a_broken_plugin_do_not_keep_the_proxy_from_starting(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was configured for the plugin while it worked is no mistake: routes, variables and a table of its own."""
    install("import a_module_that_is_not_there")
    monkeypatch.setenv("ACME_API_KEY", KEY)
    config = tmp_path / "ccp.toml"
    config.write_text(
        '[models]\ndefault = "acme/big"\n[providers.acme]\nbase_url = "http://127.0.0.1:1"\ntransport = "openai"\n'
    )
    plugins = load_plugins()
    gateway = make_gateway(load(config, plugins), plugins, refresh_models=False)
    assert "ccp-acme is broken" in gateway.unusable["acme"]


def test_a_broken_plugin_is_listed_once_with_its_reason(install: Install, tmp_path: Path) -> None:
    """``ccp plugins`` names distribution, version and what is wrong, and lists no provider that is not there."""
    install("import a_module_that_is_not_there")
    config = tmp_path / "ccp.toml"
    config.write_text("")
    found = orjson.loads(CliRunner().invoke(cli, ["plugins", "--json", "--config", str(config)]).output)
    (plugin,) = (entry for entry in found["broken"] if entry["distribution"] == "ccp-acme")
    assert (plugin["name"], plugin["version"]) == ("acme", "1.2.3")
    assert "a_module_that_is_not_there" in plugin["reason"]
    assert "acme" not in [entry["id"] for entry in found["providers"]]
    table = CliRunner().invoke(cli, ["plugins", "--config", str(config)]).output
    assert table.count("a_module_that_is_not_there") == 1
