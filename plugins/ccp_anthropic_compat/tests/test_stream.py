"""What upstreams do wrong, and what the client gets nevertheless."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from ccp_anthropic_compat import MessagesDialect

from ccp_core.protocol.events import InputJSONDelta, MessageStop, Ping, TextDelta
from ccp_core.protocol.grammar import UpstreamStreamError
from ccp_core.testing import Message, block_frames, every_split, messages_stream, named_frame

Json = dict[str, Any]
Answer = Callable[..., Message]

START = named_frame({"type": "message_start", "message": {"usage": {"input_tokens": 7}}})
STOP = named_frame({"type": "message_stop"})


def end(reason: str | None = "end_turn", **usage: Any) -> bytes:
    return named_frame({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})


def start(index: int, block: Json) -> bytes:
    return named_frame({"type": "content_block_start", "index": index, "content_block": block})


def delta(index: int, **members: Any) -> bytes:
    return named_frame({"type": "content_block_delta", "index": index, "delta": members})


def text(*pieces: str, index: int = 0) -> bytes:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return b"".join(block_frames(index, {"type": "text", "text": ""}, deltas))


def tool(*pieces: str, index: int = 0, name: str = "Read", **block: Any) -> bytes:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return b"".join(block_frames(index, {"type": "tool_use", "id": "t1", "name": name, **block}, deltas))


def raw(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


CALL = '{"file_path": "/a"}'


def bare(escaped: str, index: str = '"index":0,') -> bytes:
    """A text delta without an event name, its text as it stands in the JSON."""
    delta = f'{{"type":"text_delta","text":"{escaped}"}}'
    return raw(f'{{"type":"content_block_delta",{index}"delta":{delta}}}')


TEXT = {"type": "text", "text": "Hi"}
TEXTS: list[tuple[str, bytes, str]] = [
    ("text in the block's start", start(0, TEXT) + delta(0, type="text_delta", text="!"), "Hi!"),
    ("no block start at all", delta(0, type="text_delta", text="Hi"), "Hi"),
    ("no event names", bare("Hi"), "Hi"),
    ("no index", bare("Hi", ""), "Hi"),
    ("an index that is null", bare("Hi", '"index":null,'), "Hi"),
    ("deltas of a type that nobody knows", text("Hi") + delta(0, type="new_delta", new=1), "Hi"),
    ("deltas whose type is no word", text("Hi") + delta(0, type=[]) + delta(0, type=None) + delta(0), "Hi"),
    ("events of a type that nobody knows", named_frame({"type": "new_event"}) + text("Hi"), "Hi"),
    ("null text", delta(0, type="text_delta", text=None) + text("Hi"), "Hi"),
    ("a delta that is null", raw('{"type":"content_block_delta","index":0,"delta":null}') + text("Hi"), "Hi"),
    ("data that is no JSON", raw("nonsense") + raw("[1]") + text("Hi"), "Hi"),
    ("a character cut in two", bare("a\\ud83d") + bare("\\ude00b"), "a😀b"),
    ("half a character", bare("a\\ude00b"), "a\ufffdb"),
    ("no content", b"", " "),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "wanted"), TEXTS, ids=[case[0] for case in TEXTS])
def test_text_arrives_whatever_is_wrong_around_it(
    name: str, body: bytes, wanted: str, answer: Answer
) -> None:
    """Missing, null and unknown members cost nothing of the text, at every cut of the network."""
    for pieces in every_split(START + body + end() + STOP):
        assert answer(pieces).text == wanted


INPUTS: list[tuple[str, bytes, Any]] = [
    ("pieces", tool('{"file', '_path": ', '"/a"}'), {"file_path": "/a"}),
    ("input in the block's start", tool(input={"file_path": "/a"}), {"file_path": "/a"}),
    ("input in the start and in deltas", tool(CALL, input={"file_path": "/a"}), {"file_path": "/a"}),
    ("an empty input in the start", tool(CALL, input={}), {"file_path": "/a"}),
    ("no input", tool(), {}),
    ("an empty delta", tool(""), {}),
    ("null for an optional parameter", tool('{"limit": null, "file_path": "/a"}'), {"file_path": "/a"}),
    ("input twice", tool(CALL, CALL), {"file_path": "/a"}),
    ("single quotes", tool("{'file_path': '/a'}"), {"file_path": "/a"}),
    ("an object instead of text", start(0, {"type": "tool_use", "id": "t", "name": "Read"})
     + delta(0, type="input_json_delta", partial_json={"file_path": "/a"}), {"file_path": "/a"}),
    ("a missing brace in a call that was not cut", tool('{"file_path": "/a"'), {"file_path": "/a"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "wanted"), INPUTS, ids=[case[0] for case in INPUTS])
def test_calls_arrive_with_an_input_that_the_client_accepts(
    name: str, body: bytes, wanted: Any, answer: Answer
) -> None:
    """Whatever form the input of a call came in, the client gets one JSON object, at every cut."""
    for pieces in every_split(START + body + end("tool_use") + STOP):
        message = answer(pieces)
        assert [block["input"] for block in message.tool_uses] == [wanted]
        assert message.stop_reason == "tool_use"


@pytest.mark.parametrize("reason", ["max_tokens", "length", "model_context_window_exceeded"])
def test_half_a_call_never_becomes_a_whole_one(reason: str, stream: Callable[..., Any]) -> None:
    """A call that the token limit cut stays broken, and the client asks the model again."""
    events = stream().feed(START + tool('{"file_path": "/a') + end(reason) + STOP)
    assert [event.partial_json for event in events if isinstance(event, InputJSONDelta)] == [
        '{"file_path": "/a'
    ]


def test_the_call_before_another_block_was_not_cut(answer: Answer) -> None:
    """What ends because something else begins is complete, even when the answer was cut later."""
    body = START + tool('{"file_path": "/a"') + text("more", index=1) + end("max_tokens") + STOP
    assert answer(body).tool_uses[0]["input"] == {"file_path": "/a"}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("Read", "Read"),
        ("read", "Read"),
        ("[TOOL_CALLS]Read", "Read"),
        ("functions.Read", "Read"),
        ("Other", "Other"),
    ],
)
def test_names_are_those_of_declared_tools(written: str, wanted: str, answer: Answer) -> None:
    """The client knows tools by their exact name only."""
    assert answer(START + tool(CALL, name=written) + end() + STOP).tool_uses[0]["name"] == wanted


def test_calls_have_ids_of_their_own(answer: Answer) -> None:
    """The client drops a second call with the same id, and needs one on each."""
    body = START + tool(CALL) + tool(CALL, index=1) + tool(CALL, index=2, id=None) + end() + STOP
    ids = [block["id"] for block in answer(body).tool_uses]
    assert ids[0] == "t1"
    assert len(set(ids)) == 3


def test_calls_whose_ends_never_come_are_ended(answer: Answer) -> None:
    """A server that closes no blocks loses no calls."""
    body = START + start(0, {"type": "tool_use", "id": "t", "name": "Read"})
    body += delta(0, type="input_json_delta", partial_json=CALL) + end("tool_use") + STOP
    assert answer(body).tool_uses[0]["input"] == {"file_path": "/a"}


def test_thinking_in_the_start_and_a_signature_there(answer: Answer) -> None:
    """Thinking that came at once keeps its signature."""
    block = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    content = answer(START + b"".join(block_frames(0, block)) + text("Hi", index=1) + end() + STOP).content
    assert content[0] == {"type": "thinking", "thinking": "Hm.", "signature": "ccp1.acme.s"}


def test_a_signature_counts_once(answer: Answer) -> None:
    """A signature both in the start and in a delta is one signature."""
    frames = block_frames(
        0,
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        [{"type": "signature_delta", "signature": "s"}],
    )
    assert answer(START + b"".join(frames) + end() + STOP).content[0]["signature"] == "ccp1.acme.s"


@pytest.mark.parametrize(
    ("ending", "complete"),
    [
        (end() + STOP, True),
        (end(), True),
        (end() + raw("[DONE]"), True),
        (raw("[DONE]"), True),
        (end(None), False),
        (b"", False),
        (end() + STOP + text("late", index=5) + raw("[DONE]"), True),
    ],
)
def test_what_counts_as_the_end(ending: bytes, complete: bool, stream: Callable[..., Any]) -> None:
    """A stop reason is an end even without message_stop; a body that just ends was cut."""
    one = stream()
    events = one.feed(START + text("Hi") + ending) + one.finish()
    assert any(isinstance(event, MessageStop) for event in events) is complete
    if complete:
        assert one.message().text == "Hi"


def test_a_stream_of_the_other_protocol_is_no_answer(stream: Callable[..., Any]) -> None:
    """Its end mark alone does not make an empty one of it, which would stand for what the model said."""
    one = stream()
    chunk = raw('{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}')
    assert one.feed(chunk + raw("[DONE]")) + one.finish() == []


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("refusal", "refusal"),
        ("odd", "end_turn"),
    ],
)
def test_stop_reasons_of_the_other_protocol(written: str, wanted: str, answer: Answer) -> None:
    """Servers that speak both protocols mix up their words."""
    assert answer(START + text("Hi") + end(written) + STOP).stop_reason == wanted


def test_a_stop_word_is_a_stop_sequence(answer: Answer) -> None:
    """A server that names the word it stopped at stopped because of it."""
    final = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": "END"},
        "usage": {},
    }
    assert answer(START + text("Hi") + named_frame(final) + STOP).stop_reason == "stop_sequence"


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        ({"input_tokens": 7}, {"output_tokens": 3}, (7, 3)),
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 9, "output_tokens": 3}, (9, 3)),
        (None, {"input_tokens": 9, "output_tokens": 3}, (9, 3)),
        ({"input_tokens": 7, "output_tokens": 2}, None, (7, 2)),
        ({"input_tokens": None}, {"output_tokens": "3", "cost": 0.1}, (0, 0)),
        ({"input_tokens": 7.0}, {"output_tokens": True}, (7, 0)),
    ],
)
def test_counts_come_from_wherever_they_stand(first: Any, last: Any, wanted: Any, answer: Answer) -> None:
    """Counts may stand at the start, at the end, or nowhere; they are always integers."""
    body = named_frame({"type": "message_start", "message": {"usage": first, "model": None}}) + text("Hi")
    body += named_frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last}) + STOP
    usage = answer(body).usage
    assert (usage["input_tokens"], usage["output_tokens"]) == wanted


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (named_frame({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}), None),
        (b'event: error\ndata: {"code":500,"message":"busy","type":"server_error"}\n\n', 500),
        (raw('{"error":{"message":"busy","code":429}}'), 429),
        (raw('{"error":"busy"}'), None),
    ],
)
def test_errors_inside_the_stream(frame: bytes, status: int | None, stream: Callable[..., Any]) -> None:
    """An error in any envelope ends the stream as an error, with its status where it has one."""
    with pytest.raises(UpstreamStreamError) as raised:
        stream().feed(START + frame)
    assert "busy" in str(raised.value.event.payload)
    assert raised.value.event.status == status


def test_thinking_between_tags_is_thinking(answer: Answer) -> None:
    """A server that does not part thinking from text is helped, at every cut."""
    body = START + text("<think>Hm.</think>", "Hi") + end() + STOP
    for pieces in every_split(body):
        message = answer(pieces)
        assert (message.thinking, message.text) == ("Hm.", "Hi")
    message = answer(body, MessagesDialect(think_tags=False))
    assert (message.thinking, message.text) == ("", "<think>Hm.</think>Hi")


def test_calls_written_as_text_are_calls(answer: Answer) -> None:
    """A call that the server did not recognise is run, unless its person or the dialect says otherwise."""
    written = '<tool_call>{"name": "Read", "arguments": {"file_path": "/a"}}</tool_call>'
    body = START + text("I read.", written) + end() + STOP
    message = answer(body)
    assert message.text == "I read."
    assert [(block["name"], block["input"]) for block in message.tool_uses] == [("Read", {"file_path": "/a"})]
    assert message.stop_reason == "tool_use"
    for kept in (
        answer(body, rescue_tool_calls=False),
        answer(body, MessagesDialect(text_tool_calls=False)),
        answer(body, tools=()),
    ):
        assert kept.text == "I read." + written


def test_text_that_was_held_back_comes_before_what_follows(answer: Answer) -> None:
    """The beginning of a tag at the end of a block is that block's text."""
    body = START + text("a <thi") + tool(CALL, index=1) + text("b <", index=2) + end() + STOP
    content = answer(body).content
    assert [block.get("text") for block in content] == ["a <thi", None, "b <"]


def test_a_whole_message_instead_of_a_stream(answer: Answer) -> None:
    """A server that does not stream is understood nevertheless."""
    message = {
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "/a"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }
    got = answer(b"data: " + orjson.dumps(message) + b"\n\n")
    assert got.content == [
        {"type": "thinking", "thinking": "Hm.", "signature": "ccp1.acme.s"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "/a"}},
    ]
    assert (got.usage["input_tokens"], got.usage["output_tokens"]) == (7, 3)


def test_deltas_of_one_read_leave_as_one(stream: Callable[..., Any]) -> None:
    """What came together leaves together, and only what belongs together."""
    one = stream()
    pieces = [delta(0, type="text_delta", text=word) for word in ("a ", "b ", "c.")]
    events = one.feed(START + start(0, {"type": "text", "text": ""}) + b"".join(pieces))
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta(0, "a b c.")]
    assert [type(event) for event in one.feed(pieces[0] + named_frame({"type": "ping"}) + pieces[1])] == [
        TextDelta,
        Ping,
        TextDelta,
    ]


def test_the_input_of_a_call_streams(stream: Callable[..., Any]) -> None:
    """A long value leaves while it is written."""
    one = stream()
    one.feed(START + start(0, {"type": "tool_use", "id": "t", "name": "Read"}))
    assert one.feed(delta(0, type="input_json_delta", partial_json='{"file_path": "/lo')) == [
        InputJSONDelta(0, '{"file_path": "/lo')
    ]
    assert one.feed(delta(0, type="input_json_delta", partial_json="ng")) == [InputJSONDelta(0, "ng")]


def test_what_is_well_formed_passes_as_it_is(answer: Answer) -> None:
    """Content, unknown blocks and unknown members of a good stream are not touched."""
    odd = {"type": "new_block", "data": {"a": [1]}}
    upstream = messages_stream(thinking="Let me see.\n", text=" Indented\n\n", signature="sig")
    body = b"".join(step for step in upstream.steps if isinstance(step, bytes))
    message = answer(body)
    assert message.thinking == "Let me see.\n"
    assert message.text == " Indented\n\n"
    assert answer(START + b"".join(block_frames(0, odd)) + end() + STOP).content == [odd]
