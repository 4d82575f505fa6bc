"""Calls in tags: what Qwen, Hermes, GLM, Llama, MiniMax and models trained on Anthropic's form write.

::

    <tool_call>{"name": "Read", "arguments": {"file_path": "/a"}}</tool_call>
    <tool_call><function=Read><parameter=file_path>/a</parameter></function></tool_call>
    <tool_call>Read<arg_key>file_path</arg_key><arg_value>/a</arg_value></tool_call>
    <function=Read>{"file_path": "/a"}</function>
    <function_calls><invoke name="Read"><parameter name="file_path">/a</parameter></invoke></function_calls>

Observed and accepted: the outer tag missing on either side, ``<function=Read{…}``, the last
``</parameter>`` or ``</function>`` missing, one bracket too many before ``</tool_call>``.
"""

from __future__ import annotations

import re

from ccp_core.protocol.tool_text.calls import (
    TextToolCall,
    Tools,
    from_arguments,
    from_json,
    from_texts,
    is_declared,
    one,
)
from ccp_core.protocol.tool_text.reader import Reader, Step

NAMESPACES = ("", "antml:", "minimax:", "｜DSML｜")
WRAPPERS = tuple(
    f"{namespace}{name}" for namespace in NAMESPACES for name in ("function_calls", "tool_calls", "tool_call")
)
_WRAPPER_ENDS = tuple(f"</{name}>" for name in WRAPPERS)
_PARAMETER_ENDS = {
    "</parameter>": ("<parameter=", "</function>", "</tool_call>"),
    "\n</function>": ("</tool_call>",),
}
_LONGEST_TAG = 256
_NAME = re.compile(r"""\bname\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")


def wrapped(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind ``<tool_call>`` or another outer tag."""
    yield from reader.space()
    if (yield from reader.at("{", "[")):
        return (yield from _objects(reader, tools))
    if (yield from reader.take("<function=")):
        return (yield from function(reader, tools))
    for namespace in NAMESPACES:
        if (yield from reader.take(f"<{namespace}invoke ")):
            return (yield from invoke(reader, tools, namespace))
    return (yield from _keys_and_values(reader, tools))


def function(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """What stands behind ``<function=``."""
    name = yield from reader.word()
    opened = yield from reader.take(">")
    if not name or not is_declared(name, tools):
        return []
    yield from reader.space()
    if (yield from reader.at("{")):
        return one((yield from _arguments(reader, tools, name, "</function>")))
    if not opened:
        return []
    parameters: dict[str, str] = {}
    while not (yield from reader.take("</function>", "</tool_call>")):
        if not (yield from reader.take("<parameter=")):
            return []
        key = yield from reader.until(">", _LONGEST_TAG)
        if key is None:
            return []
        value = yield from reader.enclosed(_PARAMETER_ENDS)
        if value is None:
            return []
        parameters[key.strip("\"' ")] = value.removeprefix("\n").removesuffix("\n")
    call = from_texts(name, parameters, tools)
    if call is not None:
        yield from reader.close(*_WRAPPER_ENDS)
    return one(call)


def invoke(reader: Reader, tools: Tools, namespace: str) -> Step[list[TextToolCall]]:
    """What stands behind ``<invoke ``; the tags within it have the same namespace."""
    name = yield from _name_attribute(reader)
    if name is None or not is_declared(name, tools):
        return []
    parameter, parameter_end, end = (
        f"<{namespace}parameter ",
        f"</{namespace}parameter>",
        f"</{namespace}invoke>",
    )
    parameters: dict[str, str] = {}
    yield from reader.space()
    while not (yield from reader.take(end)):
        if not (yield from reader.take(parameter)):
            return []
        key = yield from _name_attribute(reader)
        if key is None:
            return []
        value = yield from reader.enclosed({parameter_end: (parameter, end)})
        if value is None:
            return []
        parameters[key] = value
    call = from_texts(name, parameters, tools)
    if call is not None:
        yield from reader.close(*_WRAPPER_ENDS)
    return one(call)


def _objects(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """JSON objects, or one list of them, and the closing tag."""
    calls: list[TextToolCall] = []
    while (yield from reader.at("{", "[")):
        found = yield from reader.json()
        if found is None or not (found.complete or (yield from reader.at(*_WRAPPER_ENDS))):
            return []
        more = from_json(found.text, tools)
        if not more:
            return []
        calls += more
        end = reader.position
        yield from reader.space()
    yield from reader.take("}")
    if not (yield from reader.close(*_WRAPPER_ENDS)):
        reader.position = end
    return calls


def _keys_and_values(reader: Reader, tools: Tools) -> Step[list[TextToolCall]]:
    """GLM: the name, then pairs of keys and values."""
    name = yield from reader.word()
    if not name or not is_declared(name, tools):
        return []
    yield from reader.space()
    if (yield from reader.at("{")):
        return one((yield from _arguments(reader, tools, name, "</tool_call>")))
    parameters: dict[str, str] = {}
    while not (yield from reader.take("</tool_call>")):
        if not (yield from reader.take("<arg_key>")):
            return []
        key = yield from reader.until("</arg_key>", _LONGEST_TAG)
        yield from reader.space()
        if key is None or not (yield from reader.take("<arg_value>")):
            return []
        value = yield from reader.enclosed({"</arg_value>": ("<arg_key>", "</tool_call>")})
        if value is None:
            return []
        parameters[key.strip()] = value
    return one(from_texts(name, parameters, tools))


def _arguments(reader: Reader, tools: Tools, name: str, end: str) -> Step[TextToolCall | None]:
    """One JSON object of arguments and the closing tag, which may be missing only behind a whole object."""
    found = yield from reader.json()
    if found is None:
        return None
    closed = yield from reader.close(end)
    if not closed and not found.complete:
        return None
    call = from_arguments(name, found.text, tools)
    if call is not None and closed:
        yield from reader.close(*_WRAPPER_ENDS)
    return call


def _name_attribute(reader: Reader) -> Step[str | None]:
    attributes = yield from reader.until(">", _LONGEST_TAG)
    found = _NAME.search(attributes) if attributes is not None else None
    return next(group for group in found.groups() if group is not None) if found else None
