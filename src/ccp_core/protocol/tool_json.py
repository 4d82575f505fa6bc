"""The arguments and the name of a tool call, set right where only one reading is possible.

Models and servers damage tool calls in a handful of known ways. Each repair here leaves one reading or is
not made: what stays broken goes to the client as it is, which shows the model its mistake. Content is never
invented, and half a call never becomes a whole one: what is missing at the end is only added when the
upstream said that the call was complete.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import orjson

from ccp_core.protocol.tool_schema import Schema, missing, without_nulls

_TRAILING_GARBAGE = re.compile(r"(?:[\s\]}),;`]|<[^<>]{1,64}>|\[/?[A-Z_]{1,32}\])*")
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_STRING_OR_BRACKET = re.compile(rf"{_STRING}|[{{}}\[\]]", re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}
_FOREIGN_ESCAPE = re.compile(r"""\\(?!["'\\nrt])""")
_LARGEST_PYTHON_LITERAL = 200_000

_TOKENS_BEFORE = re.compile(r"^(?:\s|<[^<>]*>|\[/?[A-Z_]+\])+")
_REST_BEHIND = re.compile(r"(?::\d+\s*$|[(\[{<]).*$", re.DOTALL)
_NAMESPACE = re.compile(r"^.*[.:/]")


def complete_arguments(text: str, schema: Schema | None, *, finished: bool = False) -> str:
    """The whole arguments text of one tool call as the client needs it: a JSON object.

    ``schema`` is the tool's input schema, if it is declared. ``finished`` says that the upstream reported
    the call as complete (a finish reason that is not "length"); only then are missing quotes and brackets
    added at the end. A valid object comes back as it was, except for a null given for an optional
    parameter, which the client would reject. What cannot be repaired safely comes back unchanged.
    """
    repaired = _object_text(text, schema or {}, finished)
    if repaired is None:
        return text
    if schema is None or "null" not in repaired:
        return repaired
    try:
        value = json.loads(repaired)
        cleaned = without_nulls(value, schema, schema)
        return repaired if cleaned == value else dump(cleaned)
    except (ValueError, RecursionError):
        return repaired


def declared_name(name: str, declared: Collection[str]) -> str:
    """The declared tool that ``name`` means: another case, or with stray tokens and prefixes around it.

    ``functions.Read``, ``[TOOL_CALLS]Read``, ``Read<|channel|>…`` and ``read:0`` mean ``Read`` when that is
    declared. A name that means none, or more than one, comes back unchanged.
    """
    if name in declared:
        return name
    bare = _REST_BEHIND.sub("", _TOKENS_BEFORE.sub("", name)).strip("\"'` \t\r\n")
    for candidate in (name.strip(), bare, _NAMESPACE.sub("", bare)):
        if candidate in declared:
            return candidate
        folded = candidate.casefold()
        alike = [tool for tool in declared if tool.casefold() == folded]
        if len(alike) == 1:
            return alike[0]
    return name


def dump(value: Any) -> str:
    """``value`` as compact JSON text that can be encoded. Raises ValueError for what JSON cannot say."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can carry
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text


def _object_text(text: str, schema: Schema, finished: bool) -> str | None:
    """The JSON object that ``text`` means, as text; None when it means none for certain."""
    if not text or text.isspace():
        return "{}"
    try:
        value = _loads(text)
    except ValueError:
        return _repaired(text, schema, finished)
    if isinstance(value, dict):
        return text
    if value is None:
        return "{}"
    if isinstance(value, str) and value != text:
        return _object_text(value, schema, finished)
    return None


def _repaired(text: str, schema: Schema, finished: bool) -> str | None:
    text = text.strip()
    if (found := _first_object(text, schema, finished)) is not None:
        return found
    attempts = [text, _STRING_OR_LAST_COMMA.sub(lambda match: match[1] or "", text)]
    if finished and (ending := _missing_end(text)):
        attempts.append(text + ending)
    for attempt in attempts:
        try:  # a line end within a string is the one thing that strict JSON refuses and everybody understands
            value = json.loads(attempt, strict=False, parse_constant=_refuse)
            if isinstance(value, dict) and not missing(value, schema):
                return dump(value)
        except (ValueError, RecursionError):
            continue
    return _from_python(text, schema)


def _first_object(text: str, schema: Schema, finished: bool) -> str | None:
    """The object that ``text`` starts with, when what follows says nothing else."""
    if not text.startswith("{"):
        return None
    try:
        value, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except (ValueError, RecursionError):
        return None
    rest = text[end:].lstrip()
    if _TRAILING_GARBAGE.fullmatch(rest):
        return text[:end]
    if not value:
        return _object_text(rest, schema, finished)
    try:
        return text[:end] if _loads(rest) == value else None
    except ValueError:
        return None


def _missing_end(text: str) -> str | None:
    """The quotes and brackets that are missing at the end of ``text``; None when brackets do not match."""
    open_brackets: list[str] = []
    string_end = ""
    for match in _STRING_OR_BRACKET.finditer(text):
        lexeme = match[0]
        if lexeme in _CLOSING:
            open_brackets.append(_CLOSING[lexeme])
        elif lexeme in ("}", "]"):
            if not open_brackets or open_brackets.pop() != lexeme:
                return None
        elif match.end() == len(text) and not _ends_string(lexeme):
            string_end = '"'
    return string_end + "".join(reversed(open_brackets))


def _ends_string(lexeme: str) -> bool:
    content = lexeme[1:-1]
    return len(lexeme) > 1 and lexeme[-1] == '"' and (len(content) - len(content.rstrip("\\"))) % 2 == 0


def _from_python(text: str, schema: Schema) -> str | None:
    """The object that a Python dictionary means, unless JSON would read its strings differently."""
    if not text.startswith("{") or len(text) > _LARGEST_PYTHON_LITERAL or _FOREIGN_ESCAPE.search(text):
        return None
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        if any(a.type == b.type == tokenize.STRING for a, b in pairwise(tokens)):
            return None
        value = ast.literal_eval(text)
        rewritten = dump(value)
        if isinstance(value, dict) and json.loads(rewritten) == value and not missing(value, schema):
            return rewritten
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    return None


def _loads(text: str) -> Any:
    """Strict JSON, lone surrogates included, as the client's parser reads it. Raises ValueError."""
    try:
        return orjson.loads(text)
    except ValueError:
        try:
            return json.loads(text, parse_constant=_refuse)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
