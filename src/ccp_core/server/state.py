"""What the application and a request carry with them, under typed keys."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from aiohttp import web

from ccp_core.errors import ApiError
from ccp_core.gateway import Gateway
from ccp_core.server.counting import Counting


class GatewayHolder:
    """The gateway in force. A reload replaces it; requests under way keep the one they began with."""

    def __init__(self, gateway: Gateway) -> None:
        self.current = gateway
        self._retired: set[asyncio.Task[None]] = set()

    async def replace(self, gateway: Gateway) -> None:
        """Start ``gateway``, put it in force, and close the old one when its last request is done."""
        await gateway.start()
        old, self.current = self.current, gateway
        old.retire(gateway)
        task = asyncio.get_running_loop().create_task(self._retire(old, tuple(self._retired)))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def idle(self) -> None:
        """Wait until no request is under way, on no gateway."""
        await asyncio.gather(self.current.idle(), *map(asyncio.shield, self._retired))

    async def close(self) -> None:
        """Close the gateway in force and all retired ones."""
        retired = tuple(self._retired)
        for task in retired:
            task.cancel()
        await asyncio.gather(*retired, return_exceptions=True)
        await self.current.close()

    async def _retire(self, gateway: Gateway, older: tuple[asyncio.Task[None], ...]) -> None:
        # What a gateway took over from an older one may be in use there, so the older ones go first.
        try:
            if older:
                await asyncio.wait(older)
        finally:
            await gateway.close_when_idle()


class Interruption:
    """Ends answers under way, when the proxy stops and cannot wait for them any longer.

    ``begin`` makes every block inside ``with interruption.possible():`` raise ApiError, now and from now on.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._begun = False

    def begin(self) -> None:
        """Interrupt all."""
        self._begun = True
        for task in self._tasks:
            task.cancel()

    def _has_begun(self) -> bool:
        return self._begun

    @contextlib.contextmanager
    def possible(self) -> Iterator[None]:
        """Where the task of a request may be interrupted. Raises ApiError."""
        task = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        if self._has_begun():
            raise _stopping()
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # A client that leaves cancels, too: then there is nobody to tell.
            if self._has_begun() and task.uncancel() <= cancelled_before:
                raise _stopping() from None
            raise
        finally:
            self._tasks.discard(task)


def _stopping() -> ApiError:
    return ApiError(529, "overloaded_error", "The proxy is being stopped. Ask again when it is back.")


GATEWAY = web.AppKey("gateway", GatewayHolder)
COUNTING = web.AppKey("counting", Counting)
INTERRUPTION = web.AppKey("interruption", Interruption)
RECORDED = web.RequestKey("recorded", bool)
"""Set once a RequestRecord was made of the request, which has a line in the log in the end."""
REQUEST_ID = web.RequestKey("request_id", str)
TOKEN_ROUTE: web.RequestKey[str | None] = web.RequestKey("token_route", object)  # type: ignore[arg-type]
