"""``ccp env``: what to paste, and the files that it goes into."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from ccp_core.cli import editors, jsonc
from ccp_core.testing import models_list
from ccp_core.testing.answers import Answer

from .conftest import endpoint

TOKEN = 'it\'s a "token" with $HOME \\ and `x`'.replace(" ", "_")
CONFIG = {**endpoint("http://127.0.0.1:9/v1"), "server": {"port": 8382, "auth_token": TOKEN}}
URL = "http://127.0.0.1:8382"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "pwsh"])
def test_what_is_printed_sets_the_variables_in_the_shell(shell, machine):
    """Quotes, dollars and backslashes in the token included."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    machine.configure(CONFIG)
    printed = machine.ccp("env", "--shell", "powershell" if shell == "pwsh" else shell).out
    script = f"{printed}\n{sys.executable} -c 'import os; print(os.environ[\"ANTHROPIC_AUTH_TOKEN\"])'"
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == TOKEN


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("fish", "set -gx ANTHROPIC_BASE_URL 'http://127.0.0.1:8382'"),
        ("powershell", "$env:ANTHROPIC_BASE_URL = 'http://127.0.0.1:8382'"),
        ("fish", "\\'s_a_\"token\"_with_$HOME_\\\\_and_`x`'"),
        ("powershell", "= 'it''s_a_\"token\"_with_$HOME_\\_and_`x`'"),
    ],
)
def test_each_shell_gets_its_own_words(shell, line, machine):
    machine.configure(CONFIG)
    assert line in machine.ccp("env", "--shell", shell).out


def test_the_persons_own_shell_is_the_default(machine):
    machine.configure(CONFIG)
    machine.set(SHELL="/usr/bin/fish")
    assert machine.ccp("env").out.startswith("set -gx ANTHROPIC_BASE_URL")


def test_what_is_printed_for_vs_code_can_be_pasted_into_its_settings(machine):
    machine.configure(CONFIG)
    result = machine.ccp("env", "--shell", "vscode")
    [(name, value)] = json.loads(f"{{{result.out}}}").items()
    assert name == "claudeCode.environmentVariables"
    assert {"name": "ANTHROPIC_BASE_URL", "value": URL} in value
    assert "settings.json" in result.err


def test_what_is_printed_for_jetbrains_can_be_pasted_into_the_agents_entry(machine):
    machine.configure(CONFIG)
    result = machine.ccp("env", "--shell", "jetbrains")
    assert json.loads(f"{{{result.out}}}")["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert "acp.registry.claude-acp" in result.err


def test_vs_codes_settings_keep_comments_other_settings_and_other_variables(machine):
    machine.configure(CONFIG)
    file = editors.vscode_file(machine.home)
    file.parent.mkdir(parents=True)
    file.write_text(
        """{
    // how I like it
    "editor.tabSize": 3,
    "claudeCode.environmentVariables": [
        {"name": "MINE", "value": "1"},
        {"name": "ANTHROPIC_BASE_URL", "value": "http://old:1"}, // old
    ],
}
"""
    )
    result = machine.ccp("env", "--shell", "vscode", "--write")
    text = file.read_text()
    settings = jsonc.parse(text)
    variables = {entry["name"]: entry["value"] for entry in settings["claudeCode.environmentVariables"]}
    assert str(file) in result.out
    assert '// how I like it\n    "editor.tabSize": 3,' in text
    assert variables["MINE"] == "1"
    assert variables["ANTHROPIC_BASE_URL"] == URL
    assert len(variables) == len(settings["claudeCode.environmentVariables"])


JETBRAINS_FILES = {
    "absent": None,
    "empty": "",
    "without_the_agent": '{"mcp": {"use_idea_mcp": true}, "agent_servers": {"Other": {"command": "x"}}}',
    "with_the_agent": '{"agent_servers": {"acp.registry.claude-acp": {"command": "c", "env": {"MINE": "1"}}}}',
    "deeper": '{"v": {"installed": {"acp.registry.claude-acp": {"version": "1"}}}}',
}


@pytest.mark.parametrize("before", JETBRAINS_FILES.values(), ids=JETBRAINS_FILES)
def test_jetbrains_agent_gets_the_variables_and_everything_else_stays(before, machine):
    machine.configure(CONFIG)
    file = editors.jetbrains_file(machine.home)
    if before is not None:
        file.parent.mkdir(parents=True)
        file.write_text(before)
    machine.ccp("env", "--shell", "jetbrains", "--write")
    written = json.loads(file.read_text())
    agent = editors._agent(written)
    assert agent["env"]["ANTHROPIC_BASE_URL"] == URL
    for name in list(agent["env"]):
        if name != "MINE":
            del agent["env"][name]
    expected = json.loads(before or "{}")
    agent_before = editors._agent(expected)
    if agent_before is None:
        expected.setdefault("agent_servers", {})["acp.registry.claude-acp"] = agent_before = {}
    agent_before.setdefault("env", {})
    assert written == expected


@pytest.mark.parametrize("client", ["vscode", "jetbrains"])
def test_a_settings_file_that_cannot_be_read_is_left_alone(client, machine):
    machine.configure(CONFIG)
    file = machine.work / "broken.json"
    file.write_text("{ broken")
    result = machine.ccp("env", "--shell", client, "--write", "--file", str(file))
    assert (result.status, len(result.problems)) == (2, 1)
    assert "paste the lines by hand" in result.err
    assert file.read_text() == "{ broken"


def test_a_shells_start_file_gets_one_block_that_is_renewed(machine):
    machine.configure(CONFIG)
    file = machine.home / ".bashrc"
    file.write_text("alias ll='ls -l'")
    machine.ccp("env", "--shell", "bash", "--write", "--file", str(file))
    machine.set(PORT="9999")
    file.write_text(file.read_text() + "alias la='ls -a'\n")
    machine.ccp("env", "--shell", "bash", "--write", "--file", str(file))
    text = file.read_text()
    assert text.startswith("alias ll='ls -l'\n# >>> ccp")
    assert text.endswith("# <<< ccp <<<\nalias la='ls -a'\n")
    assert text.count("ANTHROPIC_BASE_URL") == 1
    assert "127.0.0.1:9999" in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_mode(machine):
    machine.configure(CONFIG)
    new, old = machine.work / "new.json", machine.work / "old.json"
    old.write_text("{}")
    old.chmod(0o640)
    told = [
        machine.ccp("env", "--shell", "vscode", "--write", "--file", str(file)).err for file in (new, old)
    ]
    assert told == ["", f"ccp: others on this machine can read the token in it: chmod 600 {old}\n"]
    assert [oct(file.stat().st_mode & 0o777) for file in (new, old)] == ["0o600", "0o640"]


@pytest.mark.parametrize("client", ["vscode", "bash"])
def test_line_ends_and_the_byte_order_mark_of_windows_stay(client, machine):
    machine.configure(CONFIG)
    file = machine.work / "file"
    before = {"vscode": '{\r\n  // mine\r\n  "a": "ö"\r\n}\r\n', "bash": "# mine: ö\r\n"}[client]
    file.write_bytes(b"\xef\xbb\xbf" + before.encode())
    machine.ccp("env", "--shell", client, "--write", "--file", str(file))
    content = file.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert b"\xef\xbb\xbf" not in content[3:]
    assert content.count(b"\n") == content.count(b"\r\n") > 3
    assert "ö" in content.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_the_settings_stays_a_link(machine):
    machine.configure(CONFIG)
    real, link = machine.work / "dotfiles.json", machine.work / "settings.json"
    real.write_text('{"a": 1}')
    link.symlink_to(real)
    machine.ccp("env", "--shell", "vscode", "--write", "--file", str(link))
    assert os.path.islink(link)
    assert json.loads(real.read_text())["a"] == 1


def test_a_running_proxy_tells_the_models_window(machine, threaded_upstream):
    models = {"default": "own/test-model", "opus": "", "sonnet": "", "haiku": "", "fable": "", "vision": ""}
    known = [{"id": "anthropic/own/test-model", "max_input_tokens": 150_000}]
    running = threaded_upstream(
        routes={
            "GET /health": Answer.json({"version": "1", "providers": {}, "models": models}),
            "GET /models": Answer.json({"data": known}),
        }
    )
    machine.configure({**CONFIG, "server": {"port": int(running.url.rpartition(":")[2])}})
    assert "export CLAUDE_CODE_AUTO_COMPACT_WINDOW=150000" in machine.ccp("env", "--shell", "bash").out


def test_a_server_that_is_no_proxy_is_not_believed(machine, threaded_upstream):
    running = threaded_upstream(routes={"GET /health": Answer.json([]), "GET /models": models_list()})
    machine.configure({**CONFIG, "server": {"port": int(running.url.rpartition(":")[2])}})
    result = machine.ccp("env", "--shell", "bash")
    assert (result.status, "AUTO_COMPACT" in result.out) == (0, False)
