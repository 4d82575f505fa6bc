"""The seam between a text that was cut and its continuation: what a model repeats there is found and left out.

A model that goes on with a text begins with its last words, with the whole sentence or paragraph, sometimes with all
of it, or with none of it. So the continuation is held back as long as it may be a repetition:

1. A repetition begins somewhere in the sent text and agrees with it to its end. The longest one counts.
2. A short one counts only from the beginning of a word: "hel" and "lo" share an l by chance.
3. White space and dots in front of a repetition are the model's manners. White space at the end of the sent text
   belongs to a short repetition; with a long one models are careless.
4. A continuation that begins as the sent text does, and then says something else, is another answer.
"""

from __future__ import annotations

import re

_SURE = 8
"""Characters that do not agree by chance, wherever they begin."""

_SHORTEST = 3
"""Characters of a repetition that begins with a word."""

_LONG = 20
"""Characters from which on a repetition is one although the white space behind it differs."""

_ANOTHER = 48
"""Characters with which another answer gives itself away."""

_LAST_WORDS = 80
"""Characters of a text's end that a model is asked to repeat, at the most."""

_MANNERS = re.compile(r"[\s.…]*")


class SeamLost(Exception):
    """The continuation is another answer, which does not fit to what was sent."""


def last_words(text: str) -> str:
    """The end of ``text``, from the beginning of a word, for a model to repeat."""
    start = max(0, len(text) - _LAST_WORDS)
    while 0 < start < len(text) and text[start - 1].isalnum():
        start += 1
    return text[start:].strip() or text[-_LAST_WORDS:].strip()


class Seam:
    """Takes the pieces of a continuation of ``sent`` and gives what is new in them."""

    def __init__(self, sent: str) -> None:
        self._sent = sent.rstrip()
        self._space = sent[len(self._sent) :]
        self._held = ""
        self._found = not self._sent

    def feed(self, piece: str) -> str:
        """What is certainly new, of all pieces so far. Raises SeamLost."""
        return self._look(piece, ended=False)

    def finish(self) -> str:
        """What is still held back when the continuation, or its text, has ended. Raises SeamLost."""
        return self._look("", ended=True)

    def _look(self, piece: str, *, ended: bool) -> str:
        if self._found:
            return piece
        held = self._held = self._held + piece
        repeated = self._repeated(held, ended=ended)
        if repeated is None:
            return ""
        self._found, self._held = True, ""
        if repeated:
            held = held[repeated:]
            while self._space and held.startswith(self._space[0]):
                held, self._space = held[1:], self._space[1:]
        return held

    def _repeated(self, held: str, *, ended: bool) -> int | None:
        """How many characters repeat what was sent; None while that is not certain."""
        manners = _MANNERS.match(held)
        start = manners.end() if manners is not None else 0
        if start > _ANOTHER:
            return 0
        if start == len(held):
            return 0 if ended else None
        for offset in dict.fromkeys((0, start)):
            text = held[offset:]
            if not ended and self._may_repeat(text):
                return None
            if length := self._agreement(text):
                behind, space = text[length:], self._space
                if not ended and len(behind) < len(space):
                    return None
                if length >= _LONG or behind.startswith(space) or (ended and space.startswith(behind)):
                    return offset + length
        beginning = held[start : start + _ANOTHER]
        if len(beginning) == _ANOTHER and self._sent.startswith(beginning) and self._counts(0):
            raise SeamLost("the continuation is another answer")
        return 0

    def _may_repeat(self, text: str) -> bool:
        """Whether ``text`` stands in what was sent, and more of it may follow."""
        position = self._sent.find(text)
        while 0 <= position < len(self._sent) - len(text):
            if self._counts(position):
                return True
            position = self._sent.find(text, position + 1)
        return False

    def _agreement(self, text: str) -> int:
        """The length of the longest end of what was sent with which ``text`` begins."""
        sent = self._sent
        for position in range(max(0, len(sent) - len(text)), len(sent)):
            if text.startswith(sent[position:]) and self._counts(position):
                return len(sent) - position
        return 0

    def _counts(self, position: int) -> bool:
        """Whether agreeing with all that was sent from here on is no chance."""
        sent = self._sent
        if not any(map(str.isalnum, sent[position : position + 200])):
            return False
        length = len(sent) - position
        if length >= _SURE or position == 0:
            return True
        return length >= _SHORTEST and not (sent[position - 1].isalnum() and sent[position].isalnum())
