"""Counting long prompts in a process of its own, which may die, hang, or never come to life."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
import structlog
from attrs import evolve

from ccp_core.protocol.messages import InvalidRequest, parse_request
from ccp_core.protocol.tokens import count
from ccp_core.server import counting as counting_module
from ccp_core.server.counting import ATTEMPTS, LONG, Counting
from ccp_core.server.run import run_in_loop

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal and no niceness")


def prompt(words: int, **members: Any) -> bytes:
    content = [{"type": "text", "text": "word " * words}]
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **members})


SHORT, OTHER = prompt(100), prompt(40_000)
LONG_ONE = prompt(20_000, stream=True, tools=[{"name": "Read", "input_schema": {"type": "object"}}])


def counted(data: bytes) -> int:
    return count(parse_request(data).body)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that were started."""
    start, processes = asyncio.create_subprocess_exec, []

    async def recording(*command: str, **options: Any) -> Process:
        processes.append(await start(*command, **options))
        return processes[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", recording)
    return processes


@pytest_asyncio.fixture
async def counting() -> AsyncIterator[Counting]:
    """One that is closed in the end."""
    made = Counting()
    yield made
    await made.close()


async def test_a_long_prompt_is_counted_in_a_process_of_its_own(counting: Counting, started: list[Process]):
    """Which is the same one for all, and ends with ``close``; the figures are those of counting here."""
    for data in (LONG_ONE, OTHER):
        assert (await counting.count(data))[1] == counted(data)
    [process] = started
    await counting.close()
    assert process.returncode is not None


async def test_a_short_prompt_needs_no_process(counting: Counting, started: list[Process]):
    request, tokens = await counting.count(SHORT, "some-beta")
    assert (request, tokens) == (parse_request(SHORT, "some-beta"), counted(SHORT))
    assert started == []


async def test_a_request_that_was_counted_elsewhere_can_be_read_whole(counting: Counting):
    """By plugins that decide over routes, and for an upstream with a counter of its own."""
    request, _ = await counting.count(LONG_ONE, "some-beta")
    whole = parse_request(LONG_ONE, "some-beta")
    assert request.model == "m"
    assert (request.size, request.betas, request.stream) == (len(LONG_ONE), "some-beta", True)
    assert (request.body, request.nested, request.tools) == (whole.body, whole.nested, whole.tools)
    assert evolve(request, body={**request.body, "model": "other"}).model == "other"


@pytest.mark.parametrize(
    "change", [(b'"role":"user"', b'"role":5'), (b'"messages"', b'"message"'), (b'"model"', b'"model')]
)
async def test_what_is_wrong_with_a_long_request_is_said_as_of_a_short_one(change: Any, counting: Counting):
    wrong = LONG_ONE.replace(*change, 1)
    with pytest.raises(InvalidRequest) as expected:
        parse_request(wrong)
    with pytest.raises(InvalidRequest) as error:
        await counting.count(wrong)
    assert str(error.value) == str(expected.value)
    assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)


async def test_a_request_that_cannot_be_counted_costs_no_process(counting: Counting, started: list[Process]):
    """It fails here as well, where it is known what to tell the client."""
    block = b'{"type":"new","text":"%b","member":%b%b}' % (b"long " * 20_000, b"[" * 500, b"]" * 500)
    deep = b'{"messages":[{"role":"user","content":[%b]}]}' % block
    for _ in range(ATTEMPTS + 1):
        with pytest.raises(orjson.JSONEncodeError):
            await counting.count(deep)
    assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
    assert len(started) == 1


async def test_calls_at_once_get_a_figure_each(counting: Counting, started: list[Process]):
    prompts = [prompt(LONG // 5 + 1000 * number) for number in range(14)]
    answers = await asyncio.gather(*(counting.count(data) for data in prompts))
    assert [tokens for _, tokens in answers] == [counted(data) for data in prompts]
    assert len(started) == 1


async def test_a_prompt_whose_client_left_leaves_no_answer_to_the_next_one(counting: Counting):
    await counting.count(LONG_ONE)
    for _ in range(3):
        leaving = asyncio.ensure_future(counting.count(OTHER))
        await asyncio.sleep(0)  # it has asked
        leaving.cancel()
        assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)


async def test_a_process_that_dies_is_replaced(counting: Counting, started: list[Process]):
    """The prompt that finds it dead is counted all the same."""
    for _ in range(3):
        await counting.count(LONG_ONE)
        started[-1].kill()
        await started[-1].wait()
        assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
    assert len(started) == 3
    assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
    assert len(started) == 4


def test_on_the_event_loop_of_the_proxy_a_process_that_dies_is_replaced_too(started: list[Process]):
    """Where there is uvloop, a pipe that is closed raises an error of its own."""

    async def count_and_kill() -> None:
        counting = Counting()
        for _ in range(ATTEMPTS + 2):
            assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
            if started[-1].returncode is None:
                started[-1].kill()
                await started[-1].wait()
        await counting.close()

    run_in_loop(count_and_kill())
    assert len(started) == 3  # every second prompt finds a dead one, and has a new one started for the next


@posix
async def test_a_process_that_hangs_is_not_waited_for(
    counting: Counting, started: list[Process], monkeypatch: pytest.MonkeyPatch
):
    await counting.count(LONG_ONE)
    monkeypatch.setattr(counting_module, "PATIENCE", 0.05)
    started[0].send_signal(signal.SIGSTOP)
    async with asyncio.timeout(10):
        assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
    assert started[0].returncode is not None


@pytest.mark.parametrize("executable", ["no such program", sys.executable])
async def test_where_none_can_be_started_prompts_are_counted_here(
    executable: str, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """After some attempts no more are made, each of which has left a line in the log."""
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))  # a Python without its library ends at once
    with structlog.testing.capture_logs() as logs:
        for _ in range(ATTEMPTS + 2):
            assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
    assert [line["event"] for line in logs] == ["token_counter_failed"] * ATTEMPTS


async def test_modules_in_the_working_directory_are_not_taken_for_those_of_python(
    counting: Counting, started: list[Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """People start the proxy in their own projects."""
    for name in ("signal", "json", "orjson"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    assert (await counting.count(LONG_ONE))[1] == counted(LONG_ONE)
    assert [process.returncode for process in started] == [None]


@posix
async def test_answers_come_before_counts(counting: Counting, started: list[Process]):
    """Where both want the same core."""
    await counting.count(LONG_ONE)
    priorities = [os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, started[0].pid)]
    assert priorities[1] == min(19, priorities[0] + 10)
