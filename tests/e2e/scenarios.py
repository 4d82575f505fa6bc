"""What a session with the real client must be able to do, whatever stands between the client and the model.

A scenario is a prompt, a model played by a function, and a check of the outcome: files on disk, the client's
own report of the session, and the requests that reached the model. Models are written without a dialect, so
each scenario runs over both transports, and without the proxy as well.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ccp_core.testing import Conversation, Tokens, ToolCall, Turn
from ccp_core.testing.claude_client import ClientRun


@frozen
class Outcome:
    """What a scenario's check may look at. ``asked`` are the requests that reached the model, in order."""

    run: ClientRun
    asked: Sequence[Conversation]
    through_proxy: bool


@frozen
class Scenario:
    """``model`` and ``prepare`` get the client's work folder. ``config`` goes into the proxy's
    ``ccp.toml``.
    """

    name: str
    prompt: str
    model: Callable[[Conversation, Path], Turn]
    check: Callable[[Outcome], None]
    prepare: Callable[[Path], None] = lambda work: None
    env: Mapping[str, str | None] = field(factory=dict)
    config: Mapping[str, Any] = field(factory=dict)


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, arguments)


def write(path: Path, content: str) -> ToolCall:
    return call("Write", file_path=str(path), content=content)


def no_tool_failed(run: ClientRun) -> None:
    failed = [block for block in run.tool_results if block.get("is_error")]
    assert failed == []


# Plain text, and what it cost.


def around_compaction(conversation: Conversation, asked: list[str]) -> Turn | None:
    """The summary that the client asks for to compact a conversation, and the turn that follows it; None for any other.

    ``asked`` notes which.
    """
    text = conversation.user_text
    if "Respond with TEXT ONLY" in text:
        asked.append("summary")
        return Turn(text="<summary>The person likes tea.</summary>")
    if "likes tea" in text:
        asked.append("compacted")
        return Turn(text="Tea it is.")
    return None


def say_hello(conversation: Conversation, work: Path) -> Turn:
    return Turn(text="Hello from the model.", usage=Tokens(prompt=5000, completion=99, cached=700))


def check_hello(outcome: Outcome) -> None:
    assert outcome.run.result_text == "Hello from the model."
    assert len(outcome.asked) == 1
    usage = outcome.run.result["usage"]
    assert usage["input_tokens"] == 4300
    assert usage["cache_read_input_tokens"] == 700
    assert usage["output_tokens"] == 99


# A tool call that writes a file.


def write_a_file(conversation: Conversation, work: Path) -> Turn:
    if conversation.results:
        return Turn(text="Written.")
    return Turn(text="Writing it.", tool_calls=[write(work / "hello.txt", "hello, disk\n")])


def check_a_file(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    assert outcome.run.files == {"hello.txt": b"hello, disk\n"}
    assert outcome.run.result_text == "Written."
    assert len(outcome.asked[1].results) == 1


# Two tool calls in one turn.


def write_two_files(conversation: Conversation, work: Path) -> Turn:
    if conversation.results:
        return Turn(text=f"{len(conversation.results)} results")
    return Turn(tool_calls=[write(work / "one.txt", "1"), write(work / "two.txt", "2")])


def check_two_files(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    assert outcome.run.files == {"one.txt": b"1", "two.txt": b"2"}
    assert outcome.run.result_text == "2 results"
    assert len(outcome.asked) == 2


# Thinking, then a tool; the thinking comes back to the model with the tool's result.

THOUGHT = "The file does not exist yet, so it has to be written."


def think_then_write(conversation: Conversation, work: Path) -> Turn:
    if conversation.results:
        return Turn(reasoning="Now it exists.", text="Thought and written.")
    return Turn(reasoning=THOUGHT, tool_calls=[write(work / "thought.txt", "thought")])


def check_thinking(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    assert outcome.run.files == {"thought.txt": b"thought"}
    assert outcome.run.result_text == "Thought and written."
    shown = [block["thinking"] for block in outcome.run.blocks if block["type"] == "thinking"]
    assert shown == [THOUGHT, "Now it exists."]
    assert outcome.asked[1].reasoning == (THOUGHT,)


# A subagent with a task of its own. Its tool is called Agent or Task, depending on the client's version.

CHILD_TASK = "CHILD TASK: write child.txt and report."


def delegate(conversation: Conversation, work: Path) -> Turn:
    is_child = "PARENT TASK" not in conversation.user_text
    if is_child and conversation.results:
        return Turn(text="child report")
    if is_child:
        return Turn(tool_calls=[write(work / "child.txt", "from the child")])
    if conversation.results:
        reported = "child report" in conversation.results[0].text
        return Turn(text="The child has reported." if reported else conversation.results[0].text)
    name = "Agent" if "Agent" in conversation.tools else "Task"
    arguments: dict[str, Any] = {
        "description": "write a file",
        "prompt": CHILD_TASK,
        "subagent_type": "general-purpose",
    }
    if "run_in_background" in conversation.tools[name]["properties"]:
        arguments["run_in_background"] = False
    return Turn(tool_calls=[ToolCall(name, arguments)])


def check_subagent(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    assert outcome.run.files == {"child.txt": b"from the child"}
    assert outcome.run.result_text == "The child has reported."
    assert len(outcome.asked) == 4


# A long session.

TURNS = 30


def many_turns(conversation: Conversation, work: Path) -> Turn:
    done = conversation.tool_turns
    if done == TURNS:
        return Turn(text=f"{done} turns")
    return Turn(tool_calls=[call("Bash", command=f"echo turn {done} >> log.txt", description="log a turn")])


def check_many_turns(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    expected = "".join(f"turn {number}\n" for number in range(TURNS))
    assert outcome.run.files["log.txt"].decode().splitlines() == expected.splitlines()
    assert outcome.run.result_text == f"{TURNS} turns"
    assert len(outcome.asked) == TURNS + 1
    for before, after in itertools.pairwise(outcome.asked):  # upstreams can reuse their prompt caches
        assert after.messages[: len(before.messages)] == before.messages
        assert after.tools == before.tools


# A long text.

LONG_TEXT = "".join(f"Line {number:05d} of a long answer.\n" for number in range(3_500))[:100_000]


def long_text(conversation: Conversation, work: Path) -> Turn:
    return Turn(text=LONG_TEXT, chunk_size=40)


def check_long_text(outcome: Outcome) -> None:
    assert outcome.run.result_text == LONG_TEXT


# An image that a tool has read.


def small_png(width: int = 8, height: int = 8) -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\xff\x00\x00" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def put_picture(work: Path) -> None:
    (work / "picture.png").write_bytes(small_png())


def look_at_picture(conversation: Conversation, work: Path) -> Turn:
    if conversation.results:
        return Turn(text=f"{len(conversation.images)} image")
    return Turn(tool_calls=[call("Read", file_path=str(work / "picture.png"))])


def check_picture(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    assert outcome.run.result_text == "1 image"
    [image] = outcome.asked[1].images
    assert image.media_type == "image/png"
    assert image.data == small_png()


# Characters that are easily lost on the way.

AWKWARD = (
    'emoji 🎉👩‍👩‍👧, 中文と日本語, "double" \'single\' `back`, \\ \\\\ \\n, tab\t, <tag> & {"json": [1]}'
    "\r\nend without a line break"
)


def write_awkward_text(conversation: Conversation, work: Path) -> Turn:
    if conversation.results:
        return Turn(text="说好了 ✅")
    return Turn(tool_calls=[write(work / "awkward-日本.txt", AWKWARD)], chunk_size=3)


def check_awkward_text(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    [(name, content)] = outcome.run.files.items()
    assert name == "awkward-日本.txt"
    assert content.decode() == AWKWARD
    assert outcome.run.result_text == "说好了 ✅"


# The session's title. Client 2.1.197 asks for it beside the first turn when the prompt is not a short one.

LONG_PROMPT = "Write a short greeting for the users of this program, explain why it is friendly, then stop."
WITH_TITLE: Mapping[str, str | None] = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": None}


def give_title(conversation: Conversation, work: Path) -> Turn:
    if not conversation.tools:
        return Turn(text='{"title": "A scripted session"}')
    return Turn(text="Hello beside the title.")


def check_title_from_model(outcome: Outcome) -> None:
    assert outcome.run.result_text == "Hello beside the title."
    asked_for_title = [not asked.tools for asked in outcome.asked]
    assert asked_for_title.count(False) == 1
    assert asked_for_title.count(True) == (1 if outcome.run.client_version == "2.1.197" else 0)


def check_title_from_proxy(outcome: Outcome) -> None:
    if not outcome.through_proxy:
        check_title_from_model(outcome)
        return
    assert outcome.run.result_text == "Hello beside the title."
    assert [bool(asked.tools) for asked in outcome.asked] == [True]


SCENARIOS = (
    Scenario("plain text", "Say hello.", say_hello, check_hello),
    Scenario("a file is written", "Write hello.txt.", write_a_file, check_a_file),
    Scenario("two tools in one turn", "Write two files.", write_two_files, check_two_files),
    Scenario("thinking, then a tool", "Think, then write.", think_then_write, check_thinking),
    Scenario("a subagent", "PARENT TASK: delegate.", delegate, check_subagent),
    Scenario("30 tool turns", "Log thirty turns.", many_turns, check_many_turns),
    Scenario("100,000 characters", "Write a long text.", long_text, check_long_text),
    Scenario("an image", "Look at picture.png.", look_at_picture, check_picture, put_picture),
    Scenario("awkward characters", "Write awkward text.", write_awkward_text, check_awkward_text),
    Scenario("a title from the proxy", LONG_PROMPT, give_title, check_title_from_proxy, env=WITH_TITLE),
    Scenario(
        "a title from the model",
        LONG_PROMPT,
        give_title,
        check_title_from_model,
        env=WITH_TITLE,
        config={"local_answers": {"title": False}},
    ),
)

# All of the usual in one session: a call, two calls in one turn, a call after thinking.


def work(conversation: Conversation, work: Path) -> Turn:
    match conversation.tool_turns:
        case 0:
            return Turn(text="Writing it.", tool_calls=[write(work / "hello.txt", AWKWARD)])
        case 1:
            return Turn(tool_calls=[write(work / "one.txt", "1"), write(work / "two.txt", "2")])
        case 2:
            return Turn(reasoning=THOUGHT, tool_calls=[write(work / "thought.txt", "thought")])
    return Turn(reasoning="Now it exists.", text=f"{conversation.tool_turns} turns")


def check_work(outcome: Outcome) -> None:
    no_tool_failed(outcome.run)
    assert outcome.run.files == {
        "hello.txt": AWKWARD.encode(),
        "one.txt": b"1",
        "two.txt": b"2",
        "thought.txt": b"thought",
    }
    assert outcome.run.result_text == "3 turns"
    shown = [block["thinking"] for block in outcome.run.blocks if block["type"] == "thinking"]
    assert shown == [THOUGHT, "Now it exists."]
    assert [len(asked.results) for asked in outcome.asked] == [0, 1, 2, 1]
    assert THOUGHT in outcome.asked[3].reasoning


WORK = Scenario("a file, two tools, thinking and a tool", "Do some work.", work, check_work)
"""What a provider has to show beside its own tests."""
