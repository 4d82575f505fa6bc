"""Finding the tool calls that a model wrote as text.

1. A candidate begins where one of the known openings stands outside code. It becomes calls when it is
   whole, names a declared tool and fits that tool's schema. Otherwise its first character is text and the
   search goes on right behind that, so that what is no call comes out exactly as it came in.
2. A candidate is decided by its own characters, never by the portions in which they came. One that grows
   longer than the limit is given up.
3. The end of the text completes only what is complete without its closing tag: arguments that are cut make
   no call.
4. White space counts only with text: it is dropped between calls, and around them where nothing else
   stands.
5. Candidates that fail cost time. When the failed ones together are four times as long as the limit, the
   rest of the text passes unsearched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache, partial
from string import ascii_letters, digits
from typing import TypeAlias

from ccp_core.protocol.code_spans import CodeSpans
from ccp_core.protocol.tool_text import tagged, tokens
from ccp_core.protocol.tool_text.calls import TextToolCall, Tools, from_json
from ccp_core.protocol.tool_text.reader import Reader, Step

Grammar: TypeAlias = Callable[[Reader, Tools], Step[list[TextToolCall]]]

LIMIT = 262_144

_OPENINGS: dict[str, Grammar] = {
    **{f"<{wrapper}>": tagged.wrapped for wrapper in tagged.WRAPPERS},
    **{f"{bullet}<function=": tagged.function for bullet in ("", "●", "● ")},
    **{f"<{name}invoke ": partial(tagged.invoke, namespace=name) for name in tagged.NAMESPACES},
    "[TOOL_CALLS]": tokens.mistral,
    **dict.fromkeys(tokens.KIMI_SECTIONS, tokens.kimi_section),
    tokens.KIMI_CALL: tokens.kimi_call,
    **dict.fromkeys(tokens.DEEPSEEK_SECTIONS, tokens.deepseek_section),
    **dict.fromkeys(tokens.DEEPSEEK_CALLS, tokens.deepseek_call),
}
_AFTER_NAME = "[ARGS]"
_OPENING = re.compile("|".join(map(re.escape, (*_OPENINGS, _AFTER_NAME))))
_OPENING_AT_A_GLANCE = re.compile(
    "|".join({f"{re.escape(text[0])}(?:{re.escape(text[1])}|\\Z)" for text in (*_OPENINGS, _AFTER_NAME)})
)
_NAME_CHARACTERS = ascii_letters + digits + "_-."


class ToolTextRescue:
    """Takes one answer's text and gives back the text and the calls in it, in order.

    ``tools`` maps the names of the declared tools to their input schemas. ``limit`` bounds what is held
    back while a candidate is undecided, in characters.
    """

    __slots__ = (
        "_beginnings", "_called", "_code", "_final", "_flows", "_last", "_limit", "_parser", "_patience",
        "_reader", "_searched", "_space", "_start", "_tools",
    )  # fmt: skip

    def __init__(self, tools: Tools, *, limit: int = LIMIT) -> None:
        self._tools = tools
        self._limit = limit
        self._patience = 4 * limit if tools else 0
        self._beginnings = _beginnings(tuple(tools))
        self._reader = Reader()
        self._start = 0  # where the part of the reader's text begins that has not come out
        self._searched = 0  # how far that has been searched for openings
        self._parser: Step[list[TextToolCall]] | None = None
        self._code = CodeSpans()
        self._space: str | None = ""  # white space that waits for text; None in the middle of text
        self._called = False
        self._last = ""  # the last portion of text
        self._flows = False  # text comes out at once: nothing is held back
        self._final = False

    def feed(self, text: str) -> list[str | TextToolCall]:
        """Return what ``text`` decides; a possible beginning of a call is held back."""
        if not text:
            return []
        if self.passes(text):
            return [text]
        self._reader.text += text
        return self._run()

    def passes(self, text: str) -> bool:
        """Take in ``text`` if no call can begin in it, as in most; whether it was."""
        if not self._flows or not text:
            return False
        if ("<" in text or "[" in text or "●" in text) and _OPENING_AT_A_GLANCE.search(text):
            return False
        if text[len(text.rstrip(_NAME_CHARACTERS)) :] in self._beginnings:
            return False
        self._last = text
        self._code.advance(text)
        return True

    def flush(self) -> list[str | TextToolCall]:
        """Return what was held back, at the end of the answer."""
        self._final = True
        out = self._run()
        if self._space and not self._called:
            out.append(self._space)
        return out

    def _run(self) -> list[str | TextToolCall]:
        """Decide what can be decided of the reader's text."""
        out: list[str | TextToolCall] = []
        while self._parser is not None or self._found_candidate(out):
            calls = self._parsed()
            if calls is None:
                break
            if calls:
                out += calls
                self._start = self._searched = self._reader.position
                self._code = CodeSpans()
                self._space = self._last = ""
                self._called = True
        self._flows = self._space is None and not self._reader.text
        return out

    def _found_candidate(self, out: list[str | TextToolCall]) -> bool:
        """Give out text up to the next candidate and start its parser; False at the end of the text."""
        text = self._reader.text
        openings = _OPENING.finditer(text, self._searched) if self._patience > 0 else ()
        for opening in openings:
            start = opening.start()
            grammar = _OPENINGS.get(opening[0])
            if grammar is None:
                start -= self._name_at_end(text[self._start : start])
                if text[start : opening.start()] not in self._tools:
                    continue
            self._say(text[self._start : start], out)
            self._start = start
            if self._code.inside(text[start]):
                continue
            self._searched = start + 1 if grammar else opening.end()
            self._reader.position = opening.end() if grammar else start
            self._parser = (grammar or tokens.mistral)(self._reader, self._tools)
            return True
        end = len(text) if self._final or self._patience <= 0 else self._undecided_from(text)
        self._say(text[self._start : end], out)
        self._reader.text = text[end:]
        self._start = self._searched = 0
        return False

    def _parsed(self) -> list[TextToolCall] | None:
        """The calls of the candidate, empty when it is none; None while it is undecided."""
        assert self._parser is not None
        reader = self._reader
        reader.stop = min(len(reader.text), self._start + self._limit)
        reader.ended = self._final and reader.stop == len(reader.text)
        calls: list[TextToolCall] = []
        try:
            next(self._parser)
        except StopIteration as done:
            calls = done.value
            length = reader.position - self._start
        else:
            length = reader.stop - self._start
            if length < self._limit:
                return None
        self._parser = None
        if not calls:
            self._patience -= length
        return calls

    def _undecided_from(self, text: str) -> int:
        """Where at the end of ``text`` something begins that may become an opening."""
        end = len(text)
        undecided = end - self._name_at_end(text[self._start :])
        for mark in ("<", "[", "●"):
            at = text.rfind(mark, self._start)
            if at < 0:
                continue
            tail = text[at:]
            if any(len(tail) < len(opening) and opening.startswith(tail) for opening in _OPENINGS):
                undecided = min(undecided, at)
            if len(tail) < len(_AFTER_NAME) and _AFTER_NAME.startswith(tail):
                name = self._name_at_end(text[self._start : at])
                if text[at - name : at] in self._tools:
                    undecided = min(undecided, at - name)
        return undecided

    def _name_at_end(self, text: str) -> int:
        """The length of the word at the end of ``text`` when it is, or begins, a declared name."""
        before = text.rstrip(_NAME_CHARACTERS)
        length = len(text) - len(before)
        if not length or text[-length:] not in self._beginnings:
            return 0
        return length if before or not self._last or self._last[-1] not in _NAME_CHARACTERS else 0

    def _say(self, text: str, out: list[str | TextToolCall]) -> None:
        if not text:
            return
        self._code.advance(text)
        self._last = text
        if self._space is not None:
            if text.isspace():
                self._space += text
                return
            text, self._space = self._space + text, None
        out.append(text)


def rescue_all(text: str, tools: Tools) -> list[str | TextToolCall]:
    """The text and the calls in a finished answer, in order.

    A text that is nothing but whole JSON with names and arguments counts as calls too: what an upstream
    reports as a failed tool call often is that.
    """
    rescue = ToolTextRescue(tools)
    parts: list[str | TextToolCall] = []
    for part in rescue.feed(text) + rescue.flush():
        if parts and isinstance(part, str) and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    if any(isinstance(part, TextToolCall) for part in parts):
        return parts
    return [*from_json(text.strip(), tools)] or parts if _is_json(text) else parts


def _is_json(text: str) -> bool:
    """Whether ``text`` is JSON to its end: what is cut may lack half a file."""
    try:
        return isinstance(json.loads(text, strict=False), dict | list)
    except (ValueError, RecursionError):
        return False


@lru_cache(maxsize=32)
def _beginnings(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name[:length] for name in names for length in range(1, len(name) + 1))
