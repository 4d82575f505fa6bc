"""Repair of a conversation, so that every upstream's rules about its order hold.

What comes out:

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
from collections.abc import Sequence, Set
from typing import Any

import orjson
from attrs import Factory, define, field, frozen

from ccp_core.protocol.block_text import NO_RESULT, block_text, flatten_result, text_blocks
from ccp_core.protocol.events import Json

_UNPARSED = "__unparsedToolInput"
_OPENING = "<system-reminder>"
_SPOKEN_BY_OTHERS = {"tool_use", "tool_result"}


@define
class Turn:
    """What the assistant said and what the user answered. The first turn may lack the one, the last the other."""

    speech: list[Json]
    """The assistant's blocks, all but the calls."""
    calls: list[Json]
    results: list[Json]
    """One for each call, in the order of the calls."""
    rest: list[Json]
    """The user's other blocks; with ``fold_system=False`` among them system messages, whole."""


@frozen
class Repaired:
    """A repaired conversation, and one sentence for each kind of repair (nothing of the content)."""

    turns: list[Turn] = field(repr=False)
    notes: list[str]
    call_ids: Set[str] = field(repr=False)

    @property
    def messages(self) -> list[Json]:
        """The turns as messages, which are made anew each time."""
        messages: list[Json] = []
        for turn in self.turns:
            if turn.speech or turn.calls:
                messages.append({"role": "assistant", "content": turn.speech + turn.calls})
            for is_message, items in itertools.groupby(turn.results + turn.rest, _is_message):
                messages += items if is_message else [{"role": "user", "content": list(items)}]
        return messages


def repair(messages: Sequence[Json], *, fold_system: bool = True) -> Repaired:
    """Repair a conversation. ``fold_system`` turns system-role messages into reminders of the user's turn."""
    history = _History(fold_system)
    for message in messages:
        role = message.get("role")
        if role == "assistant":
            history.assistant(message.get("content"))
        elif role in ("system", "developer"):
            history.system(message)
        else:
            history.user(message.get("content"))
    return history.finish()


class _SystemMessage(dict[str, Any]):
    """A whole message among a turn's blocks."""


def _is_message(item: Json) -> bool:
    return type(item) is _SystemMessage


@define
class _History:
    """The turns so far, and the one that is being collected."""

    fold_system: bool
    turns: list[Turn] = Factory(list)
    notes: dict[str, None] = Factory(dict)
    seen: set[str] = Factory(set)
    given: dict[str, str] = Factory(dict)
    """The client's id of a call that got another one."""
    turn: Turn = Factory(lambda: Turn([], [], [], []))
    answering: bool = False
    """The user's part of the turn has begun."""

    def assistant(self, content: Any) -> None:
        if self.answering:
            self._end_of_turn()
        turn = self.turn
        for block in content if type(content) is list else text_blocks(content):
            kind = block.get("type")
            if kind == "tool_use":
                turn.calls.append(self._call(block))
            elif kind == "tool_result":
                turn.speech += _as_text(block)
                self._note("a tool result in an assistant message became text")
            elif kind != "text" or not _is_blank(block):
                turn.speech.append(block)

    def user(self, content: Any) -> None:
        self.answering = True
        turn = self.turn
        for block in content if type(content) is list else text_blocks(content):
            kind = block.get("type")
            if kind == "tool_result":
                turn.results.append(block)
            elif kind == "tool_use":
                turn.rest += _as_text(block)
                self._note("a tool use in a user message became text")
            elif kind != "text" or not _is_blank(block):
                turn.rest.append(block)

    def system(self, message: Json) -> None:
        self.answering = True
        blocks = [
            part
            for block in text_blocks(message.get("content"))
            if block.get("type") != "text" or not _is_blank(block)
            for part in (_as_text(block) if block.get("type") in _SPOKEN_BY_OTHERS else [block])
        ]
        if not blocks:
            return
        if not self.fold_system:
            self.turn.rest.append(_SystemMessage(message, role="system", content=blocks))
            return
        text = "\n\n".join(filter(None, map(block_text, blocks)))
        if not text.lstrip().startswith(_OPENING):
            text = f"{_OPENING}\n{text}\n</system-reminder>"
        reminder = _text(text)
        if "cache_control" in blocks[-1]:
            reminder["cache_control"] = blocks[-1]["cache_control"]
        self.turn.rest.append(reminder)
        self._note("system messages became reminders in the user's turn")

    def finish(self) -> Repaired:
        self._end_of_turn()
        if not self.turns:
            self.turns.append(Turn([], [], [], [_text("(empty message)")]))
            self._note("a conversation without content got a placeholder")
        return Repaired(self.turns, list(self.notes), self.seen)

    def _end_of_turn(self) -> None:
        turn, turns = self.turn, self.turns
        self.turn, self.answering = Turn([], [], [], []), False
        if turn.speech or turn.calls:
            if not turns:
                turns.append(Turn([], [], [], [_text("(the conversation goes on)")]))
                self._note("a user message was put before the first assistant message")
            elif not (turns[-1].results or turns[-1].rest):  # the user's messages between were empty
                turn.speech = turns.pop().speech + turn.speech
            self._match(turn)
            turns.append(turn)
        elif turn.results or turn.rest:
            self._match(turn)
            if turns:  # the assistant's messages between were empty
                turns[-1].rest += turn.rest
            else:
                turns.append(turn)

    def _call(self, block: Json) -> Json:
        """The call with an id that is unique and an input that is an object; itself when it has both."""
        given = block.get("id")
        wanted = given if isinstance(given, str) and given else f"toolu_{len(self.seen)}"
        unique, number = wanted, 1
        while unique in self.seen:
            number += 1
            unique = f"{wanted}-{number}"
        self.seen.add(unique)
        if unique != given:
            block = {**block, "id": unique}
            self.given[unique] = given if type(given) is str else ""
            self._note("tool uses got unique ids")
        arguments = block.get("input")
        if type(arguments) is not dict or _UNPARSED in arguments:
            block = {**block, "input": _readable(arguments)}
            self._note("tool input that was no JSON object was made one")
        return block

    def _match(self, turn: Turn) -> None:
        """See to it that each call has one result, in the calls' order; what answers no call becomes text."""
        wanted = [call["id"] for call in turn.calls]
        if wanted == [result.get("tool_use_id") for result in turn.results]:
            return
        results: dict[str, deque[Json]] = defaultdict(deque)
        for result in turn.results:
            id = result.get("tool_use_id")
            results[id if type(id) is str else ""].append(result)
        turn.results = []
        for unique in wanted:
            given = self.given.get(unique, unique)
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
