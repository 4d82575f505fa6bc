"""The ``ccp`` command as a whole: help, aliases, plugins' commands, failures that nobody foresaw."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from io import StringIO
from types import SimpleNamespace

import click
import pytest

from ccp_core import hookimpl
from ccp_core.cli import main as main_module
from ccp_core.cli.main import COMMANDS
from ccp_core.gateway import load_host

HELP = [[], *([name] for name in COMMANDS), ["config", "show"], ["config", "check"], ["config", "path"]]


@pytest.mark.parametrize("command", HELP, ids=lambda command: " ".join(command) or "ccp")
def test_help_fits_80_columns_and_says_what_the_command_is_for(command, machine):
    result = machine.ccp(*command, "--help")
    assert result.status == 0
    assert all(len(line) <= 80 for line in result.out.splitlines())
    first = next(line for line in result.out.splitlines()[1:] if line.strip())
    assert first.strip()[0].isupper()


def test_the_help_of_ccp_names_every_command_with_what_it_does(machine):
    shown = machine.ccp("--help").out
    for name, text in COMMANDS.items():
        assert f"  {name} " in shown
        assert text[:50] in shown


def test_each_commands_own_words_are_those_of_the_list():
    for name, text in COMMANDS.items():
        command = main_module.cli.get_command(click.Context(main_module.cli), name)
        assert command is not None
        assert command.short_help == text


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("claude-code-proxy", "serve"),
        ("free-claude-code", "serve"),
        ("ccp-init", "init"),
        ("fcc-init", "init"),
        ("claude-pick", "pick"),
    ],
)
def test_old_names_are_the_new_commands(script, command, machine, monkeypatch, capsys):
    [point] = entry_points(group="console_scripts", name=script)
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ended:
        point.load()()
    assert ended.value.code == 0
    assert f"Usage: ccp {command}" in capsys.readouterr().out


def test_the_version_is_told(machine):
    assert machine.ccp("--version").out.startswith("ccp, version ")


def test_an_unknown_command_is_refused_with_the_one_that_is_meant(machine):
    result = machine.ccp("sevre")
    assert result.status == 2
    assert "serve" in result.err


@pytest.fixture
def with_command(monkeypatch):
    """Install a plugin that adds a command of this name."""

    def install(name):
        @hookimpl
        def ccp_register_commands(commands):
            commands(click.Command(name, callback=lambda: click.echo("from a plugin"), short_help="Added."))

        def load():
            host = load_host()
            host.add(
                SimpleNamespace(ccp_register_commands=ccp_register_commands),
                name="adds",
                distribution="ccp-adds",
            )
            return host

        monkeypatch.setattr("ccp_core.gateway.load_host", load)
        monkeypatch.setattr(main_module.cli, "commands", {})
        monkeypatch.setattr(main_module.cli, "_has_plugin_commands", False)

    return install


def test_a_plugin_can_add_a_command(with_command, machine):
    with_command("extra")
    assert machine.ccp("extra").out == "from a plugin\n"
    assert "Added." in machine.ccp("--help").out


def test_a_plugin_cannot_take_the_name_of_a_command_of_ours(with_command, machine):
    with_command("serve")
    assert "from a plugin" not in machine.ccp("serve", "--help").out
    assert "Added." not in machine.ccp("--help").out


def test_a_failure_that_nobody_foresaw_is_one_line_and_a_traceback_in_the_log(
    machine, monkeypatch, capsys, tmp_path
):
    def fail(*_, **__):
        raise KeyError("sk-or-v1-0123456789abcdef")

    monkeypatch.setattr("ccp_core.config.sources.load_settings", fail)
    monkeypatch.setattr("ccp_core.logs.log_file", lambda settings: tmp_path / "crash.log")
    with pytest.raises(SystemExit) as ended:
        main_module.main(["config", "show"])
    [line] = capsys.readouterr().err.splitlines()
    [logged] = map(json.loads, (tmp_path / "crash.log").read_text().splitlines())
    assert ended.value.code == 70
    assert "KeyError" in line
    assert str(tmp_path / "crash.log") in line
    assert "Traceback" in logged["exception"]
    assert "0123456789abcdef" not in logged["exception"]


HEAVY = ("questionary", "prompt_toolkit", "rich", "aiohttp.web", "pytest")


@pytest.mark.parametrize(
    ("source", "absent"),
    [
        ("import ccp_core.cli.main", (*HEAVY, "aiohttp", "structlog", "cattrs")),
        (
            "from ccp_core.cli.start import *\nimport ccp_core.cli.serve, ccp_core.cli.banner, ccp_core.server.run\n"
            "plugins = load_plugins()\nmake_gateway(load(None, plugins), plugins)",
            ("questionary", "prompt_toolkit", "pytest", "IPython"),
        ),
    ],
    ids=["ccp --help", "ccp serve"],
)
def test_a_start_imports_only_what_it_needs(source, absent, machine):
    script = f"{source}\nimport sys; print(*[name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout.split() == []


def test_ctrl_c_before_a_command_runs_ends_it_without_a_word(machine, monkeypatch, capsys):
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module.cli, "main", interrupted)
    with pytest.raises(SystemExit) as end:
        main_module.main([])
    assert end.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody delete a folder that is in use")
def test_a_current_folder_that_is_gone_is_one_line(machine):
    gone = machine.work / "gone"
    gone.mkdir()
    script = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\nfrom ccp_core.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert done.returncode == 2
    assert done.stderr == "ccp: the current folder does not exist any more; go to another one: cd\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one_of_its_shell(shell, machine):
    script = machine.ccp("completion", shell).out
    assert "_CCP_COMPLETE" in script
    try:
        done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, timeout=20)
    except FileNotFoundError:
        pytest.skip(f"{shell} is not installed here")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "cursor", "offered"),
    [
        ("ccp mo", 1, "models"),
        ("ccp config sh", 2, "show"),
        ("ccp env --shell vs", 3, "vscode"),
        ("ccp doctor olla", 2, "ollama"),
    ],
)
def test_commands_options_and_values_are_completed(words, cursor, offered, machine):
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(cursor), "_CCP_COMPLETE": "bash_complete"}
    result = machine.process(**variables)
    assert f"plain,{offered}" in result.out.splitlines()


def test_the_environment_of_the_tests_is_the_machines(machine):
    """No key of the person who runs the tests can get into one."""
    assert not [name for name in os.environ if name.endswith("_API_KEY")]


@pytest.mark.parametrize("columns", [60, 80])
def test_a_line_for_a_person_is_wrapped_between_words_on_a_terminal(columns, monkeypatch):
    from ccp_core.cli.start import wrapped

    class Screen(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", str(columns))
    words = "/home/somebody/.config/claude-code-proxy/ccp.toml, line 3: server.prot is unknown. " * 2
    lines = wrapped(words.strip(), "ccp: ", on=Screen()).splitlines()
    assert max(map(len, lines)) < columns
    assert all(line.startswith("     ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == f"ccp: {words.strip()}"


def test_a_line_for_a_log_stays_one_line():
    from ccp_core.cli.start import wrapped

    assert wrapped("word " * 100, "ccp: ", on=StringIO()) == f"ccp: {'word ' * 100}"


def test_garbage_is_collected_again_once_the_proxy_serves(machine, monkeypatch):
    seen: list[bool] = []

    async def session(*_: object) -> int:
        seen.append(gc.isenabled())
        return 0

    def load(*_: object) -> None:
        seen.append(gc.isenabled())

    monkeypatch.setattr("ccp_core.cli.run.load", load)
    monkeypatch.setattr("ccp_core.cli.session.session", session)
    with pytest.raises(SystemExit):
        main_module.main(["run"])
    assert [*seen, gc.isenabled()] == [False, True, True]
