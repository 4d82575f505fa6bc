"""Repair of conversations: turns alternate, every call has its result, and repairing again changes nothing.

The repaired beginning of a conversation stays what it was when the conversation grows by a turn.
"""

from __future__ import annotations

import copy
from typing import Any

from values import Values

from ccp_core.protocol.history import History, as_messages

KINDS = ("text", "tool_use", "tool_result", "image", "thinking", "odd")


def fuzz_one(data: bytes) -> None:
    """One run; the lowest bit of the first byte says whether system messages keep their place."""
    fold = not (data[:1] and data[0] & 1)
    values = Values(data[1:], ("toolu_1", "toolu_2", "text"))
    messages = [_message(values) for _ in range(values.byte() % 7)]
    before = copy.deepcopy(messages)
    history = History(fold)
    repaired = as_messages(history.turns(messages))
    assert messages == before
    _check(repaired, fold)
    assert as_messages(History(fold).turns(repaired)) == repaired
    ended = messages and messages[-1]["role"] != "assistant" and repaired[-1]["role"] != "assistant"
    if ended and not any("placeholder" in note for note in history.notes):
        reply = {"role": "assistant", "content": "And so on."}
        grown = as_messages(History(fold).turns([*messages, reply]))
        assert grown[: len(repaired)] == repaired


def _message(values: Values) -> dict[str, Any]:
    role = values.one_of(("user", "assistant", "system", "developer"))
    if values.byte() % 4 == 0:
        return {"role": role, "content": values.one_of(("", " ", "hello"))}
    return {"role": role, "content": [_block(values) for _ in range(values.byte() % 4)]}


def _block(values: Values) -> dict[str, Any]:
    kind = values.one_of(KINDS)
    match kind:
        case "text":
            return {"type": "text", "text": values.one_of(("", " \n", "hello"))}
        case "tool_use":
            return {
                "type": "tool_use",
                "id": values.anything((), 0),
                "name": "Read",
                "input": values.anything(("a", "__unparsedToolInput", "raw")),
            }
        case "tool_result":
            content = values.one_of(("", "done", None, [], [{"type": "text", "text": "done"}]))
            return {"type": "tool_result", "tool_use_id": values.anything((), 0), "content": content}
        case _:
            return {"type": kind, "thinking": "t", "source": {"type": "url", "url": "http://x.test"}}


def _check(messages: list[dict[str, Any]], fold: bool) -> None:
    assert messages
    turns = [message for message in messages if message["role"] != "system"]
    assert turns == messages or not fold
    seen: set[str] = set()
    for number, message in enumerate(messages):
        content = message["content"]
        assert content
        calls = [block["id"] for block in content if block["type"] == "tool_use"]
        assert not calls or message["role"] == "assistant"
        assert not seen.intersection(calls)
        seen.update(calls)
        following = messages[number + 1]["content"] if number + 1 < len(messages) else []
        results = [
            block["tool_use_id"] for block in following[: len(calls)] if block["type"] == "tool_result"
        ]
        assert results == calls
        assert all(block.get("text", "x").strip() for block in content if block["type"] == "text")
        assert all(type(block["input"]) is dict for block in content if block["type"] == "tool_use")
    if fold:
        roles = [message["role"] for message in messages]
        assert roles == [("user", "assistant")[number % 2] for number in range(len(roles))]
