"""What upstreams do wrong, as a table: each fault at each stage of an answer, over both transports.

::

    for row in fault_rows("chat"):
        upstream = FakeUpstream([row.answer, row.healthy])   # the fault once, then what it should have been
        ...                                                  # ask the proxy, as a stream and as JSON
        assert judge_stream(status, headers, body) == row.streamed
        assert judge_json(status, headers, body) == row.whole

The model always says the same: thinking, text, two tool calls (``fault_judge.SPOKEN``). The judgement is independent of
the row: :mod:`ccp_core.testing.fault_judge` looks at what the client got and says how the client goes on from there.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from attrs import field, frozen

from .answers import Answer, Delay, Drop, Reset, Stall, Step
from .chat_answers import chat_error, chat_error_frame, chat_stream
from .content import pieces
from .fault_judge import ANSWERED, ASKS_AGAIN, ENDS_WITH_CALL, REFUSED, SPOKEN, Outcome
from .messages_answers import messages_error, messages_error_frame, messages_stream

Transport: TypeAlias = Literal["chat", "messages"]
Stage: TypeAlias = Literal[
    "before the headers",
    "before content",
    "in thinking",
    "behind thinking",
    "in text",
    "behind text",
    "in tool JSON",
    "behind a tool call",
    "before the end marker",
    "instead of an answer",
]

_CHUNK = 8  # characters of each delta
_HUGE = 17 * 1024 * 1024  # bytes; more than one event may have
_UNSEEN: tuple[Stage, ...] = ("before the headers", "before content", "instead of an answer")

_STREAMED: dict[Stage, Outcome] = {
    "before the headers": ANSWERED,
    "before content": ANSWERED,
    "in thinking": ASKS_AGAIN,
    "behind thinking": ASKS_AGAIN,
    "in text": ASKS_AGAIN,
    "behind text": ASKS_AGAIN,
    "in tool JSON": ASKS_AGAIN,
    "behind a tool call": ENDS_WITH_CALL,
    "before the end marker": ANSWERED,
    "instead of an answer": ANSWERED,
}
"""What a client that streams must find, when the next request is answered well: once it has read, it asks again itself.

A client that wants JSON has read nothing before all is whole, so for it each fault can be made good.
"""


@frozen
class FaultRow:
    """One fault at one stage.

    ``streamed`` and ``whole``: what must become of it, for a client that streams and one that wants JSON, when the next
    try is answered well. ``stalls``: it ends only by a read timeout, which the proxy must have been given.
    """

    transport: Transport
    fault: str
    stage: Stage
    answer: Answer = field(repr=False)
    streamed: Outcome
    whole: Outcome
    stalls: bool = False

    def __str__(self) -> str:
        return f"{self.transport}: {self.fault}, {self.stage}"

    @property
    def healthy(self) -> Answer:
        """The answer without the fault."""
        return healthy_answer(self.transport)

    @property
    def breaks(self) -> bool:
        """Whether it keeps the answer from being whole, so that a client learns of it when it comes each time."""
        return not (self.fault in _HARMLESS or self.stage == "before the end marker")

    @property
    def unseen(self) -> bool:
        """Whether it shows before any content: then a fault that lasts must become a status."""
        return self.stage in _UNSEEN


@functools.cache
def healthy_answer(transport: Transport) -> Answer:
    """The answer that the rows are made from, one event a step."""
    if transport == "chat":
        return chat_stream(reasoning=SPOKEN.thinking, text=SPOKEN.text, tools=SPOKEN.calls, chunk_size=_CHUNK)
    return messages_stream(thinking=SPOKEN.thinking, text=SPOKEN.text, tools=SPOKEN.calls, chunk_size=_CHUNK)


@functools.cache
def stage_offsets(transport: Transport) -> dict[Stage, int]:
    """How many events of the healthy answer come before a fault at each stage that has events before it."""
    thinking, text, arguments = (
        len(list(pieces(said, _CHUNK)))
        for said in (SPOKEN.thinking, SPOKEN.text, SPOKEN.calls[0].arguments_json)
    )
    around = 0 if transport == "chat" else 1  # events that only start or stop a block
    signature = around
    first = 1  # the role, or message_start
    after_thinking = first + around + thinking + signature + around
    after_text = after_thinking + around + text + around
    after_call = after_text + 1 + arguments + around
    return {
        "before content": first,
        "in thinking": first + around + 2,
        "behind thinking": after_thinking + around,  # the text is announced, and nothing of it said
        "in text": after_thinking + around + 2,
        "behind text": after_text,
        "in tool JSON": after_text + 1 + 2,
        "behind a tool call": after_call,
        "before the end marker": len(healthy_answer(transport).steps) - (2 if transport == "chat" else 1),
    }


def fault_rows(transport: Transport) -> tuple[FaultRow, ...]:
    """The whole table of one transport."""
    return (*_staged(transport), *_headless(transport), *_instead(transport))


def _row(
    transport: Transport,
    fault: str,
    stage: Stage,
    answer: Answer,
    *,
    streamed: Outcome | None = None,
    whole: Outcome = ANSWERED,
    stalls: bool = False,
) -> FaultRow:
    outcome = _STREAMED[stage] if streamed is None else streamed
    return FaultRow(transport, fault, stage, answer, outcome, whole, stalls)


def _staged(transport: Transport) -> Iterator[FaultRow]:
    healthy = healthy_answer(transport)
    for stage, at in stage_offsets(transport).items():
        for fault, break_at in _BREAKS.items():
            yield _row(transport, fault, stage, break_at(healthy, at))
        error = _error_frame(transport)
        yield _row(transport, "error object", stage, healthy.keep(at).then(error))
        yield _row(transport, "error object, then silence", stage, healthy.keep(at).then(error, Stall()))
        for fault, disturb in _DISTURBANCES.items():
            yield _row(transport, fault, stage, disturb(healthy, at), streamed=ANSWERED)
        # What was waited for once in vain is not waited for again.
        silent = healthy.keep(at).then(Stall())
        yield _row(
            transport,
            "stall",
            stage,
            silent,
            streamed=REFUSED if stage == "before content" else None,
            whole=ANSWERED if stage == "before the end marker" else REFUSED,
            stalls=True,
        )


def _headless(transport: Transport) -> Iterator[FaultRow]:
    healthy = healthy_answer(transport)
    refuse = chat_error if transport == "chat" else messages_error
    stage: Stage = "before the headers"
    yield _row(transport, "cut", stage, Answer.raw(Drop()))
    yield _row(transport, "reset", stage, Answer.raw(Reset()))
    yield _row(transport, "cut in the status line", stage, Answer.raw(b"HTTP/1.1 2", Drop()))
    yield _row(
        transport, "garbage", stage, Answer.raw(b"\x16\x03\x01\x00\xff no HTTP at all\r\n\r\n", Drop())
    )
    yield _row(
        transport,
        "huge line",
        stage,
        Answer.raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000 + b"\r\n", Drop()),
    )
    yield _row(transport, "slow first byte", stage, healthy.after(Delay(0.05)))
    yield _row(
        transport, "stall", stage, healthy.after(Stall()), streamed=REFUSED, whole=REFUSED, stalls=True
    )
    for status in (408, 429, 500, 502, 503, 529):
        yield _row(transport, f"status {status}", stage, refuse(status, "try again"))
    for status in (400, 403, 404):
        answer = refuse(status, "that will not do")
        yield _row(transport, f"status {status}", stage, answer, streamed=REFUSED, whole=REFUSED)
    yield _row(transport, "status 502 as HTML", stage, Answer.html("Bad Gateway", 502))
    cut = refuse(500, "try again").claiming_length(10_000)
    yield _row(transport, "status 500, its body cut", stage, cut)
    yield _row(transport, "status 500 and no body", stage, Answer.text("", 500))


def _instead(transport: Transport) -> Iterator[FaultRow]:
    stage: Stage = "instead of an answer"
    refuse = chat_error if transport == "chat" else messages_error
    error = _error_frame(transport)
    page = Answer.html("Welcome")
    yield _row(transport, "HTML", stage, page, streamed=REFUSED, whole=REFUSED)
    yield _row(transport, "nothing", stage, Answer.text("", content_type="text/event-stream"))
    yield _row(transport, "nothing, as JSON", stage, Answer.text("", content_type="application/json"))
    yield _row(transport, "comments only", stage, Answer.sse(b": waiting\n\n", b": waiting\n\n"))
    yield _row(transport, "only the end marker of SSE", stage, Answer.sse(b"\n\n\n\n"))
    yield _row(transport, "error object as JSON", stage, refuse(500, "try again").with_status(200))
    yield _row(
        transport,
        "error object as JSON under the name of SSE",
        stage,
        refuse(500, "try again").with_status(200).with_headers({"content-type": "text/event-stream"}),
    )
    yield _row(transport, "error object as the only event", stage, Answer.sse(error))
    yield _row(
        transport, "half a JSON object", stage, Answer.text('{"id": "x", "cho', 200, "application/json")
    )
    yield _row(transport, "an empty JSON object", stage, Answer.json({}))
    yield _row(transport, "a JSON list", stage, Answer.json([1, 2]))
    yield _row(transport, "plain text", stage, Answer.text("all is well"))
    yield _row(transport, "bytes", stage, Answer.sse(bytes(range(256)) * 4))
    gzipped = healthy_answer(transport).gzipped(damaged=True)
    yield _row(transport, "damaged gzip, in one piece", stage, gzipped)


def _error_frame(transport: Transport) -> bytes:
    words = "the engine has failed"
    if transport == "chat":
        return chat_error_frame(words)
    return messages_error_frame(words, type="api_error")


# Faults that end the stream at an event.


def _cut(healthy: Answer, at: int) -> Answer:
    return healthy.keep(at).then(Drop())


def _reset(healthy: Answer, at: int) -> Answer:
    return healthy.keep(at).then(Reset())


def _ends(healthy: Answer, at: int) -> Answer:
    return healthy.keep(at)


def _ends_in_a_line(healthy: Answer, at: int) -> Answer:
    """Without the line ends of the last event, which counts all the same."""
    return healthy.keep(at - 1).then(_frame(healthy, at - 1).rstrip(b"\n"))


def _half_an_event(healthy: Answer, at: int) -> Answer:
    return healthy.keep(at).then(_half(_frame(healthy, at)), Drop())


def _half_a_character(healthy: Answer, at: int) -> Answer:
    """The connection ends between two bytes of one character, in one of the next two events."""
    for number in range(at, min(at + 2, len(healthy.steps))):
        frame = _frame(healthy, number)
        inside = next((i for i, byte in enumerate(frame) if byte >= 0x80), 0)
        if inside:
            return healthy.keep(number).then(frame[: inside + 1], Drop())
    return _half_an_event(healthy, at)


def _damaged_event(healthy: Answer, at: int) -> Answer:
    """Half an event as if it were a whole one, and the connection closed in good order."""
    return healthy.keep(at).then(_half(_frame(healthy, at)) + b"\n\n")


def _huge_line(healthy: Answer, at: int) -> Answer:
    megabytes: list[Step] = [b"x" * (1024 * 1024)] * (_HUGE // (1024 * 1024))
    return healthy.keep(at).then(b'data: {"choices": [{"delta": {"content": "', *megabytes, b"\n\n")


def _too_long_a_length(healthy: Answer, at: int) -> Answer:
    kept = healthy.keep(at)
    return kept.claiming_length(len(kept.body) + 1000)


def _too_short_a_length(healthy: Answer, at: int) -> Answer:
    return healthy.claiming_length(len(healthy.keep(at).body))


def _bad_chunk(healthy: Answer, at: int) -> Answer:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(_frame(healthy, i)), _frame(healthy, i)) for i in range(at)]
    return Answer.raw(head, *chunks, b"not a number\r\n\xff\xfe\r\n", Drop())


def _damaged_gzip(healthy: Answer, at: int) -> Answer:
    return _gzip(healthy, at).then(b"\xff" * 64, Drop())


def _cut_gzip(healthy: Answer, at: int) -> Answer:
    return _gzip(healthy, at).then(Drop())


_BREAKS: dict[str, Callable[[Answer, int], Answer]] = {
    "cut": _cut,
    "reset": _reset,
    "ends without its end marker": _ends,
    "ends without the last line end": _ends_in_a_line,
    "half an event": _half_an_event,
    "half a character": _half_a_character,
    "damaged event": _damaged_event,
    "huge line": _huge_line,
    "too long a content-length": _too_long_a_length,
    "too short a content-length": _too_short_a_length,
    "garbage in place of a chunk": _bad_chunk,
    "damaged gzip": _damaged_gzip,
    "gzip cut": _cut_gzip,
}


# What looks like a fault and is none: the answer must come out whole.


def _pause(healthy: Answer, at: int) -> Answer:
    return healthy.insert(at, Delay(0.05))


def _noise(healthy: Answer, at: int) -> Answer:
    noise = (
        b": comment\n\n",
        b"\x00\xfe garbage\n\n",
        b"data:\n\n",
        b"event: odd\nid: 1\nretry: 5\n\n",
        b"\r\n\r\n",
    )
    return healthy.insert(at, *noise)


def _drip(healthy: Answer, at: int) -> Answer:
    """The events from here on in pieces of seven bytes, which cut characters and lines anywhere."""
    before = len(healthy.keep(at).body)
    return healthy.cut(*range(before, min(before + 2000, len(healthy.body)), 7))


_DISTURBANCES: dict[str, Callable[[Answer, int], Answer]] = {
    "pause": _pause,
    "noise between events": _noise,
    "slow drip": _drip,
}
_HARMLESS = {*_DISTURBANCES, "slow first byte"}


def _frame(healthy: Answer, number: int) -> bytes:
    step = healthy.steps[number]
    assert isinstance(step, bytes)
    return step


def _half(frame: bytes) -> bytes:
    return frame.rstrip(b"\n")[: len(frame) * 2 // 3]


def _gzip(healthy: Answer, at: int) -> Answer:
    """The first events compressed, each so that it can be read before the next one comes."""
    packer = zlib.compressobj(wbits=31)
    packed = [
        packer.compress(_frame(healthy, number)) + packer.flush(zlib.Z_SYNC_FLUSH) for number in range(at)
    ]
    return Answer.sse(*packed, headers={"content-encoding": "gzip"})
