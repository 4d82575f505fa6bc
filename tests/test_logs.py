"""Logs: readable on a terminal, JSON lines in the file, no secret anywhere, and never a reason to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from ccp_core import logs
from ccp_core.config.settings import LoggingSettings

KEY = "plain-secret-of-nobody"
"""Looks like no key: only the settings know that it is one."""

PRELUDE = f"""
import logging, sys
import structlog
from ccp_core import logs
from ccp_core.config.settings import LoggingSettings
log = structlog.get_logger("ccp.test")
def configure(file=None, **settings):
    return logs.configure(LoggingSettings(file=file, **settings), ["{KEY}"])
"""


class Run:
    """A process that logs, with what it wrote."""

    def __init__(self, folder: Path, source: str) -> None:
        self.file = folder / "logs" / "server.log"
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + source, str(self.file)],
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "HOME": str(folder), "PYTHONWARNINGS": "default"},
            check=False,
        )
        self.terminal, self.output, self.status = done.stderr, done.stdout, done.returncode

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]


def test_the_file_has_json_lines_and_the_terminal_readable_ones(tmp_path):
    run = Run(tmp_path, 'configure(sys.argv[1]); log.info("started", port=8082, notes=["a", {"b": 1}])')
    [line] = run.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "started",
        "level": "info",
        "logger": "ccp.test",
        "port": 8082,
        "notes": ["a", {"b": 1}],
    }
    assert "[info] started port=8082" in run.terminal
    assert run.output == ""


def test_a_request_is_one_short_line_on_the_terminal(tmp_path):
    run = Run(
        tmp_path,
        """
configure(sys.argv[1])
log.info("request", request_id="req_1", client_model="claude-x", provider="p", model="m", status=200, duration=1.23456)
""",
    )
    assert "claude-x -> p/m status=200 duration=1.23s" in run.terminal
    assert "req_1" not in run.terminal
    assert run.lines[0]["request_id"] == "req_1"


def test_what_is_no_text_stops_no_line(tmp_path):
    """Header values come as they are; bytes in them that are no UTF-8 are replaced, and the lines around them stay."""
    run = Run(
        tmp_path,
        """
configure(sys.argv[1])
log.info("request", session_id="s\\udcff")
log.info("odd", headers={"x-odd": "h\\udcff"})
log.info("next")
""",
    )
    assert run.status == 0, run.terminal
    request, odd, after = run.lines
    assert (request["session_id"], odd["headers"]) == ("s\ufffd", {"x-odd": "h\ufffd"})
    assert after["event"] == "next"


def test_a_level_of_a_librarys_own_counts_as_the_one_below(tmp_path):
    run = Run(
        tmp_path,
        'configure(sys.argv[1])\nfor level in (5, 25, 60): logging.getLogger("lib").log(level, "level %d", level)',
    )
    assert [(line["event"], line["level"]) for line in run.lines] == [
        ("level 25", "info"),
        ("level 60", "critical"),
    ]


SECRET_WAYS = {
    "text": 'log.error("no", reason="key " + KEY)',
    "event": "log.error(KEY)",
    "nested": 'log.error("no", body={"a": [{"b": KEY}]})',
    "member_name": 'log.error("no", headers={"X-Api-Key": "short"}, authorization="short")',
    "object": 'log.error("no", error=ValueError(KEY))',
    "traceback": """
try:
    raise ValueError(KEY)
except ValueError:
    log.exception("failed")
""",
    "library": 'logging.getLogger("aiohttp.server").error("bad %s", KEY)',
    "library_traceback": """
try:
    raise OSError(KEY)
except OSError:
    logging.getLogger("asyncio").exception("lost")
""",
    "warning": "import warnings; warnings.warn(KEY)",
    "a_key_of_somebody_else": 'log.error("no", text="sk-or-v1-short-0123456789")',
}


@pytest.mark.parametrize("way", SECRET_WAYS.values(), ids=SECRET_WAYS)
def test_no_way_leads_a_secret_into_a_log(way, tmp_path):
    """Library logs, warnings and tracebacks included."""
    run = Run(tmp_path, f'KEY = "{KEY}"\nconfigure(sys.argv[1])\n{way}')
    written = run.terminal + run.file.read_text()
    assert run.status == 0, run.terminal
    assert "[redacted]" in written
    assert not any(secret in written for secret in (KEY, "'short'", '"short"', "=short", "0123456789"))


def test_tracebacks_are_in_the_file_as_text(tmp_path):
    run = Run(tmp_path, 'configure(sys.argv[1])\ntry: 1 / 0\nexcept Exception: log.exception("failed")')
    assert "ZeroDivisionError" in run.lines[0]["exception"]


def test_nothing_is_computed_for_a_level_that_is_off(tmp_path):
    """A value's text is not even asked for."""
    run = Run(
        tmp_path,
        """
class Costly:
    def __str__(self): raise SystemExit(7)
    __repr__ = __str__
configure(sys.argv[1], level="warning")
log.info("quiet", value=Costly())
log.debug("quiet", value=Costly())
""",
    )
    assert (run.status, run.file.read_text(), run.terminal) == (0, "", "")


def test_contents_go_to_the_file_and_not_to_the_terminal(tmp_path):
    run = Run(tmp_path, 'configure(sys.argv[1]); structlog.get_logger(logs.RAW).info("raw", body="a prompt")')
    assert run.lines[0]["body"] == "a prompt"
    assert run.terminal == ""


def test_contents_go_to_the_terminal_when_there_is_no_file(tmp_path):
    run = Run(tmp_path, 'configure(""); structlog.get_logger(logs.RAW).info("raw", body="a prompt")')
    assert "a prompt" in run.terminal
    assert not run.file.exists()


def test_the_file_is_rotated(tmp_path):
    run = Run(
        tmp_path,
        """
logs.MAX_BYTES = 2000
configure(sys.argv[1])
for number in range(100): log.info("line", number=number)
""",
    )
    names = sorted(path.name for path in run.file.parent.iterdir())
    assert names == ["server.log", "server.log.1", "server.log.2", "server.log.3"]
    assert run.lines[-1]["number"] == 99


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not rename a file that is open")
@pytest.mark.parametrize("happens", ["os.rename(path, path + '.1')", "os.remove(path)"])
def test_a_file_that_another_process_has_rotated_is_left_for_the_new_one(happens, tmp_path):
    run = Run(
        tmp_path,
        f"""
import os
path = sys.argv[1]
configure(path)
log.info("before")
{happens}
log.info("after")
""",
    )
    assert [line["event"] for line in run.lines] == ["after"]


def test_a_secret_that_is_learned_later_is_kept_out_by_loggers_in_use(tmp_path):
    run = Run(
        tmp_path,
        """
configure(sys.argv[1])
log.info("first", value="learned-later")
logs.learn(["learned-later"])
log.info("second", value="learned-later")
""",
    )
    assert [line["value"] for line in run.lines] == ["learned-later", "[redacted]"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_the_file_is_for_its_owner_alone(tmp_path):
    run = Run(tmp_path, 'configure(sys.argv[1]); log.info("x")')
    assert run.file.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_one_line_and_stops_nothing(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    run = Run(tmp_path, 'print(configure(sys.argv[1])); log.info("goes on")')
    complaint, line = run.terminal.splitlines()
    assert complaint.startswith(f"ccp: the log file {run.file} cannot be written: ")
    assert "CCP_LOG_FILE" in complaint
    assert "goes on" in line
    assert (run.output, run.status) == ("None\n", 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path):
    run = Run(tmp_path, 'configure("/dev/full")\nfor _ in range(100): log.info("goes on")')
    complaints = [line for line in run.terminal.splitlines() if line.startswith("ccp:")]
    assert complaints == [
        "ccp: the log file /dev/full cannot be written: No space left on device. "
        "CCP_LOG_FILE (logging.file) names another one."
    ]
    assert run.terminal.count("goes on") == 100
    assert run.status == 0


def test_silence_keeps_even_errors_and_library_warnings_off_the_terminal(tmp_path):
    run = Run(tmp_path, 'logs.silence(); log.error("x"); logging.getLogger("aiohttp").warning("y")')
    assert (run.terminal, run.output) == ("", "")


def test_after_silence_logging_can_be_configured(tmp_path):
    run = Run(tmp_path, 'logs.silence(); log.error("lost"); configure(sys.argv[1]); log.error("kept")')
    assert [line["event"] for line in run.lines] == ["kept"]


def test_the_log_file_is_the_configured_one_or_the_platforms_or_none(tmp_path):
    settings = LoggingSettings()
    assert logs.log_file(evolve(settings, file=str(tmp_path / "x.log"))) == tmp_path / "x.log"
    assert logs.log_file(evolve(settings, file="")) is None
    platform_file = logs.log_file(settings)
    assert platform_file is not None
    assert platform_file.parts[-1] == "server.log"
    assert "claude-code-proxy" in str(platform_file)
