"""``ccp run`` and ``ccp pick --model``: a client on the proxy, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ccp_core.testing import chat_stream, models_list
from ccp_core.testing.answers import Answer
from ccp_core.testing.proxy_process import ProxyProcess

from .conftest import KEY, endpoint

TOKEN = "token-of-nobody"

CLIENT = """
import json, os, sys, urllib.request
report = {"arguments": sys.argv[1:], "environment": dict(os.environ)}
body = {"model": os.environ.get("ANTHROPIC_MODEL", "claude-opus-5-5"), "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}]}
request = urllib.request.Request(
    os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages?beta=true", json.dumps(body).encode(),
    {"authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]})
with urllib.request.urlopen(request, timeout=20) as response:
    print(json.load(response)["content"][0]["text"])
with open({0!r}, "w") as file:
    json.dump(report, file)
sys.exit(7)
"""


class Client:
    """A stand-in for ``claude``: asks one question, prints the answer, notes how it was started, ends with 7."""

    def __init__(self, machine) -> None:
        self._report = machine.work / "report.json"
        machine.add_client(CLIENT.replace("{0!r}", repr(str(self._report))))

    @property
    def arguments(self) -> list[str]:
        return json.loads(self._report.read_text())["arguments"]

    @property
    def environment(self) -> dict[str, str]:
        return json.loads(self._report.read_text())["environment"]


@pytest.fixture
def client(machine) -> Client:
    """On the PATH."""
    return Client(machine)


@pytest.fixture
def upstream(threaded_upstream):
    """A model with a window of 150,000 tokens."""
    known = [{"id": "test-model", "context_length": 150_000}, {"id": "big:free", "context_length": 1_000_000}]
    return threaded_upstream(
        lambda _: chat_stream(text="the answer"), routes={"GET /models": Answer.json({"data": known})}
    )


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def is_open(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port_of(url))) == 0


def test_run_starts_a_proxy_and_the_client_and_passes_its_status_on(machine, client, upstream):
    config = {**endpoint(upstream.base_url), "server": {"port": 0, "auth_token": TOKEN}}
    machine.configure(config)
    result = machine.process("run", "--", "-p", "a question", "--verbose")
    assert (result.status, result.out) == (7, "the answer\n")
    assert client.arguments == ["-p", "a question", "--verbose"]
    [line] = result.problems
    assert line.startswith("ccp: started a proxy at http://127.0.0.1:")
    assert upstream.model_calls[0].headers["authorization"] == f"Bearer {KEY}"


def test_arguments_may_follow_without_a_separator(machine, client, upstream):
    machine.configure(endpoint(upstream.base_url))
    machine.process("run", "-p", "a question", "--model", "haiku")
    assert client.arguments == ["-p", "a question", "--model", "haiku"]


def test_the_client_gets_address_token_discovery_window_and_no_key(machine, client, upstream):
    machine.configure({**endpoint(upstream.base_url), "server": {"port": 0, "auth_token": TOKEN}})
    machine.process("run", ANTHROPIC_API_KEY="sk-ant-of-nobody")
    environment = client.environment
    assert environment["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert environment["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"] == "1"
    assert environment["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"
    assert environment["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == "150000"
    assert "ANTHROPIC_API_KEY" not in environment
    assert "ANTHROPIC_MODEL" not in environment


def test_the_proxy_that_was_started_ends_with_the_client(machine, client, upstream):
    machine.configure(endpoint(upstream.base_url))
    machine.process("run")
    assert not is_open(client.environment["ANTHROPIC_BASE_URL"])


def test_a_proxy_that_runs_with_these_settings_is_used_and_left_running(machine, client, upstream, tmp_path):
    config = endpoint(upstream.base_url)
    del config["server"]
    with ProxyProcess(config, folder=tmp_path / "serve", token=TOKEN) as proxy:
        machine.configure({**config, "server": {"port": proxy.port, "auth_token": TOKEN}})
        upstream.received(1)  # the list of models, in the background
        result = machine.process("run")
        assert (result.status, result.out) == (7, "the answer\n")
        assert result.problems == [f"ccp: using the proxy at {proxy.url}"]
        assert proxy.exit_code is None
        assert client.environment["ANTHROPIC_BASE_URL"] == proxy.url


@pytest.mark.parametrize("difference", ["token", "models"])
def test_a_proxy_with_other_settings_is_left_alone_and_another_one_started(
    difference, machine, client, upstream, tmp_path
):
    config = endpoint(upstream.base_url)
    del config["server"]
    with ProxyProcess(config, folder=tmp_path / "serve", token=TOKEN) as proxy:
        own = {"port": proxy.port, "auth_token": "another" if difference == "token" else TOKEN}
        models = {"default": "own/big:free"} if difference == "models" else config["models"]
        machine.configure({**config, "server": own, "models": models})
        result = machine.process("run")
        assert (result.status, result.out) == (7, "the answer\n")
        assert client.environment["ANTHROPIC_BASE_URL"] != proxy.url
        assert "has another token" in result.err or "has other settings" in result.err


def test_a_port_that_another_program_holds_is_no_obstacle(machine, client, upstream, threaded_upstream):
    foreign = threaded_upstream(routes={"GET /health": Answer.text("I am something else")})
    machine.configure({**endpoint(upstream.base_url), "server": {"port": port_of(foreign.url)}})
    result = machine.process("run")
    assert (result.status, result.out) == (7, "the answer\n")
    assert "is taken by another program" in result.err


def test_without_a_client_there_is_one_line_that_says_how_to_get_it(machine, upstream):
    machine.configure(endpoint(upstream.base_url))
    machine.set(PATH=str(machine.bin))
    result = machine.process("run")
    assert (result.status, len(result.problems)) == (2, 1)
    assert "npm install -g @anthropic-ai/claude-code" in result.err


def test_a_client_where_its_installer_puts_it_is_found_without_the_path(machine, client, upstream):
    usual = machine.home / ".local" / "bin" / "claude"
    usual.parent.mkdir(parents=True)
    (machine.bin / "claude").rename(usual)
    machine.set(PATH=str(machine.bin))
    machine.configure(endpoint(upstream.base_url))
    assert machine.process("run").status == 7


@pytest.mark.parametrize("shim", ["npm/claude.cmd", "project/node_modules/.bin/claude.cmd"])
def test_npms_batch_file_is_passed_over_for_the_program_behind_it(shim, tmp_path, monkeypatch):
    """A batch file would take ``%`` and ``&`` in a prompt for its own."""
    from ccp_core.cli.claude import find_claude

    file = tmp_path / shim
    modules = file.parent.parent if file.parent.name == ".bin" else file.parent / "node_modules"
    program = modules / "@anthropic-ai" / "claude-code" / "bin" / "claude.exe"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr("shutil.which", lambda *_, **__: str(file))
    assert find_claude() == str(file)
    program.parent.mkdir(parents=True)
    program.touch()
    assert find_claude() == str(program)


def test_a_configuration_that_cannot_work_ends_it_before_anything_is_started(machine, client):
    machine.configure('[models]\ndefault = "gork/x"\n')
    result = machine.process("run")
    assert (result.status, len(result.problems)) == (2, 1)


def test_nothing_configured_runs_the_client_on_the_demo(machine, client):
    machine.configure({"server": {"port": 0}})
    result = machine.process("run")
    assert (result.status, "demo model" in result.out) == (7, True)


ENDING = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("up", os.environ["ANTHROPIC_BASE_URL"], flush=True)
for line in sys.stdin:
    print("still here", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_is_the_clients_business_and_an_end_ends_both(machine, upstream):
    machine.add_client(ENDING)
    machine.configure(endpoint(upstream.base_url))
    running = subprocess.Popen(
        [sys.executable, "-m", "ccp_core", "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        start_new_session=True,
    )
    with running:
        url = running.stdout.readline().split()[1]
        os.killpg(running.pid, signal.SIGINT)  # as the terminal does
        assert running.stdout.readline() == "interrupted\n"
        running.stdin.write("a line\n")
        running.stdin.flush()
        assert running.stdout.readline() == "still here\n"
        with urllib.request.urlopen(f"{url}/health", timeout=10) as response:
            assert response.status == 200
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 3
    assert not is_open(url)


def test_pick_with_a_model_routes_the_whole_session_to_it(machine, client, upstream):
    machine.configure({**endpoint(upstream.base_url), "server": {"port": 0, "auth_token": TOKEN}})
    result = machine.process("pick", "--model", "own/big:free", "--", "-p", "x")
    assert (result.status, result.out) == (7, "the answer\n")
    assert upstream.model_calls[0].json["model"] == "big:free"
    environment = client.environment
    assert environment["ANTHROPIC_AUTH_TOKEN"] == f"{TOKEN}:own/big:free"
    assert environment["ANTHROPIC_MODEL"] == "anthropic/own/big:free"
    assert environment["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == "1000000"
    assert client.arguments == ["-p", "x"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_pick_shows_all_models_and_starts_the_client_on_the_one_that_is_typed(machine, client, upstream):
    from .terminal import Terminal

    config = {**endpoint(upstream.base_url), "server": {"port": 0, "auth_token": TOKEN}}
    config["providers"]["gone"] = {"transport": "openai", "base_url": "http://127.0.0.1:9/v1"}
    machine.configure(config)
    with Terminal("pick", "--", "-p", "x") as screen:
        screen.wait_for("gone: gone cannot be reached")
        screen.wait_for("providers.gone.base_url")  # the cure, however long the line
        screen.wait_for("CONTEXT")
        screen.wait_for("own/big:free")
        screen.wait_for("own/test-model")
        screen.press("bgfr", "\r")
        screen.wait_for("this session uses own/big:free")
        screen.wait_for("the answer")
        assert screen.end() == 7
    assert client.environment["ANTHROPIC_AUTH_TOKEN"] == f"{TOKEN}:own/big:free"
    assert client.arguments == ["-p", "x"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_leaving_the_list_starts_nothing(machine, client, upstream):
    from .terminal import Terminal

    machine.configure(endpoint(upstream.base_url))
    with Terminal("pick") as screen:
        screen.wait_for("CONTEXT")
        screen.press("\x1b")
        screen.wait_for("no model was chosen")
        assert screen.end() == 130
    assert upstream.model_calls == []


@pytest.mark.parametrize(
    ("model", "words"), [("gork/x", 'there is no provider "gork"'), ("nothing", "must be provider/model")]
)
def test_pick_refuses_a_model_that_cannot_be_asked(model, words, machine, client, upstream):
    machine.configure(endpoint(upstream.base_url))
    result = machine.process("pick", "--model", model)
    assert (result.status, len(result.problems)) == (2, 1)
    assert words in result.err


def test_pick_without_a_terminal_says_what_to_do_instead(machine, client, upstream):
    machine.configure(endpoint(upstream.base_url))
    result = machine.process("pick")
    assert (result.status, len(result.problems)) == (2, 1)
    assert "--model PROVIDER/MODEL" in result.err


def test_a_proxy_that_does_not_know_the_window_leaves_it_to_the_client(machine, client, threaded_upstream):
    bare = threaded_upstream(lambda _: chat_stream(text="x"), routes={"GET /models": models_list()})
    machine.configure(endpoint(bare.base_url))
    machine.process("run")
    assert "CLAUDE_CODE_AUTO_COMPACT_WINDOW" not in client.environment


def test_reload_in_a_home_that_may_not_be_entered_finds_no_proxy(machine, monkeypatch):
    """Of the user of a service, for example."""

    def refuse(self, pattern):
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "glob", refuse)
    result = machine.ccp("reload")
    assert result.status == 2
    assert result.problems == ["ccp: no proxy of yours is running. Start one: ccp serve"]
