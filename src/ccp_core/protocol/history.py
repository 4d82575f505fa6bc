"""Repair of a conversation, so that every upstream's rules about its order hold.

What comes out are turns: what the assistant said, its calls, their results, and the user's other blocks. As
messages they keep these rules:

1. Roles are ``user`` and ``assistant`` and take turns (with ``fold_system=False`` also ``system``, in its
   place), and ``content`` is always a list of blocks.
2. Each tool_use is answered by exactly one tool_result, in the user message right after it, before all other
   blocks and in the order of the calls. A missing result is made up, a result without a call becomes text.
3. Ids of tool uses are unique, and results follow them.
4. No text block is blank, no message is empty.

Everything keeps its place, and what becomes of a message depends on nothing that comes after its turn: the
repaired history of one request is a prefix of the next one's, so an upstream can reuse its prompt cache.
Blocks that need no repair are passed on by reference, and nothing is changed in place.

``protocol.block_text`` has the conversions of single blocks.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from attrs import Factory, define, field

from ccp_core.protocol.block_text import NO_RESULT, block_text, flatten_result, text_blocks
from ccp_core.protocol.events import Json

_UNPARSED = "__unparsedToolInput"
_OPENING = "<system-reminder>"
_SPOKEN_BY_OTHERS = {"tool_use", "tool_result"}


@define(repr=False)
class Turn:
    """What the assistant said and what the user answered. The first turn may lack the one, the last the other."""

    speech: list[Json]
    """The assistant's blocks, all but the calls."""
    calls: list[Json]
    results: list[Json]
    """One for each call, in the order of the calls."""
    rest: list[Json]
    """The user's other blocks; with ``fold_system=False`` among them system messages, whole."""


@define(repr=False)
class History:
    """The repair of one conversation. What was found on the way is complete after the last turn.

    ``fold_system`` turns system-role messages into reminders of the user's turn.
    """

    fold_system: bool = True
    notes: dict[str, None] = Factory(dict)
    """One sentence for each kind of repair, with nothing of the content."""
    call_ids: set[str] = Factory(set)
    """The ids of all tool uses."""
    _given_ids: dict[str, str] = field(init=False, factory=dict)
    """The client's ids of the tool uses that got others."""

    def turns(self, messages: Iterable[Json]) -> Iterator[Turn]:
        """Repair a conversation turn by turn, so that a long one passes through the processor's caches once."""
        last: Turn | None = None  # it is passed on when the next has begun, which may have to join it
        for turn in self._told(messages):
            if turn.speech or turn.calls:
                if last is None:
                    last = _placeholder("(the conversation goes on)")
                    self._note("a user message was put before the first assistant message")
                if last.results or last.rest:
                    yield last
                else:
                    turn.speech = last.speech + turn.speech
                if not _in_order(turn):
                    self._match(turn)
                last = turn
            elif turn.results or turn.rest:  # what parts it from the one before was blank
                self._match(turn)
                if last is None:
                    last = turn
                else:
                    last.rest += turn.rest
        if last is None:
            last = _placeholder("(empty message)")
            self._note("a conversation without content got a placeholder")
        yield last

    def _told(self, messages: Iterable[Json]) -> Iterator[Turn]:
        """The turns as the client tells them, without blank text and with nothing said by the wrong side."""
        turn, answered = Turn([], [], [], []), False
        for message in messages:
            role, content = message.get("role"), message.get("content")
            if role in ("system", "developer"):
                answered = True
                turn.rest += self._system(message)
            elif role == "assistant":
                if answered:
                    yield turn
                    turn, answered = Turn([], [], [], []), False
                for block in content if type(content) is list else text_blocks(content):
                    kind = block.get("type")
                    if kind == "tool_use":
                        turn.calls.append(self._call(block))
                    elif kind == "tool_result":
                        turn.speech += _as_text(block)
                        self._note("a tool result in an assistant message became text")
                    elif kind != "text" or not _is_blank(block):
                        turn.speech.append(block)
            else:
                answered = True
                for block in content if type(content) is list else text_blocks(content):
                    kind = block.get("type")
                    if kind == "tool_result":
                        turn.results.append(block)
                    elif kind == "tool_use":
                        turn.rest += _as_text(block)
                        self._note("a tool use in a user message became text")
                    elif kind != "text" or not _is_blank(block):
                        turn.rest.append(block)
        yield turn

    def _system(self, message: Json) -> list[Json]:
        """What a system message adds to the user's part of the turn."""
        blocks = [
            part
            for block in text_blocks(message.get("content"))
            if block.get("type") != "text" or not _is_blank(block)
            for part in (_as_text(block) if block.get("type") in _SPOKEN_BY_OTHERS else [block])
        ]
        if not blocks:
            return []
        if not self.fold_system:
            return [_SystemMessage(message, role="system", content=blocks)]
        text = "\n\n".join(filter(None, map(block_text, blocks)))
        if not text.lstrip().startswith(_OPENING):
            text = f"{_OPENING}\n{text}\n</system-reminder>"
        reminder = _text(text)
        if "cache_control" in blocks[-1]:
            reminder["cache_control"] = blocks[-1]["cache_control"]
        self._note("system messages became reminders in the user's turn")
        return [reminder]

    def _call(self, block: Json) -> Json:
        """The call with an id that is unique and an input that is an object; itself when it has both."""
        given = block.get("id")
        wanted = given if isinstance(given, str) and given else f"toolu_{len(self.call_ids)}"
        unique, number = wanted, 1
        while unique in self.call_ids:
            number += 1
            unique = f"{wanted}-{number}"
        self.call_ids.add(unique)
        if unique != given:
            block = {**block, "id": unique}
            self._given_ids[unique] = given if type(given) is str else ""
            self._note("tool uses got unique ids")
        arguments = block.get("input")
        if type(arguments) is not dict or _UNPARSED in arguments:
            block = {**block, "input": _readable(arguments)}
            self._note("tool input that was no JSON object was made one")
        return block

    def _match(self, turn: Turn) -> None:
        """Give each call one result, in the calls' order; what answers no call becomes text."""
        results: dict[str, deque[Json]] = defaultdict(deque)
        for result in turn.results:
            id = result.get("tool_use_id")
            results[id if type(id) is str else ""].append(result)
        turn.results = []
        for call in turn.calls:
            unique: str = call["id"]
            given = self._given_ids.get(unique, unique)
            if results[given]:
                answer = results[given].popleft()
                if unique != given:
                    answer = {**answer, "tool_use_id": unique}
            else:
                answer = {"type": "tool_result", "tool_use_id": unique, "content": NO_RESULT}
                self._note("tool uses without a result got one that says so")
            turn.results.append(answer)
        lost: list[Json] = []
        for result in itertools.chain.from_iterable(results.values()):
            text, images = flatten_result(result, keep=("image", "document"))
            lost += [_text(f"[result of an earlier tool call]\n{text}"), *images]
            self._note("tool results without their tool use became text")
        turn.rest[:0] = lost

    def _note(self, text: str) -> None:
        self.notes[text] = None


def as_messages(turns: Iterable[Turn]) -> list[Json]:
    """The turns as messages."""
    messages: list[Json] = []
    for turn in turns:
        if turn.speech or turn.calls:
            messages.append({"role": "assistant", "content": turn.speech + turn.calls})
        blocks = list(turn.results)
        for item in turn.rest:
            if type(item) is not _SystemMessage:
                blocks.append(item)
                continue
            if blocks:
                messages.append({"role": "user", "content": blocks})
                blocks = []
            messages.append(item)
        if blocks:
            messages.append({"role": "user", "content": blocks})
    return messages


class _SystemMessage(dict[str, Any]):
    """A whole message among a turn's blocks."""


def _in_order(turn: Turn) -> bool:
    """Whether the results answer the calls one by one."""
    if len(turn.results) != len(turn.calls):
        return False
    for at, call in enumerate(turn.calls):  # noqa: SIM110 - mostly there is one, for which a generator costs more
        if turn.results[at].get("tool_use_id") != call["id"]:
            return False
    return True


def _placeholder(text: str) -> Turn:
    return Turn([], [], [], [_text(text)])


def _is_blank(text_block: Json) -> bool:
    text = text_block.get("text")
    return not text or type(text) is not str or text.isspace()


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _as_text(block: Json) -> list[Json]:
    """The block as a text block; none when it says nothing."""
    text = block_text(block)
    return [_text(text)] if text and not text.isspace() else []


def _readable(arguments: Any) -> Json:
    """Input that is no object, as one that upstreams accept and in which a model sees what it had written."""
    if isinstance(arguments, dict):
        unparsed = arguments[_UNPARSED]
        arguments = unparsed.get("raw") if isinstance(unparsed, dict) else unparsed
    if isinstance(arguments, str):
        with contextlib.suppress(orjson.JSONDecodeError):
            arguments = orjson.loads(arguments) if arguments else {}
    if arguments is None:
        return {}
    if isinstance(arguments, dict) and _UNPARSED not in arguments:
        return arguments
    return {"unparsed_arguments": arguments}
