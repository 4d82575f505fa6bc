"""The examples of the pages: configurations load, JSON parses, shell lines are shell, unattended commands run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ccp_core.config.sources import load_settings
from ccp_core.gateway import load_host
from ccp_core.testing.processes import clean_environment

from .pages import DOCS, EVERY_PAGE, Page

PLUGINS = load_host()


def examples(*languages: str) -> list[Any]:
    """Every block of these languages, named by its page and its number there."""
    return [
        pytest.param(page, text, id=f"{page}-{number}")
        for page in EVERY_PAGE
        for number, (info, text) in enumerate(page.blocks, 1)
        if info.partition(" ")[0] in languages
    ]


CONFIGURATIONS = [one for one in examples("toml") if "project" not in tomllib.loads(one.values[1])]


@pytest.mark.parametrize(("page", "text"), CONFIGURATIONS)
def test_a_configuration_is_accepted(page: Page, text: str, tmp_path: Path) -> None:
    """By the proxy with all plugins, once the keys that an excerpt leaves out are there."""
    path, authority = tmp_path / "ccp.toml", tmp_path / "ca.pem"
    authority.touch()
    text = text.replace("…", "x").replace("/etc/ssl/company-ca.pem", authority.as_posix())
    path.write_text(text, encoding="utf-8")
    keys = {f"{spec.env_prefixes[0]}_API_KEY": "key" for spec in PLUGINS.providers.values() if spec.needs_key}
    loaded = load_settings(
        path,
        keys,
        {},
        installed=PLUGINS.configurable,
        transports=PLUGINS.transports,
        cwd=tmp_path,
        home=tmp_path,
    )
    assert loaded.warnings == ()
    assert path in loaded.files


@pytest.mark.parametrize(("page", "text"), examples("json"))
def test_json_is_json(page: Page, text: str) -> None:
    """Also where it is a member to paste into a larger file."""
    assert json.loads(text if text.startswith("{") else f"{{{text}}}")


@pytest.mark.parametrize(("page", "text"), examples("sh"))
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash reads the lines")
def test_shell_lines_are_shell(page: Page, text: str) -> None:
    """Bash reads them; lines for another shell stand beside them in some places and are left out."""
    lines = "\n".join(line for line in text.splitlines() if "--shell fish" not in line)
    done = subprocess.run(["bash", "-n"], input=lines, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_unattended_setup_of_the_quickstart_writes_what_the_page_shows(tmp_path: Path) -> None:
    """The line for scripts, and the file that one can write by hand, lead to the same models and key."""
    blocks = Page(DOCS / "quickstart.md").blocks
    (line,) = (text for info, text in blocks if info == "sh" and "--non-interactive" in text)
    (shown,) = (text for info, text in blocks if info == "toml")
    words = [*line.replace("…", "x").split()[1:], "--no-check"]
    done = subprocess.run(
        [sys.executable, "-m", "ccp_core", *words],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (written,) = tmp_path.rglob("ccp.toml")
    made, by_hand = tomllib.loads(written.read_text(encoding="utf-8")), tomllib.loads(shown.replace("…", "x"))
    assert {name: made[name] for name in by_hand} == by_hand


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx itself reads the example")
def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    """With a certificate made for the test, and nothing to write outside its folder."""
    import trustme

    (site,) = (text for info, text in Page(DOCS / "deployment.md").blocks if info.startswith("nginx"))
    authority = trustme.CA().issue_cert("ccp.example.org")
    authority.cert_chain_pems[0].write_to_path(tmp_path / "ccp.pem")
    authority.private_key_pem.write_to_path(tmp_path / "ccp.key")
    site = re.sub(r"/etc/ssl/\S+\.(pem|key)", rf"{tmp_path}/ccp.\1", site)
    folders = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{site}}}\n")
    done = subprocess.run(
        ["nginx", "-t", "-c", str(main), "-e", "stderr"], capture_output=True, text=True, check=False
    )
    assert "test is successful" in done.stderr, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd itself reads the example")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """With the program that runs this test in place of the installed one."""
    (unit,) = (text for info, text in Page(DOCS / "deployment.md").blocks if info.startswith("ini"))
    path = tmp_path / "ccp.service"
    path.write_text(unit.replace("/opt/ccp/bin/ccp", f"{sys.executable} -m ccp_core"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], env=os.environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
