"""What each environment variable does to the running proxy, as a client and an upstream see it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cattrs
import orjson
import pytest

from ccp_core import logs
from ccp_core.config.names import KNOWN_PROVIDERS
from ccp_core.config.secrets import secrets_of
from ccp_core.config.settings import Settings
from ccp_core.config.sources import load_settings
from ccp_core.gateway import Gateway, load_host
from ccp_core.server.run import serving
from ccp_core.testing import Answer, Stall, chat_error, chat_stream, say, validate_stream
from ccp_core.testing.proxy_app import TURN, RunningProxy
from ccp_core.testing.scripted_model import Turn

Configured = Callable[..., Awaitable[RunningProxy]]
NIM = {"NVIDIA_NIM_API_KEY": "k1", "MODEL": "nvidia_nim/default-model", "PROVIDER_RATE_LIMIT": "0"}


def settings_of(folder: Path, **variables: str) -> Settings:
    """The settings of a process that has these variables and nothing else."""
    host = load_host()
    loaded = load_settings(
        None, variables, {}, installed=host.configurable, transports=host.transports, cwd=folder, home=folder
    )
    return loaded.settings


@pytest.fixture
def configured(start_proxy: Any, tmp_path: Path) -> Configured:
    """Run the proxy with these variables: ``proxy = await configured(MODEL="groq/x", GROQ_API_KEY="k")``."""

    async def start(**variables: str) -> RunningProxy:
        proxy: RunningProxy = await start_proxy(cattrs.unstructure(settings_of(tmp_path, **variables)))
        return proxy

    return start


@pytest.fixture
def nim(fake_upstream: Any, configured: Configured) -> Any:
    """Run it in front of one scripted NVIDIA NIM: ``proxy, upstream = await nim(script, MODEL_OPUS="…")``."""

    async def start(script: Any, **variables: str) -> tuple[RunningProxy, Any]:
        upstream = await fake_upstream(script)
        return await configured(**{**NIM, "NVIDIA_NIM_BASE_URL": upstream.base_url, **variables}), upstream

    return start


def hello(request: Any) -> Answer:
    """An answer with reasoning and text, in the dialect of the request."""
    return say(request, Turn(reasoning="A greeting.", text="Hello."))


# Where the proxy listens, and for whom


async def test_host_and_port_say_where_it_listens(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gateway = Gateway(settings_of(tmp_path, HOST="localhost", PORT=str(port)), load_host())
    async with serving(gateway) as url:
        assert url.endswith(f":{port}")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


@pytest.mark.parametrize("header", ["x_api_key", "anthropic_auth_token", "authorization"])
async def test_anthropic_auth_token_is_what_clients_must_send(header, nim):
    proxy, upstream = await nim(hello, ANTHROPIC_AUTH_TOKEN="freecc")
    bearer = "Bearer " if header == "authorization" else ""
    assert (await proxy.post()).error["type"] == "permission_error"
    assert (await proxy.post(**{header: f"{bearer}wrong"})).error["type"] == "permission_error"
    assert (await proxy.post(**{header: f"{bearer}freecc"})).status == 200
    assert (await proxy.post(**{header: f"{bearer}freecc:nvidia_nim/vendor/other:free"})).status == 200
    assert [call.json["model"] for call in upstream.model_calls] == ["default-model", "vendor/other:free"]


# Models and thinking


@pytest.mark.parametrize("tier", ["opus", "sonnet", "haiku", "fable"])
async def test_model_is_for_all_and_model_tier_for_ids_with_the_tiers_name(tier, nim):
    proxy, upstream = await nim(hello, **{f"MODEL_{tier.upper()}": "nvidia_nim/of/its:own"})
    await proxy.post({**TURN, "model": f"claude-{tier}-9-9"})
    await proxy.post({**TURN, "model": "claude-something-else"})
    assert [call.json["model"] for call in upstream.model_calls] == ["of/its:own", "default-model"]


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, {"opus": True, "haiku": True}),
        ({"ENABLE_MODEL_THINKING": "false"}, {"opus": False, "haiku": False}),
        ({"ENABLE_OPUS_THINKING": "false"}, {"opus": False, "haiku": True}),
        ({"ENABLE_SONNET_THINKING": "false"}, {"sonnet": False, "opus": True}),
        ({"ENABLE_HAIKU_THINKING": "false"}, {"haiku": False, "opus": True}),
        ({"ENABLE_FABLE_THINKING": "false"}, {"fable": False, "opus": True}),
        (
            {"ENABLE_MODEL_THINKING": "false", "ENABLE_HAIKU_THINKING": "true"},
            {"opus": False, "haiku": True},
        ),
    ],
)
async def test_thinking_is_shown_of_the_tiers_for_which_it_is_on(variables, shown, nim):
    proxy, _ = await nim(hello, **variables)
    for tier, wanted in shown.items():
        reply = await proxy.post({**TURN, "model": f"claude-{tier}-9", "thinking": {"type": "adaptive"}})
        assert ("thinking" in [block["type"] for block in reply.json["content"]]) is wanted


# Providers

PREFIXES = [(prefix, known) for known, entry in KNOWN_PROVIDERS.items() for prefix in entry.prefixes]


@pytest.mark.parametrize(("prefix", "provider"), PREFIXES, ids=[row[0] for row in PREFIXES])
async def test_every_provider_has_a_base_url_and_a_key(prefix, provider, fake_upstream, configured):
    """The request arrives at the address, whose trailing slash does not matter, with the key."""
    upstream = await fake_upstream(hello)
    root = upstream.url if provider == "ollama" else upstream.base_url
    variables = {f"{prefix}_BASE_URL": f"{root}/", f"{prefix}_API_KEY": "key-of-the-variable"}
    proxy = await configured(MODEL=f"{provider}/a-model", PROVIDER_RATE_LIMIT="0", **variables)
    assert (await proxy.post()).status == 200
    [call] = upstream.model_calls
    assert "//" not in call.path
    sent = call.headers.get("x-api-key") or call.headers["authorization"].removeprefix("Bearer ")
    assert sent == "key-of-the-variable"


async def test_a_keys_usage_limit_changes_the_key_and_keys_come_in_their_order_without_duplicates(nim):
    proxy, upstream = await nim(hello, NVIDIA_NIM_API_KEYS="k2, k1\tk3", NVIDIA_NIM_KEY_USAGE_LIMIT="1")
    for _ in range(4):
        await proxy.post()
    assert [call.headers["authorization"] for call in upstream.model_calls] == [
        f"Bearer {key}" for key in ("k1", "k2", "k3", "k1")
    ]


async def test_a_key_of_the_list_takes_over_when_the_first_is_refused(nim):
    def only_the_second(request: Any) -> Answer:
        good = request.headers["authorization"] == "Bearer k2"
        return hello(request) if good else chat_error(401, "no such key")

    proxy, _ = await nim(only_the_second, NVIDIA_NIM_API_KEYS="k2")
    assert (await proxy.post()).status == 200


async def test_requests_go_through_the_providers_proxy(nim):
    asked: list[bytes] = []

    async def web_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(web_proxy, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        proxy, upstream = await nim(
            hello, NVIDIA_NIM_PROXY=f"http://127.0.0.1:{port}", PROVIDER_MAX_RETRIES="0"
        )
        assert (await proxy.post()).status != 200
    assert asked == [f"POST {upstream.base_url}/chat/completions HTTP/1.1\r\n".encode()]
    assert upstream.model_calls == []


@pytest.mark.parametrize(("transport", "path"), [("", "messages"), ("openai", "chat/completions")])
async def test_the_transport_chooses_the_protocol(transport, path, fake_upstream, configured):
    upstream = await fake_upstream(hello)
    proxy = await configured(
        MODEL="lmstudio/m", LM_STUDIO_BASE_URL=upstream.base_url, LMSTUDIO_TRANSPORT=transport
    )
    assert (await proxy.post()).status == 200
    assert upstream.model_calls[0].path == f"/v1/{path}"


# Limits


async def test_the_rate_limit_lets_so_many_requests_begin_in_one_window(nim):
    times: list[float] = []

    def timed(request: Any) -> Answer:
        times.append(asyncio.get_running_loop().time())
        return hello(request)

    proxy, _ = await nim(timed, PROVIDER_RATE_LIMIT="2", PROVIDER_RATE_WINDOW="0.6")
    await asyncio.gather(*(proxy.post() for _ in range(4)))
    assert min(times[2] - times[0], times[3] - times[1]) > 0.5


async def test_so_many_requests_are_in_flight_at_once(nim):
    under_way, most = 0, 0
    both = asyncio.Event()

    async def slow(request: Any) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 2:
            both.set()
        await both.wait()
        under_way -= 1
        return hello(request)

    proxy, _ = await nim(slow, PROVIDER_MAX_CONCURRENCY="2")
    await asyncio.gather(*(proxy.post() for _ in range(6)))
    assert most == 2


@pytest.mark.parametrize(
    ("variables", "tries"),
    [
        ({"PROVIDER_MAX_RETRIES": "0"}, 1),
        ({"PROVIDER_MAX_RETRIES": "3", "PROVIDER_RETRY_BASE_DELAY": "0"}, 4),
        # The default base of 2 s would be within the time that all tries may take.
        ({"PROVIDER_MAX_RETRIES": "1", "PROVIDER_RETRY_BASE_DELAY": "100"}, 1),
        # A base of 100 s would not be waited for: the longest wait cuts it.
        (
            {
                "PROVIDER_MAX_RETRIES": "1",
                "PROVIDER_RETRY_BASE_DELAY": "100",
                "PROVIDER_RETRY_MAX_DELAY": "0.01",
            },
            2,
        ),
        ({"PROVIDER_MAX_RETRIES": "3", "PROVIDER_RETRY_TOTAL": "0.5"}, 1),
    ],
    ids=["retries_0", "retries_3", "base", "max", "total"],
)
async def test_a_failure_is_tried_again_as_the_limits_say(variables, tries, nim):
    proxy, upstream = await nim(lambda _: chat_error(503, "busy"), **variables)
    assert (await proxy.post()).status == 529
    assert len(upstream.model_calls) == tries


# Timeouts


async def test_a_read_timeout_ends_an_answer_that_stopped(nim):
    stopped = chat_stream(text="Hello, this goes on.", chunk_size=5).keep(2).then(Stall())
    proxy, _ = await nim(lambda _: stopped, HTTP_READ_TIMEOUT="0.2", PROVIDER_MAX_RETRIES="0")
    reply = await asyncio.wait_for(proxy.stream(), 20)
    assert b"event: error" in reply.body
    assert b"timeouts.read" in reply.body


async def test_a_write_timeout_ends_a_request_that_nobody_reads(configured):
    forever = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await forever.wait()
        writer.transport.abort()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1)
    port = server.sockets[0].getsockname()[1]
    proxy = await configured(
        **NIM,
        NVIDIA_NIM_BASE_URL=f"http://127.0.0.1:{port}/v1",
        HTTP_WRITE_TIMEOUT="0.2",
        PROVIDER_MAX_RETRIES="0",
    )
    long = {**TURN, "messages": [{"role": "user", "content": "long " * 4_000_000}]}
    reply = await asyncio.wait_for(proxy.post(long), 30)
    assert "timeouts.write" in reply.error["message"]
    forever.set()
    server.close()


async def test_a_connect_timeout_ends_a_handshake_that_nobody_answers(configured):
    forever = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await forever.wait()
        writer.transport.abort()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = await configured(
        **NIM,
        NVIDIA_NIM_BASE_URL=f"https://127.0.0.1:{port}/v1",
        HTTP_CONNECT_TIMEOUT="0.2",
        PROVIDER_MAX_RETRIES="0",
    )
    reply = await asyncio.wait_for(proxy.post(), 30)
    assert "timeouts.connect" in reply.error["message"]
    forever.set()
    server.close()


# Logs

PROMPT, ANSWER = "prompt-marker-71", "answer-marker-72"


@pytest.mark.parametrize(
    ("variable", "written", "absent"),
    [
        ("", "", "marker"),
        ("LOG_RAW_API_PAYLOADS", PROMPT, ""),
        ("LOG_RAW_SSE_EVENTS", ANSWER, PROMPT),
    ],
)
async def test_contents_are_logged_only_when_that_is_asked_for(variable, written, absent, nim, tmp_path):
    flags = {variable: "true"} if variable else {}
    file = tmp_path / "server.log"
    settings = settings_of(tmp_path, CCP_LOG_FILE=str(file), **NIM, **flags)
    assert logs.configure(settings.logging, secrets_of(settings), terminal=False) == file
    proxy, _ = await nim(lambda request: say(request, Turn(text=ANSWER)), **flags)
    await proxy.stream({**TURN, "messages": [{"role": "user", "content": PROMPT}]})
    text = file.read_text()
    assert written in text
    assert not absent or absent not in text


@pytest.mark.parametrize("wanted", [False, True])
async def test_tracebacks_of_failed_requests_are_logged_only_when_that_is_asked_for(wanted, nim, tmp_path):
    flags = {"LOG_API_ERROR_TRACEBACKS": str(wanted), "PROVIDER_MAX_RETRIES": "0"}
    file = tmp_path / "server.log"
    logs.configure(settings_of(tmp_path, CCP_LOG_FILE=str(file), **flags).logging, terminal=False)
    proxy, _ = await nim(lambda _: chat_error(500, "broken"), **flags)
    await proxy.post()
    assert ("Traceback" in file.read_text()) is wanted


# Web tools and local answers


def fetch(url: str) -> dict[str, Any]:
    return {
        **TURN,
        "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}],
        "tool_choice": {"type": "tool", "name": "web_fetch"},
        "messages": [{"role": "user", "content": f"Fetch {url}"}],
    }


ON, LAB = {"ENABLE_WEB_SERVER_TOOLS": "true"}, {"WEB_FETCH_ALLOW_PRIVATE_NETWORKS": "true"}


@pytest.mark.parametrize(
    ("variables", "fetched", "refused_because"),
    [
        ({**ON, **LAB}, True, ""),
        (ON, False, "url_not_allowed"),
        ({**ON, **LAB, "WEB_FETCH_ALLOWED_SCHEMES": "https"}, False, "url_not_allowed"),
        (LAB, False, None),
    ],
    ids=["on", "private", "scheme", "off"],
)
async def test_pages_are_fetched_when_the_tools_are_on_and_the_address_is_allowed(
    variables, fetched, refused_because, fake_upstream, nim
):
    page = Answer.json({"page": "text-of-the-page"})
    site = await fake_upstream(routes={"GET /page": page})
    proxy, upstream = await nim(hello, **variables)
    reply = await proxy.post(fetch(f"{site.url}/page"))
    assert bool(site.requests) is fetched
    assert ("text-of-the-page" in reply.body.decode()) is fetched
    assert bool(upstream.model_calls) is (refused_because is None)
    if refused_because:
        assert refused_because in reply.body.decode()


POLICY = "<policy_spec>\nHow to find the prefix.\n</policy_spec>\n\nCommand: git status\n"
PROBES = {
    "ENABLE_NETWORK_PROBE_MOCK": {"max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]},
    "FAST_PREFIX_DETECTION": {"messages": [{"role": "user", "content": POLICY}]},
    "ENABLE_TITLE_GENERATION_SKIP": {
        "messages": [{"role": "user", "content": "<session>fix the login page</session>"}],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {"type": "object", "properties": {"title": {"type": "string"}}},
            }
        },
    },
    "ENABLE_SUGGESTION_MODE_SKIP": {
        "messages": [{"role": "user", "content": "[SUGGESTION MODE: what would the person say next?]"}]
    },
    "ENABLE_FILEPATH_EXTRACTION_MOCK": {
        "system": "Extract any file paths that this command reads or modifies. Answer with <filepaths> tags.",
        "messages": [{"role": "user", "content": "Command: cat a.txt\nOutput: text"}],
    },
}


@pytest.mark.parametrize("variable", PROBES)
async def test_a_probe_is_answered_here_unless_that_is_switched_off(variable, nim):
    for switch, asked in (("true", 0), ("false", 1)):
        proxy, upstream = await nim(hello, **{variable: switch})
        assert (await proxy.post({**TURN, **PROBES[variable]})).status == 200
        assert len(upstream.model_calls) == asked


async def test_a_blank_variable_changes_nothing(nim):
    """As in the example file of an earlier proxy, where most of them are blank."""
    names = (
        *(
            "HOST",
            "PORT",
            "ANTHROPIC_AUTH_TOKEN",
            "MODEL_OPUS",
            "ENABLE_OPUS_THINKING",
            "NVIDIA_NIM_API_KEYS",
        ),
        *("NVIDIA_NIM_KEY_USAGE_LIMIT", "NVIDIA_NIM_PROXY", "NVIDIA_NIM_TRANSPORT", "PROVIDER_RATE_WINDOW"),
        *("HTTP_READ_TIMEOUT", "LOG_RAW_API_PAYLOADS", "WEB_FETCH_ALLOWED_SCHEMES", "FAST_PREFIX_DETECTION"),
    )
    proxy, upstream = await nim(hello, **dict.fromkeys(names, " "))
    reply = await proxy.stream({**TURN, "thinking": {"type": "adaptive"}})
    assert [block["type"] for block in validate_stream(reply.body).message.content] == ["thinking", "text"]
    assert orjson.loads(upstream.model_calls[0].body)["model"] == "default-model"
