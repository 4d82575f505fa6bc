"""Tool schemas in the form that Kimi's validator takes, which refuses a request for a single other one.

1. The root is an object. A union there becomes one object that has the parameters of all branches.
2. A type beside ``anyOf`` or ``oneOf`` goes into the branches.
3. Nothing stands beside ``$ref``.
4. A list of ``items`` is ``prefixItems``, and a parameter's schema is an object.

(Its rules were learned from its refusals, and are not the same at all times.)
"""

from __future__ import annotations

from typing import Any

from ccp_core.protocol.events import Json
from ccp_core.protocol.schema_edit import each
from ccp_core.protocol.tool_schema import variants

_UNIONS = ("anyOf", "oneOf")
_NOT_AT_ROOT = (*_UNIONS, "$ref")


def adapt(schema: Json) -> Json:
    """``schema`` in that form; the argument stays as it is."""
    return _adapted(_object(schema))


def _object(schema: Json) -> Json:
    """The root, as an object without a union."""
    root = {name: value for name, value in schema.items() if name not in _NOT_AT_ROOT}
    properties = _properties(schema)
    if len(root) < len(schema):
        branches = list(variants(schema, schema)) or [{}]
        for branch in branches:
            properties = {**_properties(branch), **properties}
        required = set.intersection(*(set(_required(branch)) for branch in branches)) | set(_required(schema))
        root["required"] = [name for name in properties if name in required]
    return {**root, "type": "object", "properties": properties}


def _properties(schema: Any) -> Json:
    properties = schema.get("properties")
    return dict(properties) if isinstance(properties, dict) else {}


def _required(schema: Any) -> list[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _adapted(schema: Json) -> Json:
    if isinstance(schema.get("$ref"), str):
        return {"$ref": schema["$ref"]}
    result = each(schema, _adapted)
    if isinstance(properties := result.get("properties"), dict):
        result["properties"] = {
            name: part if isinstance(part, dict) else {} for name, part in properties.items()
        }
    if isinstance(items := result.get("items"), list):
        del result["items"]
        result["prefixItems"] = items
    union = next((name for name in _UNIONS if isinstance(result.get(name), list)), None)
    if union and "type" in result:
        kind = result.pop("type")
        result[union] = [
            {"type": kind, **branch} if isinstance(branch, dict) and "$ref" not in branch else branch
            for branch in result[union]
        ]
    return result
