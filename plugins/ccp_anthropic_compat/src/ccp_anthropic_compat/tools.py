"""The client's tools and its choice among them, as one endpoint takes them."""

from __future__ import annotations

import operator
from typing import Any

from ccp_anthropic_compat.dialect import MessagesDialect
from ccp_core.protocol.events import Json

_NO_PARAMETERS = {"type": "object", "properties": {}}


def tool_members(tools: list[Json], choice: Any, dialect: MessagesDialect, notes: dict[str, None]) -> Json:
    """The ``tools`` and ``tool_choice`` members of the body; empty when there is nothing to choose from."""
    kept = tools
    if not dialect.server_tools and any(map(is_server_tool, tools)):
        kept = [tool for tool in tools if not is_server_tool(tool)]
        notes["tools that only Anthropic's servers run were left out"] = None
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "none" and "none" not in dialect.tool_choices:
        notes["tools were left out, because none may be used"] = None
        return {}
    if kind == "tool" and "tool" not in dialect.tool_choices:
        named = [tool for tool in kept if tool.get("name") == choice.get("name")]
        kept, kind = named or kept, "any" if named else "auto"
        choice = {"type": kind}
        notes["a forced tool was offered alone, because the choice has no effect here"] = None
    if not kept:
        return {}
    members: Json = {"tools": _converted(kept, dialect)}
    if kind == "tool" and all(tool.get("name") != choice.get("name") for tool in kept):
        kind = None
    if kind is not None and kind in dialect.tool_choices:
        members["tool_choice"] = choice
    return members


def is_server_tool(tool: Json) -> bool:
    """Whether a tool is of a type that Anthropic defines; such a tool has no schema of its own."""
    return tool.get("type") not in (None, "custom")


def input_schemas(tools: list[Json]) -> dict[str, Json]:
    """The input schemas of the tools that the client runs, by name."""
    return {
        tool["name"]: schema if isinstance(schema := tool.get("input_schema"), dict) else {}
        for tool in tools
        if isinstance(tool.get("name"), str) and not is_server_tool(tool)
    }


def _converted(tools: list[Json], dialect: MessagesDialect) -> list[Json]:
    """The tools as the endpoint takes them: the same list where it takes them as they are, so that it is written once
    for a session (``ccp_core.upstream.body``).
    """
    converted = [_tool(tool, dialect) for tool in tools]
    return tools if all(map(operator.is_, converted, tools)) else converted


def _tool(tool: Json, dialect: MessagesDialect) -> Json:
    if dialect.tool_fields is None or is_server_tool(tool):
        if "cache_control" in tool and "tools" not in dialect.cache_control:
            return {name: value for name, value in tool.items() if name != "cache_control"}
        return tool
    keeps_mark = "cache_control" in tool and "tools" in dialect.cache_control
    if not isinstance(tool.get("input_schema"), dict):
        tool = {**tool, "input_schema": _NO_PARAMETERS}
    if dialect.input_schema is not None:
        tool = {**tool, "input_schema": dialect.input_schema(tool["input_schema"])}
    if not keeps_mark and tool.keys() <= dialect.tool_fields:
        return tool
    return {
        name: value
        for name, value in tool.items()
        if name in dialect.tool_fields or (keeps_mark and name == "cache_control")
    }
