"""Repairing a conversation: order, roles, ids, and a prefix that stays the same from turn to turn."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccp_core.protocol.history import History, Turn, as_messages

Json = dict[str, Any]


def repair(messages: list[Json], *, fold_system: bool = True) -> list[Json]:
    return as_messages(History(fold_system).turns(messages))


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def call(id: Any, name: str = "Read", **input: Any) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def result(id: Any, content: Any = "ok") -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content}


def user(*blocks: Any) -> Json:
    return {"role": "user", "content": blocks[0] if blocks and isinstance(blocks[0], str) else list(blocks)}


def assistant(*blocks: Any) -> Json:
    return {
        "role": "assistant",
        "content": blocks[0] if blocks and isinstance(blocks[0], str) else list(blocks),
    }


def system(content: Any) -> Json:
    return {"role": "system", "content": content}


def reminder(value: str) -> Json:
    return text(f"<system-reminder>\n{value}\n</system-reminder>")


MADE_UP = {"type": "tool_result", "tool_use_id": "a", "content": "[no result: interrupted]"}

CASES: dict[str, tuple[list[Json], list[Json]]] = {
    "a string becomes one text block": ([user("hi")], [user(text("hi"))]),
    "a system message after the user joins the user's turn": (
        [user("hi"), system("be kind"), assistant("ok")],
        [user(text("hi"), reminder("be kind")), assistant(text("ok"))],
    ),
    "a system message at the end stays at the end": (
        [user("hi"), assistant("ok"), user("go"), system([text("one"), text("two")])],
        [user(text("hi")), assistant(text("ok")), user(text("go"), reminder("one\n\ntwo"))],
    ),
    "a system message before the results comes after them": (
        [user("hi"), assistant(call("a")), system("wait"), user(result("a"))],
        [user(text("hi")), assistant(call("a")), user(result("a"), reminder("wait"))],
    ),
    "a system message that is a reminder already is not wrapped again": (
        [user("hi"), system("<system-reminder>x</system-reminder>")],
        [user(text("hi"), text("<system-reminder>x</system-reminder>"))],
    ),
    "a system message after the assistant makes a user turn": (
        [user("hi"), assistant("ok"), system("note")],
        [user(text("hi")), assistant(text("ok")), user(reminder("note"))],
    ),
    "results come before the user's text and in the order of the calls": (
        [user("hi"), assistant(call("a"), call("b")), user(text("t"), result("b"), result("a"))],
        [user(text("hi")), assistant(call("a"), call("b")), user(result("a"), result("b"), text("t"))],
    ),
    "a missing result is made up": (
        [user("hi"), assistant(call("a")), user("stop")],
        [user(text("hi")), assistant(call("a")), user(MADE_UP, text("stop"))],
    ),
    "a call at the very end gets a result too": (
        [user("hi"), assistant(call("a"))],
        [user(text("hi")), assistant(call("a")), user(MADE_UP)],
    ),
    "a result without a call becomes text": (
        [user("hi"), assistant("ok"), user(result("z", "42"), text("t"))],
        [
            user(text("hi")),
            assistant(text("ok")),
            user(text("[result of an earlier tool call]\n42"), text("t")),
        ],
    ),
    "an image in a result without a call is kept": (
        [user(result("z", [{"type": "image", "source": {"type": "url", "url": "u"}}]))],
        [
            user(
                text("[result of an earlier tool call]\n[image below]"),
                {"type": "image", "source": {"type": "url", "url": "u"}},
            )
        ],
    ),
    "a second result for one call becomes text": (
        [user("hi"), assistant(call("a")), user(result("a", "1"), result("a", "2"))],
        [
            user(text("hi")),
            assistant(call("a")),
            user(result("a", "1"), text("[result of an earlier tool call]\n2")),
        ],
    ),
    "an id used again in a later turn is renamed together with its result": (
        [user("x"), assistant(call("a")), user(result("a")), assistant(call("a")), user(result("a"))],
        [
            user(text("x")),
            assistant(call("a")),
            user(result("a")),
            assistant(call("a-2")),
            user(result("a-2")),
        ],
    ),
    "two calls of one turn with one id keep their results apart": (
        [user("x"), assistant(call("a"), call("a")), user(result("a", "1"), result("a", "2"))],
        [user(text("x")), assistant(call("a"), call("a-2")), user(result("a", "1"), result("a-2", "2"))],
    ),
    "a call without an id gets one": (
        [user("x"), assistant(call(None)), user(result(None, "1"))],
        [user(text("x")), assistant(call("toolu_0")), user(result("toolu_0", "1"))],
    ),
    "blank text is dropped, and a message without anything else with it": (
        [
            user("hi"),
            assistant(text(""), call("a")),
            user(result("a"), text(" \n")),
            assistant(text(" ")),
            user("go"),
        ],
        [user(text("hi")), assistant(call("a")), user(result("a"), text("go"))],
    ),
    "messages of one role in a row become one": (
        [user("a"), user(text("b")), assistant("c"), assistant("d"), user("e")],
        [user(text("a"), text("b")), assistant(text("c"), text("d")), user(text("e"))],
    ),
    "calls go behind the text of a merged assistant turn": (
        [user("x"), assistant(call("a")), assistant("then"), user(result("a"))],
        [user(text("x")), assistant(text("then"), call("a")), user(result("a"))],
    ),
    "a conversation that starts with the assistant gets a user message before it": (
        [assistant("ok"), user("go")],
        [user(text("(the conversation goes on)")), assistant(text("ok")), user(text("go"))],
    ),
    "nothing at all becomes a placeholder": ([user("")], [user(text("(empty message)"))]),
    "input that the client could not parse keeps the model's words": (
        [
            user("x"),
            assistant(call("a", __unparsedToolInput={"raw": '{"a": 1', "len": 7})),
            user(result("a")),
        ],
        [user(text("x")), assistant(call("a", unparsed_arguments='{"a": 1')), user(result("a"))],
    ),
    "input that is wrapped twice is unwrapped once, and is no wrapping afterwards": (
        [
            user("x"),
            assistant(call("a", __unparsedToolInput={"raw": {"__unparsedToolInput": "y"}, "len": 1})),
            user(result("a")),
        ],
        [
            user(text("x")),
            assistant(call("a", unparsed_arguments={"__unparsedToolInput": "y"})),
            user(result("a")),
        ],
    ),
    "input given as JSON text is parsed": (
        [user("x"), assistant({**call("a"), "input": '{"a": 1}'}), user(result("a"))],
        [user(text("x")), assistant(call("a", a=1)), user(result("a"))],
    ),
    "null input becomes an empty object": (
        [user("x"), assistant({**call("a"), "input": None}), user(result("a"))],
        [user(text("x")), assistant(call("a")), user(result("a"))],
    ),
    "a tool use in a user message becomes text": (
        [user(call("a", "Read", p=1))],
        [user(text('[called Read with {"p":1}]'))],
    ),
    "a tool result in an assistant message becomes text": (
        [user("x"), assistant(result("a", "5"))],
        [user(text("x")), assistant(text("5"))],
    ),
    "unknown blocks and cache_control pass": (
        [user({"type": "new", "x": 1}, {**text("a"), "cache_control": {"type": "ephemeral"}})],
        [user({"type": "new", "x": 1}, {**text("a"), "cache_control": {"type": "ephemeral"}})],
    ),
    "a folded system message keeps its cache_control": (
        [user("a"), system([{**text("b"), "cache_control": {"type": "ephemeral"}}])],
        [user(text("a"), {**reminder("b"), "cache_control": {"type": "ephemeral"}})],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_repair(name: str) -> None:
    """Each rule of the conversation's order, without changing the client's own messages."""
    given_messages, wanted = CASES[name]
    before = copy.deepcopy(given_messages)
    assert repair(given_messages) == wanted
    assert given_messages == before


def test_system_messages_can_stay_where_they_are() -> None:
    """An upstream that knows the role gets it in its place, but never between a call and its result."""
    messages = [user("a"), system("s1"), assistant(call("a")), system("s2"), user(result("a")), system("s3")]
    assert repair(messages, fold_system=False) == [
        user(text("a")),
        system([text("s1")]),
        assistant(call("a")),
        user(result("a")),
        system([text("s2")]),
        system([text("s3")]),
    ]


def test_blocks_that_only_a_system_message_has_stay_in_it() -> None:
    """What an upstream with the system role knows of it is not for the repair to judge."""
    addition = {"type": "tool_addition", "tool": {"name": "Grep"}}
    messages = [user("a"), system([text("b"), addition])]
    assert repair(messages, fold_system=False)[1] == system([text("b"), addition])
    assert repair(messages) == [user(text("a"), reminder("b\n\n[tool_addition omitted]"))]


def test_a_block_that_looks_like_a_message_stays_a_block() -> None:
    """Unknown members pass, and only a message of the system role stands between the user's blocks."""
    odd = {**text("a"), "role": "system"}
    messages = [user(odd, text("b")), system("s")]
    assert repair(messages, fold_system=False) == [user(odd, text("b")), system([text("s")])]


def test_a_turn_holds_what_belongs_together() -> None:
    """Speech, calls, the results that answer them, and the user's other blocks, each in order."""
    messages = [
        user("go"),
        assistant(text("I look"), call("a"), {"type": "new"}, call("a")),
        user(text("now"), result("a", "1"), result("a", "2"), result("z", "3")),
    ]
    history = History()
    assert list(history.turns(messages)) == [
        Turn([], [], [], [text("go")]),
        Turn(
            speech=[text("I look"), {"type": "new"}],
            calls=[call("a"), call("a-2")],
            results=[result("a", "1"), result("a-2", "2")],
            rest=[text("[result of an earlier tool call]\n3"), text("now")],
        ),
    ]
    assert history.call_ids == {"a", "a-2"}


def test_a_turn_ends_where_somebody_says_something() -> None:
    """Blank messages part no turns; results that come after the turn's end are text, so that it stays as it is."""
    messages = [
        user("go"),
        assistant("so"),
        user(" "),
        assistant(call("a")),
        user(text("stop")),
        assistant(""),
        user(result("a", "late"), text("on")),
    ]
    assert list(History().turns(messages))[1:] == [
        Turn(
            [text("so")],
            [call("a")],
            [MADE_UP],
            [text("stop"), text("[result of an earlier tool call]\nlate"), text("on")],
        )
    ]


def test_nothing_to_repair_is_not_noted_and_not_copied() -> None:
    """Blocks that are in order come out as the very same objects, and there are no notes."""
    blocks = [text("a"), call("i"), result("i")]
    history = History()
    repaired = as_messages(history.turns([user(blocks[0]), assistant(blocks[1]), user(blocks[2])]))
    assert [message["content"][0] for message in repaired] == blocks
    assert all(a["content"][0] is b for a, b in zip(repaired, blocks, strict=True))
    assert not history.notes


def test_notes_name_repairs_once_and_nothing_of_the_content() -> None:
    """A person reads what was repaired, once for each kind, and no word of the conversation."""
    history = History()
    list(
        history.turns(
            [user("secret"), system("s"), system("s"), assistant(call("a"), call("b")), user("stop")]
        )
    )
    assert list(history.notes) == [
        "system messages became reminders in the user's turn",
        "tool uses without a result got one that says so",
    ]


def client_turns(count: int) -> list[list[Json]]:
    """What the client adds in each turn: system messages after results, images, ids of every shape."""
    turns: list[list[Json]] = [
        [user(text("<system-reminder>env</system-reminder>"), text("do it")), system("6 KB of rules")]
    ]
    for n in range(count):
        odd = call(f"functions.Bash:{n % 3}", "Bash", command=f"echo {n}")
        said = [
            {"type": "thinking", "thinking": f"t{n}", "signature": ""},
            text("" if n % 2 else f"step {n}"),
            odd,
        ]
        answer = result(odd["id"], [text(f"out {n}")] if n % 3 else f"out {n}")
        turn = [assistant(*said), user(answer)]
        if n % 4 == 1:
            turn.append(
                {
                    "role": "system",
                    "content": "The task tools haven't been used",
                    "output_config": {"effort": "x"},
                }
            )
        if n % 7 == 2:
            turn += [user("Called the Read tool"), user(text("more"), {"type": "image", "source": {}})]
        turns.append(turn)
    return turns


@pytest.mark.parametrize("fold", [True, False])
def test_each_request_of_a_session_is_a_prefix_of_the_next(fold: bool) -> None:
    """Over thirty turns in the client's shapes, what went upstream before is repeated byte for byte."""
    messages: list[Json] = []
    before = b""
    for turn in client_turns(30):
        messages = messages + turn
        repaired = repair(messages, fold_system=fold)
        roles = [message["role"] for message in repaired if message["role"] != "system"]
        assert all(a != b for a, b in itertools.pairwise(roles)) or not fold
        now = orjson.dumps(repaired)
        assert now.startswith(before.removesuffix(b"]"))
        before = now


IDS = st.sampled_from(["a", "b", "c", "", None])
BLOCKS = st.one_of(
    st.sampled_from(
        [text("t"), text(""), {"type": "thinking", "thinking": "x", "signature": ""}, {"type": "image"}]
    ),
    IDS.map(call),
    IDS.map(result),
)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system", "developer", "tool"]),
        st.one_of(st.just("s"), st.just(""), st.lists(BLOCKS, max_size=4)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.booleans())
def test_any_conversation_comes_out_legal(messages: list[Json], fold: bool) -> None:
    """Turns alternate, calls are unique and answered at once, and repairing again changes nothing."""
    before = copy.deepcopy(messages)
    repaired = repair(messages, fold_system=fold)
    assert messages == before
    spoken = [message for message in repaired if message["role"] != "system"]
    seen: set[str] = set()
    for number, message in enumerate(repaired):
        assert message["content"]
        calls = [block["id"] for block in message["content"] if block.get("type") == "tool_use"]
        assert not seen.intersection(calls)
        assert len(set(calls)) == len(calls)
        seen.update(calls)
        if calls:
            assert message["role"] == "assistant"
            answers = [
                block for block in repaired[number + 1]["content"] if block.get("type") == "tool_result"
            ]
            assert [block["tool_use_id"] for block in answers] == calls
            assert repaired[number + 1]["content"][: len(calls)] == answers
        elif number:
            previous = [block for block in repaired[number - 1]["content"] if block.get("type") == "tool_use"]
            answers = [block for block in message["content"] if block.get("type") == "tool_result"]
            assert len(previous) == len(answers)
    if fold:
        assert [message["role"] for message in spoken] == [
            ("user", "assistant")[n % 2] for n in range(len(spoken))
        ]
    assert repair(repaired, fold_system=fold) == repaired


@pytest.mark.parametrize("role", ["assistant", "system"])
@pytest.mark.parametrize("fold", [True, False])
def test_an_empty_result_where_none_belongs_leaves_no_blank_text(role, fold):
    empty = {"type": "tool_result", "tool_use_id": "t", "content": ""}
    conversation = [{"role": "user", "content": "hi"}, {"role": role, "content": [empty]}]
    repaired = repair(conversation, fold_system=fold)
    assert [message["content"] for message in repaired] == [[{"type": "text", "text": "hi"}]]
