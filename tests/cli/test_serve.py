"""``ccp serve``: what it shows when it starts, and one line with the cure when it cannot."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ccp_core.cli.banner import banner as banner_of
from ccp_core.cli.start import load, load_plugins, make_gateway, named_config
from ccp_core.gateway import load_host
from ccp_core.testing import chat_stream
from ccp_core.testing.proxy_process import ProxyProcess

from .conftest import KEY, endpoint, hosted, provider_plugin

TOKEN = "token-of-nobody"


def started(config, folder: Path, token: str = TOKEN, **env: str) -> str:
    """What a proxy has written by the time it answers."""
    with ProxyProcess(config, folder=folder, token=token, env=env) as proxy:
        return proxy.log


class Process:
    """``ccp serve``, with the options given here alone; a context manager that gives the banner."""

    def __init__(self, machine, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ccp_core", "serve", *options],
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )

    def __enter__(self) -> str:
        lines = iter(self._process.stdout.readline, "")
        return "".join(itertools.takewhile(lambda line: not line.startswith("In VS Code"), lines))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._process.stdout.close()


def section(banner: str, title: str) -> list[str]:
    """The lines of one part of the banner."""
    lines = iter(banner.splitlines())
    found: list[str] = []
    for line in lines:
        if line.startswith(f"  {title} ") or (found and line.startswith(" " * 13)):
            found.append(line[13:])
        elif found:
            break
    return found


@pytest.fixture(scope="module")
def banner(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The banner of a proxy with two providers and two tiers."""
    config = endpoint("http://127.0.0.1:9/v1", api_keys=["second"])
    config["models"]["haiku"] = "small/tiny:free"
    config["providers"]["small"] = {"transport": "anthropic", "base_url": "http://127.0.0.1:9"}
    del config["server"]
    folder = tmp_path_factory.mktemp("proxy")
    return started({**config, "logging": {"file": str(folder / "own.log")}}, folder)


def test_the_banner_tells_the_address_first(banner):
    assert banner.splitlines()[0].startswith("ccp ")
    assert " listens on http://127.0.0.1:" in banner.splitlines()[0]


def test_the_banner_tells_which_model_each_tier_gets(banner):
    assert section(banner, "models") == ["default  own/test-model", "haiku    small/tiny:free"]


def test_the_banner_tells_providers_with_protocol_keys_and_address(banner):
    assert section(banner, "providers") == [
        "own (chat, 2 keys, http://127.0.0.1:9/v1)",
        "small (Messages, http://127.0.0.1:9)",
    ]


def test_the_banner_tells_plugins_token_settings_and_log(banner):
    assert section(banner, "plugins")
    assert section(banner, "token") == ["yes: clients must send it (server.auth_token)"]
    assert section(banner, "settings")[0].endswith("ccp.toml")
    assert section(banner, "log")[0].endswith("own.log")


def test_the_banner_shows_no_secret_and_says_what_to_paste(banner):
    """The kit gives address and port on the command line, where other commands do not see them."""
    assert TOKEN not in banner
    assert KEY not in banner
    assert "  ccp run" not in banner
    assert 'ANTHROPIC_AUTH_TOKEN="TOKEN" claude' in banner


def test_where_other_commands_know_the_address_they_say_the_rest(machine):
    machine.configure({**endpoint("http://127.0.0.1:9/v1"), "server": {"auth_token": TOKEN, "port": 0}})
    with Process(machine) as banner:
        assert 'eval "$(ccp env)"; claude' in banner
        assert "  ccp run  " in banner
        assert TOKEN not in banner


@pytest.mark.parametrize(
    ("token", "words"),
    [("yes-there-is-one", "yes: clients must send it"), ("", "no: everybody who reaches the port may use")],
)
def test_the_banner_says_that_other_machines_come_in(token, words, machine):
    server = {"auth_token": token, "host": "0.0.0.0", "insecure": True}
    machine.configure({**endpoint("http://127.0.0.1:9/v1"), "server": server})
    plugins = load_plugins()
    loaded = load(None, plugins)
    gateway = make_gateway(loaded, plugins, refresh_models=False)
    lines = "\n".join(banner_of(gateway, loaded, "http://127.0.0.1:8082", None))
    assert "open to other machines" in section(lines, "network")[0]
    assert words in section(lines, "token")[0]


def test_commands_to_type_name_a_file_that_they_would_not_find(machine):
    config = machine.configure(
        {**endpoint("http://127.0.0.1:9/v1"), "server": {"auth_token": TOKEN, "port": 0}}
    )
    elsewhere = config.rename(machine.home / "team.toml")
    with Process(machine, "--config", "../home/team.toml") as banner:
        assert f"ccp run --config {elsewhere} " in banner
        assert f'eval "$(ccp env --config {elsewhere})"; claude' in banner
        assert section(banner, "settings") == [str(elsewhere)]


def test_an_account_without_a_home_folder_can_serve(machine, monkeypatch):
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)
    file = machine.configure(endpoint("http://127.0.0.1:9/v1"))
    assert named_config(file) == ""
    assert named_config(machine.home / "team.toml") == f" --config {machine.home / 'team.toml'}"
    assert machine.ccp("config", "path").out == f"{file}\n"


def test_without_a_token_the_banner_says_what_that_means(tmp_path):
    banner = started({}, tmp_path, token="")
    assert section(banner, "token") == ["no: every program on this machine may use the proxy"]
    assert 'ANTHROPIC_BASE_URL="http://127.0.0.1:' in banner
    assert 'ANTHROPIC_AUTH_TOKEN="freecc" claude' in banner


def test_a_proxy_without_a_model_says_that_a_demo_answers(tmp_path):
    banner = started({}, tmp_path)
    assert any("demo" in line for line in section(banner, "DEMO"))
    assert "ccp init" in banner


def test_warnings_of_the_configuration_are_part_of_the_banner(tmp_path):
    (tmp_path / ".env").write_text("VOICE_NOTE_ENABLED=true\n")
    assert "no chat bot" in section(started({}, tmp_path), "warning")[0]


PROBLEMS = {
    "unknown_key": (
        "[server]\nprot = 1\n",
        "ccp.toml, line 2: server.prot is unknown. Did you mean server.port?",
    ),
    "wrong_type": (
        '[limits]\nretries = "many"\n',
        'ccp.toml, line 2: limits.retries = "many" must be a whole number',
    ),
    "unknown_provider": ('[models]\ndefault = "gork/x"\n', 'there is no provider "gork"'),
    "missing_plugin": (
        '[models]\ndefault = "ollama/x"\n',
        "the plugin of Ollama is not installed: pip install ccp-ollama",
    ),
    "missing_key": (
        '[models]\ndefault = "acme/x"\n',
        "Acme needs a key: set ACME_API_KEY or providers.acme.api_key",
    ),
    "bad_url": ('[providers.acme]\nbase_url = "acme.example"\n', "must be an http:// or https:// address"),
    "not_toml": ("server = [\n", "This is not TOML"),
    "public_bind": (
        '[server]\nhost = "0.0.0.0"\n',
        "lets other machines in, but no token is set: set ANTHROPIC_AUTH_TOKEN",
    ),
}


@pytest.mark.parametrize(("toml", "words"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_configuration_that_cannot_work_is_one_line_with_the_cure(toml, words, machine):
    machine.install(hosted("acme", "https://acme.example/v1"))
    machine.configure(toml)
    result = machine.ccp("serve")
    assert (result.status, result.out, len(result.problems)) == (2, "", 1)
    assert result.err.startswith("ccp: ccp.toml, line ")
    assert words in result.err


def test_a_transport_that_is_not_installed_is_one_line(machine, monkeypatch):
    def load():
        host = load_host()
        host.transports.clear()
        host.add(provider_plugin(hosted("acme", "http://127.0.0.1:9/v1")), name="acme")
        return host

    monkeypatch.setattr("ccp_core.gateway.load_host", load)
    machine.configure('[models]\ndefault = "acme/x"\n[providers.acme]\napi_key = "k"\n')
    result = machine.ccp("serve")
    assert (result.status, len(result.problems)) == (2, 1)
    assert "pip install ccp-openai-compat" in result.err


@pytest.mark.parametrize("named", ["option", "variable"])
def test_a_configuration_file_that_is_not_there_is_one_line(named, machine):
    options = ["--config", "gone.toml"] if named == "option" else []
    if named == "variable":
        machine.set(CCP_CONFIG="gone.toml")
    result = machine.ccp("serve", *options)
    assert (result.status, len(result.problems)) == (2, 1)
    assert "gone.toml" in result.err
    assert "There is no such file" in result.err


def test_a_configuration_file_that_cannot_be_read_is_one_line(machine):
    machine.config.write_bytes(b"# caf\xe9")
    for options, words in ([], "save it as UTF-8"), (["--config", "."], "This is a folder"):
        result = machine.ccp("serve", *options)
        assert (result.status, len(result.problems)) == (2, 1)
        assert words in result.err


def test_a_port_in_use_is_one_line_with_another_port(machine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = machine.process("serve", "--port", str(port))
    assert (result.status, len(result.problems)) == (2, 1)
    assert f"port {port} on 127.0.0.1 is in use" in result.err
    assert "--port" in result.err


def test_a_log_file_that_cannot_be_written_does_not_keep_the_proxy_from_serving(tmp_path):
    banner = started({"logging": {"file": str(tmp_path / "proxy.log" / "no.log")}}, tmp_path)
    assert "the log file" in banner
    assert section(banner, "log") == ["none"]


def test_the_proxy_serves_what_the_banner_promises(threaded_upstream, tmp_path):
    upstream = threaded_upstream(chat_stream(text="here I am"))
    config = endpoint(upstream.base_url)
    del config["server"]
    with ProxyProcess(config, folder=tmp_path, token=TOKEN) as proxy:
        body = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        request = urllib.request.Request(
            f"{proxy.url}/v1/messages", json.dumps(body).encode(), {"x-api-key": TOKEN}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            assert b"here I am" in response.read()
