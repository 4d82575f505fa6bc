"""An answer's text on its way to the client: thinking and calls that a model wrote into it are taken out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ccp_core.protocol.think_tags import Piece, ThinkTagSplitter
from ccp_core.protocol.tool_schema import Schema
from ccp_core.protocol.tool_text import TextToolCall, ToolTextRescue

Found: TypeAlias = Piece | TextToolCall


class AnswerText:
    """Parts the text of one answer into text, thinking and tool calls, in their order.

    ``tools`` holds the input schemas of the declared tools by name. ``think_tags`` and ``tool_calls`` say
    what is looked for; where neither is, the text passes.
    """

    __slots__ = ("_fed", "_rescue", "_splitter", "_tools")

    def __init__(
        self, tools: Mapping[str, Schema], *, think_tags: bool = True, tool_calls: bool = True
    ) -> None:
        self._tools = tools if tool_calls else {}
        self._splitter = ThinkTagSplitter() if think_tags else None
        self._rescue = ToolTextRescue(self._tools) if self._tools else None
        self._fed = False

    def feed(self, text: str) -> Sequence[Found]:
        """What ``text`` adds; the beginning of what may be a tag or a call is held back."""
        self._fed = True
        pieces: Sequence[Piece] = (("text", text),)
        if self._splitter is not None and not self._splitter.passes(text):
            pieces = self._splitter.feed(text)
        if self._rescue is None:
            return pieces
        if len(pieces) == 1 and pieces[0][0] == "text" and self._rescue.passes(pieces[0][1]):  # nearly always
            return pieces
        return self._searched(pieces)

    def flush(self) -> Sequence[Found]:
        """What was held back, at the end of a block of text."""
        if not self._fed:
            return ()
        self._fed = False
        pieces: Sequence[Piece] = () if self._splitter is None else self._splitter.flush()
        if self._rescue is None:
            return pieces
        return [*self._searched(pieces), *self._end_of_search()]

    def _searched(self, pieces: Iterable[Piece]) -> list[Found]:
        assert self._rescue is not None
        found: list[Found] = []
        for piece in pieces:
            if piece[0] == "text":
                found += _found(self._rescue.feed(piece[1]))
            else:
                found += self._end_of_search()
                found.append(piece)
        return found

    def _end_of_search(self) -> list[Found]:
        assert self._rescue is not None
        rest = self._rescue.flush()
        self._rescue = ToolTextRescue(self._tools)
        return _found(rest)


def _found(parts: list[str | TextToolCall]) -> list[Found]:
    return [("text", part) if isinstance(part, str) else part for part in parts]
