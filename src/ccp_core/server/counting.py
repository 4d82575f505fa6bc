"""Counting tokens: short prompts at once, long ones in a process of its own (server.token_counter).

There a count delays no answer. The process is started for the first long prompt and lives as long as the proxy; one
that dies is replaced. Without it, as where none can be started, long prompts are counted here as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import orjson
import structlog

from ccp_core.protocol.events import Json
from ccp_core.protocol.messages import InvalidRequest, MessagesRequest, UnreadRequest, parse_request
from ccp_core.protocol.tokens import count
from ccp_core.server.token_counter import LENGTH_BYTES

LONG = 64 * 1024
"""Bytes of a request from which on it is counted elsewhere. A shorter one takes half a millisecond."""

PATIENCE = 5.0
"""Seconds that one answer of the process may take, its start included."""

ATTEMPTS = 3
"""Failures in a row after which it is not tried again."""

_BEHIND_OTHERS = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
"""Windows alone takes a priority from whoever starts a process."""

log = structlog.get_logger("ccp.server")


class Counting:
    """Counts the prompts of one proxy process, with the proxy's own estimate."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._attempts_left = ATTEMPTS

    async def count(self, data: bytes, betas: str = "") -> tuple[MessagesRequest, int]:
        """The request whose JSON is ``data``, and the tokens of its prompt. Raises InvalidRequest."""
        answer = await self._ask(data) if len(data) >= LONG else None
        if not answer:
            request = parse_request(data, betas)
            return request, count(request.body)
        if "invalid" in answer:
            raise InvalidRequest(answer["invalid"])
        return UnreadRequest.of(data, betas, answer["model"]), answer["tokens"]

    async def close(self) -> None:
        """End the process, for good. Counts under way come first."""
        async with self._turn:
            self._attempts_left = 0
            await self._end()

    async def _ask(self, data: bytes) -> Json | None:
        """What the process says of a request; nothing when it cannot say it."""
        answer: Json | None = None
        async with self._turn:
            if self._attempts_left <= 0:
                return None
            try:
                async with asyncio.timeout(PATIENCE):
                    if self._process is None:
                        self._process = await _start()
                    answer = await _exchange(self._process, data)
                self._attempts_left = ATTEMPTS
            except (OSError, NotImplementedError) as error:  # some event loops of Windows can start none
                self._attempts_left -= 1
                log.warning("token_counter_failed", reason=str(error) or f"no answer within {PATIENCE:g} s")
            finally:
                if answer is None:  # also when the client has left: the next one would be given its answer
                    await self._end()
        return answer

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _start() -> Process:
    # -P: no module in the working directory takes the place of one that is meant.
    command = (sys.executable, "-P", "-m", "ccp_core.server.token_counter")
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, creationflags=_BEHIND_OTHERS
    )


async def _exchange(process: Process, data: bytes) -> Json:
    requests, answers = process.stdin, process.stdout
    assert requests is not None
    assert answers is not None
    try:
        requests.writelines((len(data).to_bytes(LENGTH_BYTES, "big"), data))
        await requests.drain()
        line = await answers.readline()
    except (ConnectionError, RuntimeError):  # the latter is what uvloop has to say of a pipe that is closed
        line = b""
    if not line:
        raise ConnectionError("it has ended")
    answer: Json = orjson.loads(line)
    return answer
