"""Several processes on one port.

Theory of operation: this process opens the port and starts the workers, each of which inherits the listening
sockets and takes connections from them as it has time. Nothing that a worker does for an answer passes through here,
except that it asks for a place in a rate window. A worker that dies is replaced: what it had not yet accepted waits in
the sockets, which stay open here. A worker whose parent dies drains and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from typing import Any

import cattrs
import structlog
from attrs import asdict

from ccp_core.config.settings import Settings
from ccp_core.server.channel import Channel
from ccp_core.server.control import Control, announced
from ccp_core.server.listening import listen, raise_descriptor_limit, shown_url
from ccp_core.server.reload import Load, Reloader
from ccp_core.server.run import CLOSE_SECONDS, FAREWELL_SECONDS
from ccp_core.server.shares import part_of, storage_methods, too_small
from ccp_core.server.signals import Signals
from ccp_core.upstream.storage import ProcessStorage, open_storage

FIRST_WAIT = 0.25
"""Seconds before a worker that died soon after its start is replaced; doubled each further time."""

LONGEST_WAIT = 30.0

STABLE_SECONDS = 60.0
"""A worker that has lived that long is replaced at once."""

log = structlog.get_logger("ccp.workers")


class CannotStart(Exception):
    """A worker ended before it could serve; the text says what to look at."""


async def run(settings: Settings, load: Load, ready: Callable[[str], None]) -> None:
    """Serve with ``server.workers`` processes until SIGINT or SIGTERM, then let all of them drain.

    ``load`` and ``ready`` are as in server.run. Raises CannotListen, CannotStart, and KeyboardInterrupt when it was
    asked twice to stop.
    """
    server = settings.server
    raise_descriptor_limit()
    sockets = listen(server.host, server.port)
    workers = Workers(settings, sockets, load)
    signals = Signals(workers.control.reload)
    try:
        url = shown_url(*sockets[0].getsockname()[:2])
        with announced(url, workers.control.secret):
            await workers.start()
            ready(url)
            await signals.stop.wait()
            log.info("stopping", workers=server.workers, drain_seconds=workers.settings.server.drain_seconds)
            await workers.stop(signals.at_once)
    finally:
        await workers.kill()
        signals.close()
    if signals.at_once.is_set():
        raise KeyboardInterrupt


class Workers:
    """The worker processes, and what they share. It owns ``sockets``."""

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket], load: Load) -> None:
        self.settings = settings
        self.control = Control(Reloader(load, settings, self._apply))
        self._sockets = sockets
        self._storage = ProcessStorage()
        self._count = settings.server.workers
        self._channels: dict[int, Channel] = {}
        self._processes: dict[int, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start all workers and wait until they serve. Raises CannotStart."""
        for name in too_small(self.settings, self._count):
            log.warning("limit_exceeded", setting=name, effect=f"each of the {self._count} workers uses 1")
        loop = asyncio.get_running_loop()
        serving = [loop.create_future() for _ in range(self._count)]
        self._tasks = [loop.create_task(self._keep(number, up)) for number, up in enumerate(serving)]
        await asyncio.gather(*serving)

    async def stop(self, at_once: asyncio.Event) -> None:
        """Let all workers drain, and wait for them; not for those that take longer than they may."""
        self._stopping.set()
        for listening in self._sockets:
            listening.close()
        calls = [channel.call("stop") for channel in self._channels.values()]
        # Their answers are not waited for: a worker that hangs gives none.
        told = asyncio.gather(*calls, return_exceptions=True)
        longest = self.settings.server.drain_seconds + FAREWELL_SECONDS + 4 * CLOSE_SECONDS
        hurry = asyncio.ensure_future(at_once.wait())
        all_ended = asyncio.ensure_future(asyncio.wait(self._tasks))
        await asyncio.wait([hurry, all_ended], timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (told, hurry, all_ended):
            waiting.cancel()

    async def kill(self) -> None:
        """End at once what still runs."""
        self._stopping.set()
        for listening in self._sockets:
            listening.close()
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, number: int, up: asyncio.Future[None]) -> None:
        """Keep worker ``number`` running; ``up`` is resolved when it serves for the first time."""
        loop = asyncio.get_running_loop()
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            started = loop.time()
            try:
                how = _how(await self._run(number, up))
            except OSError as error:  # no memory, process or descriptor is left for it
                how = error.strerror or type(error).__name__
            if self._stopping.is_set():
                break
            if not up.done():
                up.set_exception(CannotStart(f"a worker ended ({how}) before it could serve"))
                return
            if loop.time() - started >= STABLE_SECONDS:
                wait = FIRST_WAIT
            log.error("worker_died", number=number, how=how, replaced_in=wait)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
            wait = min(2 * wait, LONGEST_WAIT)
        if not up.done():
            up.cancel()

    async def _run(self, number: int, up: asyncio.Future[None]) -> int:
        """Start worker ``number`` and wait for its end; its exit status."""
        ours, theirs = socket.socketpair()
        inherited = [theirs.fileno(), *(listening.fileno() for listening in self._sockets)]
        try:
            with theirs:
                # -P: no module in the working directory takes the place of one that is meant.
                command = (sys.executable, "-P", "-m", "ccp_core.server.worker", *map(str, inherited))
                process = await asyncio.create_subprocess_exec(*command, pass_fds=inherited)
        except OSError:
            ours.close()
            raise
        self._processes[number] = process
        if self._stopping.is_set():  # while it was being started
            process.kill()
        channel = self._channels[number] = await Channel.open(ours, self._methods(number, up))
        try:
            return await process.wait()
        finally:
            del self._channels[number], self._processes[number]
            await channel.close()

    def _methods(self, number: int, up: asyncio.Future[None]) -> dict[str, Any]:
        """What worker ``number`` may call."""

        async def begin() -> dict[str, Any]:
            return {
                "settings": self._part(self.settings, number),
                "number": number,
                "secret": self.control.secret,
            }

        async def ready() -> None:
            if not up.done():
                up.set_result(None)

        async def reload() -> dict[str, Any]:
            return asdict(await self.control.reload())

        return {"begin": begin, "ready": ready, "reload": reload, **storage_methods(self._storage)}

    async def _apply(self, settings: Settings) -> None:
        """Put other settings in force in all workers. Raises StorageError."""
        if settings.limits.storage != self.settings.limits.storage:
            await open_storage(settings.limits.storage).close()  # raises here and not in every worker
        self.settings = settings
        calls = [
            channel.call("apply", self._part(settings, number)) for number, channel in self._channels.items()
        ]
        # One that dies meanwhile is replaced by one with the new settings.
        await asyncio.gather(*calls, return_exceptions=True)

    def _part(self, settings: Settings, number: int) -> Any:
        return cattrs.unstructure(part_of(settings, number, self._count))


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
