"""One of several processes that serve one port; ``python -m ccp_core.server.worker``, started by server.workers.

It is told its settings, and when to stop, over a channel. When the parent is gone it ends, too: open answers first.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from functools import partial
from typing import Any

import cattrs
import structlog

from ccp_core import logs
from ccp_core.config.secrets import secrets_of
from ccp_core.config.settings import Settings
from ccp_core.gateway import Gateway, load_host
from ccp_core.server.channel import Channel
from ccp_core.server.control import CONTROL, Control
from ccp_core.server.reload import Reloaded
from ccp_core.server.run import Server, run_in_loop, settle
from ccp_core.server.shares import storage_of_worker
from ccp_core.server.signals import Signals


async def work(end: socket.socket, sockets: list[socket.socket]) -> None:
    """Serve on ``sockets`` what the parent at the other side of ``end`` says."""
    serving: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
    # Not SIGINT: the terminal sends it to all its processes, and the parent says what is to be done about it.
    signals = Signals(stopping=(signal.SIGTERM,))

    async def apply(data: Any) -> None:
        settings = cattrs.structure(data, Settings)
        logs.learn(secrets_of(settings))
        await (await serving).apply(settings)  # which may be asked for while this worker starts

    async def stop() -> None:
        signals.stop.set()

    parent = await Channel.open(end, {"apply": apply, "stop": stop})

    async def reload() -> Reloaded:
        return cattrs.structure(await parent.call("reload"), Reloaded)

    given = await parent.call("begin")
    settings = cattrs.structure(given["settings"], Settings)
    logs.configure(settings.logging, secrets_of(settings))
    structlog.contextvars.bind_contextvars(worker=given["number"])
    gateway = Gateway(settings, load_host(), storage_at=partial(storage_of_worker, parent))
    server = Server(gateway, sockets)
    server.app[CONTROL] = Control(reload, given["secret"])
    await server.start()
    serving.set_result(server)
    settle()
    try:
        await parent.call("ready")
        gone = asyncio.ensure_future(parent.closed())
        told = asyncio.ensure_future(signals.stop.wait())
        await asyncio.wait([gone, told], return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, told):
            task.cancel()
        await server.drain(server.gateway.settings.server.drain_seconds, signals.at_once)
    finally:
        await server.close()
        await parent.close()


def main(arguments: list[str]) -> None:
    """``arguments``: the descriptors of the channel and of the listening sockets."""
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    end, *sockets = inherited = [socket.socket(fileno=int(argument)) for argument in arguments]
    for passed in inherited:
        passed.set_inheritable(False)  # to what this process starts in its turn
    run_in_loop(work(end, sockets))


if __name__ == "__main__":
    main(sys.argv[1:])
