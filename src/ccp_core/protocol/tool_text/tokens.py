"""Calls between special tokens, which a server without the model's template shows as text.

Mistral, older; newer; and newer with half of it removed::

    [TOOL_CALLS][{"name": "Read", "arguments": {"file_path": "/a"}}]
    [TOOL_CALLS]Read[ARGS]{"file_path": "/a"}
    Read[ARGS]{"file_path": "/a"}

Kimi::

    <|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0
    <|tool_call_argument_begin|>{"file_path": "/a"}<|tool_call_end|><|tool_calls_section_end|>

DeepSeek V3.1, and V3 or R1, which write ``function`` first and a fence around the arguments::

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>Read<｜tool▁sep｜>
    {"file_path": "/a"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>

Observed and accepted: the outer token missing, a closing token missing behind a whole object.
"""

from __future__ import annotations

from ccp_core.protocol.tool_text.calls import TextToolCall, Tools, from_arguments, from_json, is_declared, one
from ccp_core.protocol.tool_text.reader import Reader, Step


def _spelled(token: str) -> tuple[str, ...]:
    """A DeepSeek token in the spellings that servers and models make of it."""
    return tuple(
        token.replace("｜", bar).replace("▁", space) for bar in ("｜", "|") for space in ("▁", "_", " ")
    )


KIMI_SECTIONS = ("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>")
KIMI_CALL = "<|tool_call_begin|>"
_KIMI_SECTION_ENDS = ("<|tool_calls_section_end|>", "<|tool_call_section_end|>")
DEEPSEEK_SECTIONS = _spelled("<｜tool▁calls▁begin｜>")
DEEPSEEK_CALLS = tuple(token for token in _spelled("<｜tool▁call▁begin｜>") if token != KIMI_CALL)
_DEEPSEEK_SEPARATORS = _spelled("<｜tool▁sep｜>")
_DEEPSEEK_CALL_ENDS = _spelled("<｜tool▁call▁end｜>")
_DEEPSEEK_SECTION_ENDS = _spelled("<｜tool▁calls▁end｜>")


def mistral(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind ``[TOOL_CALLS]``, or a name with ``[ARGS]`` behind it."""
    yield from reader.space()
    if (yield from reader.at("[", "{")):
        found = yield from reader.json()
        return from_json(found.text, tools) if found is not None and found.complete else []
    name = yield from reader.word()
    if not name or not is_declared(name, tools):
        return []
    if (yield from reader.take("[CALL_ID]")):
        yield from reader.word()
    yield from reader.take("[ARGS]")
    return one((yield from _arguments(reader, tools, name, ())))


def kimi_section(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind the token that begins Kimi's calls."""
    yield from reader.space()
    return (yield from kimi_call(reader, tools)) if (yield from reader.take(KIMI_CALL)) else []


def kimi_call(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind the token that begins one call of Kimi's."""
    yield from reader.space()
    name = yield from reader.word()
    yield from reader.space()
    if (
        not name
        or not is_declared(name, tools)
        or not (yield from reader.take("<|tool_call_argument_begin|>"))
    ):
        return []
    call = yield from _arguments(reader, tools, name, ("<|tool_call_end|>",))
    if call is not None:
        yield from reader.close(*_KIMI_SECTION_ENDS)
    return one(call)


def deepseek_section(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind the token that begins DeepSeek's calls."""
    yield from reader.space()
    yield from reader.take(*DEEPSEEK_CALLS, KIMI_CALL)
    return (yield from deepseek_call(reader, tools))


def deepseek_call(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind the token that begins one call of DeepSeek's."""
    yield from reader.space()
    name = yield from reader.word()
    if not (yield from reader.take(*_DEEPSEEK_SEPARATORS)):
        return []
    if name == "function" and not (yield from reader.at("{")):
        name = yield from reader.word()
    if not name or not is_declared(name, tools):
        return []
    yield from reader.space()
    fenced = yield from reader.take("```json", "```")
    call = yield from _arguments(reader, tools, name, ("```",) if fenced else _DEEPSEEK_CALL_ENDS)
    if call is not None:
        if fenced:
            yield from reader.close(*_DEEPSEEK_CALL_ENDS)
        yield from reader.close(*_DEEPSEEK_SECTION_ENDS)
    return one(call)


def _arguments(reader: Reader, tools: Tools, name: str, ends: tuple[str, ...]) -> Step[TextToolCall | None]:
    """One JSON object of arguments and the token behind it, which may be missing behind a whole object."""
    yield from reader.space()
    if not (yield from reader.at("{")):
        return None
    found = yield from reader.json()
    if found is None:
        return None
    closed = bool(ends) and (yield from reader.close(*ends))
    return from_arguments(name, found.text, tools) if closed or found.complete else None
