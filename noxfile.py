"""The project's tasks. ``python3 dev.py SESSION`` runs one on a machine that has only Python and pip."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "lint", "types"]
nox.needs_version = ">=2024.4"

ROOT = Path(__file__).resolve().parent
DISTRIBUTIONS = [
    ROOT,
    *sorted(p.parent for p in (ROOT / "plugins").rglob("pyproject.toml")),
]
TEST_TOOLS = (ROOT / "requirements" / "tests.txt", ROOT / "requirements" / "lint.txt")


def install_all(session: nox.Session, *requirements: Path, without: tuple[str, ...] = ()) -> None:
    """Install the distributions of the workspace, editable, with the tools of ``requirements``."""
    folders = [folder for folder in DISTRIBUTIONS if folder.name not in without]
    editable = [argument for folder in folders for argument in ("-e", str(folder))]
    files = [argument for file in requirements for argument in ("-r", str(file))]
    # One build backend for all of ours: an isolated one for each takes minutes.
    session.install("--quiet", "hatchling", "editables")
    session.install("--quiet", "--no-build-isolation", *editable)
    if files:  # some of which are built with a backend of their own
        session.install("--quiet", *files)


@nox.session
def serve(session: nox.Session) -> None:
    """Start the proxy from this checkout; arguments after -- go to ``ccp serve``."""
    install_all(session, without=("ccp_web_tools",))  # which brings tens of megabytes, and is off by default
    session.run("ccp", "serve", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Unit and integration tests of the core and all plugins."""
    install_all(session, TEST_TOOLS[0])
    quick = "not e2e and not real and not stress and not slow"
    session.run("pytest", "-n", "auto", "-m", quick, *session.posargs)


@nox.session
def stress(session: nox.Session) -> None:
    """Rates, leaks, memory and crashes under load, on loopback; some minutes."""
    install_all(session, TEST_TOOLS[0])
    session.run("pytest", "-m", "stress", "tests/life", "--timeout=300", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style: ruff."""
    session.install("--quiet", "-r", str(TEST_TOOLS[1]))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy, strict, for the core and every plugin."""
    install_all(session, *TEST_TOOLS)
    session.run("mypy", *(str(folder / "src") for folder in DISTRIBUTIONS if (folder / "src").exists()))


@nox.session
def e2e(session: nox.Session) -> None:
    """The real Claude Code client, installed with npm, through the proxy; on loopback alone."""
    if shutil.which("npm") is None:
        session.error(
            "npm is missing: install Node.js 18 or newer, which brings it, and run this session again"
        )
    install_all(session, TEST_TOOLS[0])
    session.run("pytest", "-m", "e2e and not slow", "tests/e2e", "--timeout=300", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Upstreams that are silent for minutes, and the real client; takes half an hour. On loopback alone."""
    install_all(session, TEST_TOOLS[0])
    session.run("pytest", "-m", "slow", "tests/e2e", "--timeout=900", *session.posargs)


@nox.session
def real_llamacpp(session: nox.Session) -> None:
    """A real llama.cpp server, built from source, and the real client; the first run takes half an hour.

    Everything is kept in .cache/llamacpp. CCP_LLAMA_SERVER names a ``llama-server`` that was built before,
    CCP_E2E_CLIENT the client.
    """
    if "CCP_LLAMA_SERVER" not in os.environ and shutil.which("cmake") is None:
        session.error("cmake is missing: install it with a C++ compiler, or set CCP_LLAMA_SERVER")
    install_all(session, TEST_TOOLS[0])
    fetch = ROOT / "tests" / "real" / "fetch_llamacpp.py"
    told = session.run(
        "python", str(fetch), str(ROOT / ".cache" / "llamacpp"), silent=True, stderr=sys.stderr
    )
    places = json.loads(str(told))
    env = {f"CCP_LLAMA_{name.upper()}": place for name, place in places.items()}
    session.run("pytest", "-m", "real", "tests/real", *session.posargs, env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, in site/; a warning, such as a link that leads nowhere, is an error."""
    session.install("--quiet", "-r", str(ROOT / "requirements" / "docs.txt"))
    shutil.rmtree(ROOT / "site", ignore_errors=True)
    doctrees = Path(session.create_tmp()) / "doctrees"
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-d", str(doctrees), "docs", "site")


@nox.session
def packaging(session: nox.Session) -> None:
    """Build every wheel; install and serve from wheels alone, in empty virtual environments.

    ``-- --each`` checks every provider by itself.
    """
    session.install("--quiet", "hatchling")
    wheels = Path(session.create_tmp()).resolve() / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    for folder in DISTRIBUTIONS:
        with session.chdir(folder):
            session.run("python", "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), silent=True)
    session.run(
        "python", str(ROOT / "tests" / "packaging" / "check_wheels.py"), str(wheels), *session.posargs
    )


if sys.version_info < (3, 11):
    raise SystemExit("ccp needs Python 3.11 or newer")
