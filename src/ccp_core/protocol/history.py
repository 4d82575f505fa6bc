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
from collections.abc import Sequence
from typing import Any

import orjson
from attrs import Factory, define, field, frozen

from ccp_core.protocol.block_text import NO_RESULT, block_text, flatten_result, text_blocks
from ccp_core.protocol.events import Json

_UNPARSED = "__unparsedToolInput"
_OPENING = "<system-reminder>"
_SPOKEN_BY_OTHERS = {"tool_use", "tool_result"}


@frozen
class Repaired:
    """A repaired conversation, and one sentence for each kind of repair (nothing of the content)."""

    messages: list[Json] = field(repr=False)
    notes: list[str] = Factory(list)


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


@define
class _History:
    """The conversation so far, and the turn that is being collected."""

    fold_system: bool
    done: list[Json] = Factory(list)
    notes: dict[str, None] = Factory(dict)
    speech: list[Json] = Factory(list)  # of the assistant's turn: all but the calls
    calls: list[Json] = Factory(list)
    given_ids: list[str] = Factory(list)  # of the calls, as the client has them
    answering: bool = False  # the user's turn has begun
    results: list[Json] = Factory(list)
    rest: list[Json] = Factory(list)  # the user's other blocks, and whole system messages
    seen: set[str] = Factory(set)

    def assistant(self, content: Any) -> None:
        if self.answering:
            self._end_of_turn()
        for block in content if type(content) is list else text_blocks(content):
            kind = block.get("type")
            if kind == "tool_use":
                self.calls.append(self._call(block))
            elif kind == "tool_result":
                self.speech += _as_text(block)
                self._note("a tool result in an assistant message became text")
            elif kind != "text" or not _is_blank(block):
                self.speech.append(block)

    def user(self, content: Any) -> None:
        self.answering = True
        for block in content if type(content) is list else text_blocks(content):
            kind = block.get("type")
            if kind == "tool_result":
                self.results.append(block)
            elif kind == "tool_use":
                self.rest += _as_text(block)
                self._note("a tool use in a user message became text")
            elif kind != "text" or not _is_blank(block):
                self.rest.append(block)

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
            self.rest.append({**message, "role": "system", "content": blocks})
            return
        text = "\n\n".join(filter(None, map(block_text, blocks)))
        if not text.lstrip().startswith(_OPENING):
            text = f"{_OPENING}\n{text}\n</system-reminder>"
        reminder = _text(text)
        if "cache_control" in blocks[-1]:
            reminder["cache_control"] = blocks[-1]["cache_control"]
        self.rest.append(reminder)
        self._note("system messages became reminders in the user's turn")

    def finish(self) -> Repaired:
        self._end_of_turn()
        if not self.done:
            self.done.append({"role": "user", "content": [_text("(empty message)")]})
            self._note("a conversation without content got a placeholder")
        return Repaired(self.done, list(self.notes))

    def _end_of_turn(self) -> None:
        """Write the assistant's turn and the user's turn that answers it."""
        if self.speech or self.calls:
            if not self.done:
                self.done.append({"role": "user", "content": [_text("(the conversation goes on)")]})
                self._note("a user message was put before the first assistant message")
            content = self.speech + self.calls if self.calls else self.speech
            if self.done[-1]["role"] == "assistant":
                self.done[-1]["content"] += content
            else:
                self.done.append({"role": "assistant", "content": content})
        content = self._answers() + self.rest if self.calls or self.results else self.rest
        if self.fold_system:
            self._append_user(content)
        else:
            self._write_user(content)
        self.speech, self.calls, self.given_ids, self.results, self.rest = [], [], [], [], []
        self.answering = False

    def _write_user(self, content: list[Json]) -> None:
        """Write a turn in which whole system messages stand between the user's blocks."""
        blocks: list[Json] = []
        for item in content:
            if "role" not in item:
                blocks.append(item)
                continue
            self._append_user(blocks)
            blocks = []
            self.done.append(item)
        self._append_user(blocks)

    def _append_user(self, blocks: list[Json]) -> None:
        if not blocks:
            return
        if self.done and self.done[-1]["role"] == "user":  # what stood between was empty
            self.done[-1]["content"] += blocks
        else:
            self.done.append({"role": "user", "content": blocks})

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
            self._note("tool uses got unique ids")
        self.given_ids.append(_key(given))
        arguments = block.get("input")
        if type(arguments) is not dict or _UNPARSED in arguments:
            block = {**block, "input": _readable(arguments)}
            self._note("tool input that was no JSON object was made one")
        return block

    def _answers(self) -> list[Json]:
        """One result for each call of the turn, in the calls' order, then what answers no call, as text."""
        wanted = [call["id"] for call in self.calls]
        if wanted == [result.get("tool_use_id") for result in self.results]:
            return self.results
        results: dict[str, deque[Json]] = defaultdict(deque)
        for result in self.results:
            results[_key(result.get("tool_use_id"))].append(result)
        answers: list[Json] = []
        for given, unique in zip(self.given_ids, wanted, strict=True):
            if results[given]:
                answer = results[given].popleft()
                if unique != given:
                    answer = {**answer, "tool_use_id": unique}
            else:
                answer = {"type": "tool_result", "tool_use_id": unique, "content": NO_RESULT}
                self._note("tool uses without a result got one that says so")
            answers.append(answer)
        for result in itertools.chain.from_iterable(results.values()):
            text, images = flatten_result(result, keep=("image", "document"))
            answers += [_text(f"[result of an earlier tool call]\n{text}"), *images]
            self._note("tool results without their tool use became text")
        return answers

    def _note(self, text: str) -> None:
        self.notes[text] = None


def _is_blank(text_block: Json) -> bool:
    text = text_block.get("text")
    return not text or type(text) is not str or text.isspace()


def _key(id: Any) -> str:
    return id if type(id) is str else ""


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
