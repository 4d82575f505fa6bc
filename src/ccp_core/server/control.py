"""How commands find a proxy that runs on this machine, and show that they may tell it what to do.

A proxy writes a small file with its address and a secret, which only its owner can read; its name holds the port.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import platformdirs
import structlog
from aiohttp import web
from attrs import asdict, field, frozen

from ccp_core.errors import ApiError
from ccp_core.server.reload import Reload

RELOAD_PATH = "/ccp/reload"
HEADER = "x-ccp-secret"

log = structlog.get_logger("ccp.server")


@frozen
class Control:
    """What the owner may ask of this proxy, and the secret that an owner knows."""

    reload: Reload
    secret: str = field(factory=lambda: secrets.token_urlsafe(32), repr=False)


CONTROL = web.AppKey("control", Control)


@frozen
class Running:
    """A proxy that runs on this machine."""

    url: str
    pid: int
    secret: str = field(repr=False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.url).port or 0

    def listens(self) -> bool:
        """Whether somebody is at its address; a proxy that was killed leaves its file behind."""
        host = urlsplit(self.url).hostname or ""
        try:
            socket.create_connection((host, self.port), timeout=2).close()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def announced(url: str, secret: str) -> Iterator[None]:
    """Let commands find this process inside the ``with``. A folder that cannot be written is no obstacle."""
    running = Running(url, os.getpid(), secret)
    path = _folder() / f"serve-{running.port}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(orjson.dumps(asdict(running)))
    except OSError as error:
        log.warning("not_announced", effect="`ccp reload` will not find this proxy", reason=error.strerror)
    try:
        yield
    finally:
        if (found := _read(path)) is not None and found.pid == running.pid:
            with contextlib.suppress(OSError):
                path.unlink()


def find_running() -> list[Running]:
    """The proxies of this person that run on this machine, by port."""
    found: list[Running] = []
    with contextlib.suppress(OSError):  # a folder that may not be entered holds nothing of this person's
        found = [running for path in _folder().glob("serve-*.json") if (running := _read(path)) is not None]
    return sorted((running for running in found if running.listens()), key=lambda running: running.port)


async def reload(request: web.Request) -> web.Response:
    """POST /ccp/reload: read the configuration again."""
    control = request.app.get(CONTROL)
    sent = request.headers.get(HEADER, "")
    if control is None or not hmac.compare_digest(sent.encode(errors="replace"), control.secret.encode()):
        raise ApiError(
            403, "permission_error", "Only `ccp reload`, run by the proxy's owner, may ask for this."
        )
    result = await control.reload()
    return web.Response(body=orjson.dumps(asdict(result)), content_type="application/json")


def _folder() -> Path:
    return Path(platformdirs.user_state_path("claude-code-proxy", appauthor=False))


def _read(path: Path) -> Running | None:
    try:
        return Running(**orjson.loads(path.read_bytes()))
    except (OSError, TypeError, ValueError):
        return None
