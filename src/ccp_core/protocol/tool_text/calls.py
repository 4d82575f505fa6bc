"""From what a model wrote to a call of a declared tool, checked against the tool's schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from ccp_core.protocol.events import Json
from ccp_core.protocol.tool_json import complete_arguments, declared_name, dump
from ccp_core.protocol.tool_schema import Schema, Unfit, fitted, from_text, missing, types

Tools: TypeAlias = Mapping[str, Schema]


@frozen
class TextToolCall:
    """A tool call that a model wrote as text: the declared tool's name, the arguments as JSON text."""

    name: str
    arguments: str = field(repr=False)


def is_declared(name: str, tools: Tools) -> bool:
    """Whether ``name``, as a model wrote it, means a declared tool."""
    return declared_name(name, tools) in tools


def one(call: TextToolCall | None) -> list[TextToolCall]:
    """A list of one call, or of none."""
    return [] if call is None else [call]


def from_arguments(name: str, arguments: str, tools: Tools) -> TextToolCall | None:
    """A call whose arguments are JSON text; None when it is no call of a declared tool."""
    name = declared_name(name, tools)
    schema = tools.get(name)
    if schema is None:
        return None
    text = complete_arguments(arguments, schema, finished=True)
    value = _object(text)
    if value is None:
        return None
    properties = _properties(schema)
    try:
        converted = {key: fitted(item, properties.get(key), schema) for key, item in value.items()}
    except Unfit:
        return None
    if missing(converted, schema):
        return None
    return TextToolCall(name, text if converted == value else dump(converted))


def from_texts(name: str, parameters: Mapping[str, str], tools: Tools) -> TextToolCall | None:
    """A call whose parameters were each written as plain text; None when it is no call of a declared tool."""
    name = declared_name(name, tools)
    schema = tools.get(name)
    if schema is None:
        return None
    properties = _properties(schema)
    required = schema.get("required")
    arguments: Json = {}
    try:
        for key, text in parameters.items():
            wanted = properties.get(key)
            optional = key in properties and key not in (required if isinstance(required, list) else ())
            if optional and text.strip() in ("null", "None") and "null" not in types(wanted, schema):
                continue
            arguments[key] = from_text(text, wanted, schema) if key in properties else text
    except Unfit:
        return None
    return None if missing(arguments, schema) else TextToolCall(name, dump(arguments))


def from_json(text: str, tools: Tools) -> list[TextToolCall]:
    """The calls in a JSON object with name and arguments, or in a list of them; none unless all are calls."""
    if text.startswith("{"):
        text = f"[{complete_arguments(text, None, finished=True)}]"
    try:
        items = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return []
    calls = [_from_item(item, tools) for item in items] if isinstance(items, list) else []
    return [call for call in calls if call is not None] if None not in calls else []


def _from_item(item: Any, tools: Tools) -> TextToolCall | None:
    if isinstance(item, dict) and isinstance(item.get("function"), dict):
        item = item["function"]
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    arguments = item.get("arguments", item.get("parameters"))
    try:
        text = arguments if isinstance(arguments, str) else dump(arguments)
    except ValueError:
        return None
    return from_arguments(item["name"], text, tools)


def _object(text: str) -> Json | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _properties(schema: Schema) -> Schema:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}
