"""The proxy as a process of its own, with clients that keep what they were sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest_asyncio

from ccp_core.testing.proxy_app import TURN
from ccp_core.testing.proxy_process import ProxyProcess

TOKEN = {"x-api-key": "freecc"}
StartProcess = Callable[..., Awaitable["Proxy"]]


class Proxy:
    """A proxy process and a client of it."""

    def __init__(self, process: ProxyProcess, session: aiohttp.ClientSession) -> None:
        self.process = process
        self.session = session

    @property
    def url(self) -> str:
        return self.process.url

    async def ask(self, body: Mapping[str, Any] = TURN, **extra: Any) -> tuple[int, Any]:
        """One request on a connection of its own: status, and the body as JSON."""
        async with self.session.post(
            self.url + "/v1/messages", json={**body, **extra}, headers={**TOKEN, "connection": "close"}
        ) as response:
            return response.status, orjson.loads(await response.read())

    async def count(self, prompt: str) -> int:
        """The tokens of a prompt, as it counts them."""
        body = {**TURN, "messages": [{"role": "user", "content": prompt}]}
        async with self.session.post(
            self.url + "/v1/messages/count_tokens", json=body, headers=TOKEN
        ) as response:
            return int(orjson.loads(await response.read())["input_tokens"])

    async def ask_roughly(self, body: Mapping[str, Any]) -> None:
        """One request whose answer does not matter, nor whether it is whole."""
        with contextlib.suppress(aiohttp.ClientError):
            async with self.session.post(self.url + "/v1/messages", json=body, headers=TOKEN) as response:
                await response.read()

    async def open(self, **extra: Any) -> Stream:
        """Begin a stream, and wait until its first bytes are there."""
        response = await self.session.post(
            self.url + "/v1/messages", json={**TURN, **extra, "stream": True}, headers=TOKEN
        )
        stream = Stream(response)
        await stream.more()
        return stream

    async def health(self) -> dict[str, Any]:
        async with self.session.get(self.url + "/health") as response:
            return dict(orjson.loads(await response.read()))

    async def ended(self, timeout: float = 20.0) -> int:
        """Wait for the end of the process; its exit status."""
        return await asyncio.to_thread(self.process.wait, timeout)

    async def ccp(self, *arguments: str) -> Any:
        """Run a command of ccp."""
        return await asyncio.to_thread(self.process.ccp, *arguments)

    async def logged(self, words: str, timeout: float = 20.0) -> str:
        """Wait until the log has a line with ``words``; that line."""
        return await until(
            lambda: next((line for line in self.process.log.splitlines() if words in line), None), timeout
        )


class Stream:
    """What a client has received of one answer."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.seen = b""

    async def more(self) -> bytes:
        data = await self.response.content.readany()
        self.seen += data
        return data

    async def rest(self) -> bytes:
        """Everything to the end, which may be a broken connection."""
        with contextlib.suppress(aiohttp.ClientError):
            while await self.more():
                pass
        self.response.close()
        return self.seen


@pytest_asyncio.fixture
async def start_process(tmp_path: Path) -> AsyncIterator[StartProcess]:
    """Start proxies: ``proxy = await start_process(config, "--workers", "2")``; they end with the test."""
    started: list[ProxyProcess] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def start(config: Mapping[str, Any], *arguments: str, **options: Any) -> Proxy:
            folder = tmp_path / f"proxy{len(started)}"
            process = ProxyProcess(config, folder=folder, arguments=arguments, **options)
            started.append(process)
            await asyncio.to_thread(process.start)
            proxy = Proxy(process, session)
            await proxy.logged("listens on")  # now all of its workers are there
            return proxy

        yield start
        await session.close()  # streams that are open would be waited for
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in started))


async def until(look: Callable[[], Any], timeout: float = 20.0) -> Any:
    """What ``look`` finds, as soon as it finds something: for what another process does without telling."""
    async with asyncio.timeout(timeout):
        while not (found := look()):  # noqa: ASYNC110 - nobody sets an event in this process
            await asyncio.sleep(0.02)
    return found


def refuses(port: int) -> bool:
    """Whether nobody listens at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
