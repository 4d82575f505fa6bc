"""``ccp config``: the settings in effect, their origin, and what is wrong with them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .conftest import KEY, Machine, endpoint


def test_show_names_value_origin_and_variable_and_masks_secrets(machine):
    machine.configure(endpoint("http://127.0.0.1:9/v1"))
    machine.set(PORT="9999")
    result = machine.ccp("config", "show")
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert lines["server.port"].split(None, 2)[1:] == ["9999", "(environment; PORT)"]
    assert '"***"  ' in lines["providers.own.api_key"]
    assert "ccp.toml, line" in lines["models.default"]
    assert "limits.queue" not in lines
    assert KEY not in result.out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals in Python")
def test_an_origin_that_does_not_fit_the_terminal_stands_below(machine: Machine) -> None:
    from .terminal import Terminal

    file = machine.configure(endpoint("http://127.0.0.1:9/v1"))
    with Terminal("config", "show", "--config", str(file)) as screen:
        assert screen.end() == 0
    lines = screen.text.splitlines()
    setting = next(number for number, line in enumerate(lines) if line.startswith("models.default"))
    assert lines[setting].split() == ["models.default", '"own/test-model"']
    assert lines[setting + 1].startswith("  (")
    assert lines[setting + 1].endswith("; MODEL)")


def test_show_all_has_the_defaults_too(machine):
    result = machine.ccp("config", "show", "--all")
    assert "limits.queue" in result.out


def test_show_can_be_read_by_programs(machine):
    machine.configure(endpoint("http://127.0.0.1:9/v1"))
    rows = {row["key"]: row for row in machine.ccp("config", "show", "--json").json}
    assert rows["models.default"]["value"] == '"own/test-model"'
    assert rows["providers.own.api_key"]["value"] == '"***"'


def test_check_says_that_all_is_well_and_passes_warnings_on(machine):
    machine.configure(endpoint("http://127.0.0.1:9/v1"))
    (machine.work / ".env").write_text("NIM_ENABLE_THINKING=true\n")
    result = machine.ccp("config", "check")
    assert result.status == 0
    assert "in order" in result.out
    assert "Use ENABLE_MODEL_THINKING" in result.err


def test_check_tells_every_problem_in_a_line_of_its_own(machine):
    machine.configure('[server]\nprot = 1\nhost = "0.0.0.0"\n[models]\ndefault = "gork/x"\n')
    result = machine.ccp("config", "check")
    assert (result.status, result.out) == (2, "")
    assert len(result.problems) == 3
    assert all(line.startswith("ccp: ccp.toml, line ") for line in result.problems)


def test_path_prints_the_files_that_are_read(machine):
    machine.configure("")
    dotenv = machine.home / ".config" / "claude-code-proxy" / ".env"
    dotenv.parent.mkdir(parents=True)
    dotenv.write_text("")
    assert machine.ccp("config", "path").out.split() == [str(machine.config), str(dotenv)]


def test_path_says_where_a_file_would_go_when_there_is_none(machine):
    result = machine.ccp("config", "path")
    assert (result.status, result.out) == (1, "")
    assert str(machine.home / ".config" / "claude-code-proxy" / "ccp.toml") in result.err


@pytest.mark.parametrize("by", ["option", "variable"])
def test_path_follows_a_file_that_is_named(by, machine):
    named = machine.work / "other.toml"
    named.write_text("")
    machine.set(**({"CCP_CONFIG": str(named)} if by == "variable" else {}))
    options = ["--config", str(named)] if by == "option" else []
    assert machine.ccp("config", "path", *options).out.split() == [str(named)]
    everything = machine.ccp("config", "path", "--all", *options).out
    assert everything.splitlines()[0].split() == ["read", str(named)]
    assert "absent" in everything


def test_a_named_file_that_may_not_be_read_takes_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may be allowed to read everything, so the operating system's answer is played."""
    file = machine.configure("")
    read_text = Path.read_text

    def refuse(self: Path, encoding: str | None = None, errors: str | None = None) -> str:
        if self == file:
            raise PermissionError(13, os.strerror(13), str(self))
        return read_text(self, encoding, errors)

    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(Path, "read_text", refuse)
    for arguments in (["config", "check", "--config", str(file)], ["init", "--from-env", str(file)]):
        result = machine.ccp(*arguments)
        assert result.status == 2
        assert len(result.problems) == 1, result.err
        assert "You may not read the file: change its permissions or its owner." in result.err


def test_files_in_a_folder_that_may_not_be_entered_are_as_good_as_absent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a service's user who is called in somebody else's folder."""
    file = machine.configure(endpoint("http://127.0.0.1:9/v1", ca_file="/closed/ca.pem"))
    stat = os.stat

    def refuse(path, *arguments, **options):
        if isinstance(path, str | Path) and ("closed" in str(path) or str(path).endswith(".env")):
            raise PermissionError(13, os.strerror(13), str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refuse)
    assert machine.ccp("config", "path").out.split() == [str(file)]
    [problem] = machine.ccp("config", "check").problems
    assert 'ca_file = "/closed/ca.pem" is not a file that can be read.' in problem
