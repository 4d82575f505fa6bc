"""The proxy in one process: listening, reading its configuration again, and ending well.

Stopping: no new connection is taken; answers under way may finish within ``server.drain_seconds``; those that do not
are told with an error, upon which the client asks again; then the process ends. Asked twice, it does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
from aiohttp import web

from ccp_core.config.settings import Settings
from ccp_core.gateway import Gateway
from ccp_core.server.app import create_app
from ccp_core.server.connection import Connection
from ccp_core.server.control import CONTROL, Control, announced
from ccp_core.server.listening import BACKLOG, listen, raise_descriptor_limit, shown_url
from ccp_core.server.reload import Load, Reloader
from ccp_core.server.signals import Signals
from ccp_core.server.state import GATEWAY, INTERRUPTION

T = TypeVar("T")

log = structlog.get_logger("ccp.server")

FAREWELL_SECONDS = 2.0
"""How long it may take to tell the clients of interrupted answers."""

CLOSE_SECONDS = 0.5
"""What is not done this long after everything was told is cut off."""


async def run(gateway: Gateway, load: Load, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then drain.

    ``load`` reads the configuration again, for SIGHUP and ``ccp reload``. ``ready`` is called with the proxy's URL
    once it listens. Raises CannotListen, and KeyboardInterrupt when it was asked twice to stop.
    """
    settings = gateway.settings.server
    raise_descriptor_limit()
    server = Server(gateway, listen(settings.host, settings.port))
    control = server.app[CONTROL] = Control(Reloader(load, gateway.given, server.apply))
    await server.start()
    signals = Signals(control.reload)
    try:
        with announced(server.url, control.secret):
            ready(server.url)
            settle()
            await signals.stop.wait()
            seconds = server.gateway.settings.server.drain_seconds
            log.info("stopping", requests_under_way=server.gateway.busy, drain_seconds=seconds)
            await server.drain(seconds, signals.at_once)
    finally:
        await server.close()
        signals.close()
    if signals.at_once.is_set():
        raise KeyboardInterrupt


@contextlib.asynccontextmanager
async def serving(gateway: Gateway, port: int | None = None) -> AsyncIterator[str]:
    """Serve inside the ``async with``, at ``port`` instead of the configured one; gives the proxy's URL.

    Raises CannotListen.
    """
    settings = gateway.settings.server
    server = Server(gateway, listen(settings.host, settings.port if port is None else port))
    await server.start()
    try:
        yield server.url
        await server.drain(settings.drain_seconds)
    finally:
        await server.close()


def run_in_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on the fastest event loop that there is."""
    gc.enable()  # a command is quicker without, but this may go on for days
    try:
        import uvloop
    except ImportError:  # not on Windows
        return asyncio.run(main)
    return uvloop.run(main)


def settle() -> None:
    """What start-up made lives on: the garbage collector need not look at it again.

    Nor need it look at the objects of a request, of which a large one has 100,000: they are no cycles, and go by
    themselves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


class Server:
    """A gateway on listening sockets. It owns both, from ``start`` on."""

    def __init__(self, gateway: Gateway, sockets: Sequence[socket.socket]) -> None:
        self.app = create_app(gateway)
        self._sockets = sockets
        self._listeners: list[asyncio.Server] = []
        self._runner = web.AppRunner(
            self.app,
            handler_cancellation=True,  # a client that leaves cancels its upstream request
            shutdown_timeout=CLOSE_SECONDS,
            handle_signals=False,
        )

    @property
    def gateway(self) -> Gateway:
        """The gateway in force."""
        return self.app[GATEWAY].current

    @property
    def url(self) -> str:
        """Where clients on this machine reach it."""
        host, port = self._sockets[0].getsockname()[:2]
        return shown_url(host, port)

    async def start(self) -> None:
        """Begin to answer."""
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None
        loop = asyncio.get_running_loop()
        for made in self._sockets:
            self._listeners.append(
                await loop.create_server(lambda: Connection(manager, loop=loop), sock=made, backlog=BACKLOG)
            )

    async def apply(self, settings: Settings) -> None:
        """Put other settings in force; requests under way keep those they began with."""
        await self.app[GATEWAY].replace(self.gateway.successor(settings))

    async def drain(self, seconds: float, at_once: asyncio.Event | None = None) -> None:
        """Take no further connection, and wait until all answers are finished: for ``seconds``, or until
        ``at_once`` is set. Then tell the clients of the others.
        """
        for listener in self._listeners:
            listener.close()
        await asyncio.sleep(0)  # what was accepted before this becomes a request first
        if self._runner.server is not None:
            self._runner.server.pre_shutdown()
        if not await self._idle(seconds, at_once):
            log.warning("answers_interrupted", count=self.gateway.busy)
            self.app[INTERRUPTION].begin()
            await self._idle(FAREWELL_SECONDS, None)

    async def close(self) -> None:
        """End all connections, also those that were not drained."""
        for listener in self._listeners:
            listener.close()
        for made in self._sockets:
            made.close()
        await self._runner.cleanup()

    async def _idle(self, seconds: float, unless: asyncio.Event | None) -> bool:
        """Wait until no request is under way; False when that took too long or ``unless`` was set."""
        idle = asyncio.ensure_future(self.app[GATEWAY].idle())
        waiting = [idle]
        if unless is not None:
            waiting.append(asyncio.ensure_future(unless.wait()))  # type: ignore[arg-type]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return idle.done()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
