"""A tool's input schema, as far as repairing a call needs it: required, nullable, and which types fit.

This is not a validator: the client checks every call itself and tells the model what is wrong. Only what
the schema says plainly (``type``, ``properties``, ``required``, ``items``, unions, local ``$ref``) is used;
anything else fits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from ccp_core.protocol.events import Json

Schema: TypeAlias = Mapping[str, Any]

_ANY: Schema = {}


class Unfit(ValueError):
    """A value that the schema does not allow and that cannot be converted."""


def variants(schema: Any, root: Schema, seen: set[str] | None = None) -> Iterator[Schema]:
    """The alternatives of a schema: the branches of its unions, each reference followed once."""
    seen = set() if seen is None else seen
    if not isinstance(schema, Mapping):
        yield _ANY
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference not in seen:
            seen.add(reference)
            yield from variants(resolve(reference, root), root, seen)
        return
    for union in ("anyOf", "oneOf"):
        branches = schema.get(union)
        if isinstance(branches, list) and branches:
            for branch in branches:
                yield from variants(branch, root, seen)
            return
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and "type" not in schema:
        yield from variants(parts[0], root, seen)
        return
    yield schema


def types(schema: Any, root: Schema) -> set[str]:
    """The JSON types that a schema names; empty when it allows any."""
    named: set[str] = set()
    for variant in variants(schema, root):
        kind = variant.get("type")
        if isinstance(kind, str):
            named.add(kind)
        elif isinstance(kind, list) and kind:
            named.update(item for item in kind if isinstance(item, str))
        elif "const" in variant:
            named.add(_type_of(variant["const"]))
        elif isinstance(values := variant.get("enum"), list):
            named.update(_type_of(value) for value in values)
        elif "properties" in variant:
            named.add("object")
        else:
            return set()
        if variant.get("nullable") is True:
            named.add("null")
    return named


def missing(arguments: Mapping[str, Any], schema: Schema) -> list[str]:
    """The names of required parameters that ``arguments`` lacks."""
    required = schema.get("required")
    return [name for name in required if name not in arguments] if isinstance(required, list) else []


def without_nulls(value: Any, schema: Any, root: Schema) -> Any:
    """``value`` without the null members that the schema calls optional and does not allow to be null."""
    if isinstance(value, list):
        items = _one_variant(schema, root, "array").get("items", _ANY)
        return [without_nulls(item, items, root) for item in value]
    if not isinstance(value, dict):
        return value
    variant = _one_variant(schema, root, "object")
    properties = variant.get("properties")
    required = variant.get("required")
    if not isinstance(properties, Mapping):
        return value
    kept: Json = {}
    for name, member in value.items():
        if name not in properties:
            kept[name] = member
        elif member is not None:
            kept[name] = without_nulls(member, properties[name], root)
        elif (isinstance(required, list) and name in required) or "null" in (
            types(properties[name], root) or ("null",)
        ):
            kept[name] = member
    return kept


def fitted(value: Any, schema: Any, root: Schema) -> Any:
    """``value``, converted where it is a string and the schema wants something else. Raises Unfit."""
    wanted = types(schema, root)
    if not wanted or _fits(value, wanted):
        return value
    if isinstance(value, str):
        return from_text(value, schema, root)
    if isinstance(value, float) and "integer" in wanted and value.is_integer():
        return int(value)
    if "string" in wanted and isinstance(value, int | float):
        return json.dumps(value)
    raise Unfit


def from_text(text: str, schema: Any, root: Schema) -> Any:
    """The value that a parameter written as plain text stands for, by the schema's types. Raises Unfit."""
    wanted = types(schema, root)
    if "string" in wanted:
        return text
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        if not wanted:
            return text
        word = text.strip()
        if "boolean" in wanted and word in ("True", "False"):
            return word == "True"
        if "null" in wanted and word in ("None", ""):
            return None
        raise Unfit from None
    if isinstance(value, float) and "integer" in wanted and "number" not in wanted and value.is_integer():
        value = int(value)
    if not wanted:
        return text if isinstance(value, str) else value
    if isinstance(value, str) or not _fits(value, wanted):
        raise Unfit
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def resolve(reference: str, root: Schema) -> Any:
    """What a reference into the same document stands for; a schema that allows anything when it leads nowhere."""
    target: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        target = target.get(key, _ANY) if isinstance(target, Mapping) else _ANY
    return target


def _one_variant(schema: Any, root: Schema, kind: str) -> Schema:
    """The one alternative that is of this kind; a schema that says nothing when there are several."""
    fitting = [variant for variant in variants(schema, root) if kind in types(variant, root)]
    return fitting[0] if len(fitting) == 1 else _ANY


def _fits(value: Any, wanted: set[str]) -> bool:
    kind = _type_of(value)
    return kind in wanted or (kind == "integer" and "number" in wanted)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
