"""Input schemas of tools, rewritten for servers that take less than all of JSON Schema.

Nothing here changes its argument; what is unknown stays as it is, except where ``plain`` leaves it out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from ccp_core.protocol.events import Json
from ccp_core.protocol.tool_schema import Schema, resolve, variants

_SWITCHES = frozenset(
    {"additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"}
)
SINGLE = (
    frozenset({"contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"})
    | _SWITCHES
)
"""Members that are a schema."""
NAMED = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
"""Members that hold schemas by name."""
LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
"""Members that are lists of schemas."""
_DEPTH = 8
_INLINED = 1000
"""References of one schema: definitions that hold each other could stand for more than there is memory."""


def each(schema: Schema, change: Callable[[Json], Json]) -> Json:
    """``schema`` with ``change`` made to its direct sub-schemas; booleans stay."""
    return _each(schema, lambda inner: change(inner) if isinstance(inner, dict) else inner)


def without_booleans(schema: Schema) -> Json:
    """``schema`` with objects where it has ``true`` or ``false`` for a sub-schema."""

    def change(inner: Any) -> Any:
        if isinstance(inner, bool):
            return {} if inner else {"not": {}}
        return without_booleans(inner) if isinstance(inner, Mapping) else inner

    return _each(schema, change)


def inlined(schema: Schema) -> Json:
    """``schema`` with what its local references stand for in their place; what holds itself ends in ``{}``."""
    left = itertools.count(_INLINED, -1)

    def inline(inner: Any, entered: frozenset[str]) -> Any:
        if not isinstance(inner, Mapping):
            return inner
        reference = inner.get("$ref")
        if isinstance(reference, str):
            target = resolve(reference, schema)
            if reference in entered or not isinstance(target, Mapping) or next(left) <= 0:
                return {}
            beside = {name: value for name, value in inner.items() if name != "$ref"}
            return inline({**target, **beside}, entered | {reference})
        kept = {name: value for name, value in inner.items() if name not in ("$defs", "definitions")}
        return _each(kept, lambda below: inline(below, entered))

    result: Json = inline(schema, frozenset())
    return result


def plain(schema: Schema) -> Json:
    """Types, names, descriptions and enumerations alone: what guides a model, without what constrains its grammar."""
    return _plain(schema, schema, _DEPTH)


def _plain(schema: Any, root: Schema, depth: int) -> Json:
    chosen = next((variant for variant in variants(schema, root) if variant.get("type") != "null"), {})
    result: Json = {name: chosen[name] for name in ("description", "enum", "required") if name in chosen}
    if isinstance(schema, Mapping) and isinstance(described := schema.get("description"), str):
        result["description"] = described
    kind = chosen.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), None)
    if isinstance(kind, str):
        result["type"] = kind
    properties = chosen.get("properties")
    if isinstance(properties, Mapping) and depth:
        result["properties"] = {name: _plain(value, root, depth - 1) for name, value in properties.items()}
    if "items" in chosen and depth:
        result["items"] = _plain(chosen["items"], root, depth - 1)
    return result


def _each(schema: Schema, change: Callable[[Any], Any]) -> Json:
    """``schema`` with ``change`` made to its direct sub-schemas."""
    result: Json = {}
    for key, value in schema.items():
        if key in NAMED and isinstance(value, Mapping):
            value = {name: change(inner) for name, inner in value.items()}
        elif key in LISTED and isinstance(value, list):
            value = [change(inner) for inner in value]
        elif key in SINGLE and not (key in _SWITCHES and isinstance(value, bool)):
            value = change(value)
        result[key] = value
    return result
