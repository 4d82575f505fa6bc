"""Reading a client's request."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.protocol.messages import InvalidRequest, MessagesRequest, parse_request


def test_messages_with_more_than_text_are_known_at_once() -> None:
    """Also in a request that was not read from the wire, so that nobody has to look through long conversations."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    shown = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    said = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    messages = [
        {"role": "user", "content": content}
        for content in ("hi", [image], [{"type": "text", "text": "hi"}, said], [said, shown])
    ]
    body = {"messages": messages}
    assert parse_request(orjson.dumps(body)).nested == [messages[1], messages[3]]
    assert MessagesRequest(body).nested == [messages[1], messages[3]]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (r"cut \ud83d here", "cut � here"),
        (r"cut \uD83D", "cut �"),
        (r"\ude00 the other half", "� the other half"),
        (r"whole \ud83d\ude00 and half \ud83d", "whole 😀 and half �"),
        (r"escaped \\ud83d is text", r"escaped \ud83d is text"),
    ],
)
def test_half_a_character_spoils_no_request(text: str, read: str) -> None:
    """The client cuts long outputs of tools anywhere, and sends them again with every later request."""
    body = b'{"messages": [{"role": "user", "content": "%b"}]}' % text.encode()
    parsed = parse_request(body)
    assert parsed.messages[0]["content"] == read
    assert orjson.dumps(parsed.body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"messages": "\\ud83d',
        b'{"messages": NaN, "a": "\\ud83d"}',
        b"\xff\\ud83d",
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_request(body)


@pytest.mark.parametrize("kind", [{"a": 1}, [], 5, None])
def test_a_block_whose_type_is_no_word_is_named(kind: object) -> None:
    """Nothing behind this expects types that are no words."""
    blocks = [{"type": "text", "text": "x"}, {"type": kind}]
    with pytest.raises(InvalidRequest, match=r"messages\.0\.content\.1\.type: must be a string"):
        parse_request(orjson.dumps({"messages": [{"role": "user", "content": blocks}]}))
    messages = [{"role": "user", "content": "x"}]
    for member in ("thinking", "tool_choice"):
        with pytest.raises(InvalidRequest, match=rf"{member}\.type: must be a string"):
            parse_request(orjson.dumps({"messages": messages, member: {"type": kind}}))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        assert parse_request(body).messages


TOOLS = [
    {"name": "Read", "description": 'says "tools":[{}], and \\ more', "input_schema": {"type": "object"}}
]
LINE = [{"role": "user", "content": 'I said "tools":[{"name": "Read"}]'}]


def test_tools_that_come_again_are_the_same_objects() -> None:
    first = parse_request(orjson.dumps({"messages": LINE, "tools": TOOLS, "stream": True}))
    again = parse_request(orjson.dumps({"messages": LINE * 2, "tools": TOOLS, "max_tokens": 5}))
    assert again.tools is first.tools
    assert again.body == {"messages": LINE * 2, "tools": TOOLS, "max_tokens": 5}


def test_tools_are_found_again_in_bodies_that_end_otherwise() -> None:
    ends = ({"stream": True}, {"stream": True}, {"max_tokens": 5}, {}, {"stream": True})
    bodies = [{"messages": LINE * (number + 1), "tools": TOOLS, **end} for number, end in enumerate(ends)]
    requests = [parse_request(orjson.dumps(body)) for body in bodies]
    assert [request.body for request in requests] == bodies
    assert all(request.tools is requests[0].tools for request in requests)


def test_tools_with_a_parameter_called_tools_are_known_too() -> None:
    """A schema has the name of that member as well, behind the one that counts."""
    schema = {"type": "object", "properties": {"tools": {"type": "array", "items": {"type": "string"}}}}
    body = orjson.dumps({"messages": LINE, "tools": [*TOOLS, {"name": "Agent", "input_schema": schema}]})
    assert parse_request(body).tools is parse_request(body).tools


@pytest.mark.parametrize(
    ("messages", "form"),
    [(LINE * 200, b"%b"), (LINE, b" %b"), ([{"role": "user", "content": "half \ud83d"}], b"%b")],
    ids=["small beside the conversation", "with a blank in front", "behind half a character"],
)
def test_tools_that_cannot_be_cut_out_are_the_same_objects_too(messages: Any, form: bytes) -> None:
    """What is made of a list of tools is found again by it."""
    said = json.dumps(messages, separators=(",", ":")).encode()
    body = b'{"messages":%b,"tools":%b}' % (said, form % orjson.dumps([{"name": "Glob"}]))
    assert parse_request(body).tools is parse_request(body).tools


def test_long_conversations_do_not_push_out_the_tools_of_others() -> None:
    """Whose tools are small beside them, so that they are not cut out."""
    usual = orjson.dumps({"messages": LINE, "tools": TOOLS})
    long = orjson.dumps({"messages": LINE * 200, "tools": [{"name": "Write"}]})
    tools = parse_request(usual).tools
    for _ in range(20):
        parse_request(long)
    assert parse_request(usual).tools is tools


KNOWN = orjson.dumps(TOOLS)


@pytest.mark.parametrize(
    "members",
    [
        b'"tools":%b' % KNOWN,
        b'"metadata":{"tools":%b}' % KNOWN,
        b'"tools":[],"metadata":{"tools":%b}' % KNOWN,
        b'"tools":%b,"metadata":{"tools":[{"name":"other"}]}' % KNOWN,
        b'"tools":%b,"tools":[{"name":"other"}]' % KNOWN,
        b'"tools":[{"name":"other"}],"tools":%b' % KNOWN,
        b'"tools" : %b' % KNOWN,
        b'"tools":%b,"metadata":{"text":%b}' % (KNOWN, orjson.dumps(f'and "tools":{KNOWN.decode()}')),
        b'"tools":[{"name":"outer","input_schema":{"tools":%b}}]' % KNOWN,
        b'"tools":null',
        b'"fools":%b' % KNOWN,  # where the tools stood before
        b'"tools":[{"name":"other"}],"fools":%b' % KNOWN,
        b'"text":%b' % orjson.dumps(KNOWN.decode()),
    ],
)
def test_tools_that_came_before_change_nothing_of_what_is_read(members: bytes) -> None:
    for _ in range(2):
        parse_request(orjson.dumps({"messages": LINE, "tools": TOOLS}))
    body = b'{"messages":%b,%b}' % (orjson.dumps(LINE), members)
    assert parse_request(body).body == orjson.loads(body)


@pytest.mark.parametrize("behind", [b"x", b"]", b",", b"", b"}}"])
def test_what_is_wrong_behind_tools_that_came_before_is_found_where_it_stands(behind: bytes) -> None:
    parse_request(orjson.dumps({"messages": LINE, "tools": TOOLS}))
    body = b'{"messages":%b,"tools":%b%b' % (orjson.dumps(LINE), KNOWN, behind)
    with pytest.raises(orjson.JSONDecodeError) as error:
        orjson.loads(body)
    with pytest.raises(InvalidRequest, match=rf"at character {error.value.pos}\)"):
        parse_request(body)
