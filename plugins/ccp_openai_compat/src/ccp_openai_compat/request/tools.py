"""Tools: the client's declarations as chat functions, and the way back from what a model calls them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from attrs import Factory, define, frozen

from ccp_core.protocol.events import Json
from ccp_core.protocol.known_tools import KEPT, MAX_BYTES
from ccp_core.protocol.messages import MessagesRequest
from ccp_openai_compat.dialect import AdaptParameters, ChatDialect, Parameters

_WIRE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}


@frozen
class DeclaredTool:
    """A tool that the model may call. ``schema`` is the client's input schema."""

    name: str
    """What the client calls it."""
    schema: Json
    parameters: Parameters | None = None
    """Set when the input of its calls differs between client and upstream."""

    @property
    def wire_schema(self) -> Json:
        """The schema that the model knows."""
        return self.schema if self.parameters is None else self.parameters.schema


@define
class Toolset:
    """The tools of one request: as functions for the body, and by the name that they have there."""

    functions: list[Json] = Factory(list)
    by_wire_name: dict[str, DeclaredTool] = Factory(dict)
    left_out: bool = False
    """Whether tools were left out that only Anthropic's servers run."""
    renamed: bool = False
    reshaped: bool = False
    """Whether the input of some calls differs between client and upstream."""

    def wire_input(self, wire_name: str, value: Any) -> Any:
        """The input of a call in the history as the upstream knows the tool."""
        tool = self.by_wire_name.get(wire_name)
        if tool is None or tool.parameters is None:
            return value
        return tool.parameters.to_wire(value)


_declared: deque[tuple[list[Json], AdaptParameters | None, Toolset]] = deque(maxlen=KEPT)


def declare(request: MessagesRequest, dialect: ChatDialect) -> Toolset:
    """The request's tools in their order; a name that comes again counts once.

    A session's tools are the same list in every turn (``ccp_core.protocol.known_tools``), so the latest toolsets are
    kept and found again: not to be changed.
    """
    tools = request.tools
    if not tools:
        return Toolset()
    for known, adapt, toolset in _declared:
        if known is tools and adapt is dialect.parameters:
            return toolset
    toolset = _toolset(tools, dialect.parameters)
    if request.size <= MAX_BYTES:
        _declared.appendleft((tools, dialect.parameters, toolset))
    return toolset


def _toolset(tools: list[Json], adapt: AdaptParameters | None) -> Toolset:
    toolset = Toolset()
    for tool in tools:
        if tool.get("type") not in (None, "custom"):
            toolset.left_out = True
            continue
        name = tool.get("name", "")
        alias = wire_name(name)
        if not name or alias in toolset.by_wire_name:
            continue
        if alias != name:
            toolset.renamed = True
        schema = tool.get("input_schema")
        if type(schema) is not dict:
            schema = _NO_PARAMETERS
        elif "type" not in schema:
            schema = {"type": "object", **schema}
        adapted = schema if adapt is None else adapt(schema)
        parameters = adapted if isinstance(adapted, Parameters) else None
        toolset.reshaped |= parameters is not None
        toolset.by_wire_name[alias] = DeclaredTool(name, schema, parameters)
        sent = adapted.schema if isinstance(adapted, Parameters) else adapted
        function: Json = {"name": alias, "parameters": sent}
        if description := tool.get("description"):
            function["description"] = description
        toolset.functions.append({"type": "function", "function": function})
    return toolset


@lru_cache(maxsize=1024)
def wire_name(name: str) -> str:
    """The name for upstreams, which allow 64 characters of few kinds. The same for the same name, always."""
    if _WIRE_NAME.fullmatch(name):
        return name
    digest = blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{_OTHER.sub('_', name)[:55]}_{digest}"


def tool_choice(
    choice: Mapping[str, Any], toolset: Toolset, dialect: ChatDialect, *, thinking: bool
) -> tuple[str | Json, bool] | None:
    """The chat form of a ``tool_choice`` and whether it was weakened; None when nothing can be chosen."""
    kind = choice.get("type")
    if kind in ("auto", "none"):
        return str(kind), False
    allowed = dialect.forced_tool_choice == "always" or (
        dialect.forced_tool_choice == "without_thinking" and not thinking
    )
    if kind == "any":
        return ("required", False) if allowed and dialect.tool_choice_required else ("auto", True)
    alias = wire_name(str(choice.get("name") or "")) if kind == "tool" else ""
    if alias not in toolset.by_wire_name:
        return None
    if not allowed:
        return "auto", True
    return {
        "type": "function",
        "function": {"name": alias},
    } if dialect.named_tool_choice else "required", False
