"""Input schemas, rewritten for servers that take less than all of JSON Schema."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ccp_core.protocol.schema_edit import each, inlined, plain, without_booleans

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": ["string", "null"], "pattern": "^/", "minLength": 3000, "description": "Where."},
        "anything": True,
        "nothing": False,
        "place": {"$ref": "#/$defs/Place", "description": "The place."},
        "lines": {"type": "array", "items": True, "minItems": 5000},
        "mode": {"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}, True]},
    },
    "required": ["path"],
    "additionalProperties": False,
    "$defs": {
        "Place": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "inside": {"$ref": "#/$defs/Place"}},
        }
    },
}


@pytest.mark.parametrize("edit", [without_booleans, inlined, plain])
def test_a_schema_is_never_changed_in_place(edit: Any) -> None:
    """The client's request is read by others, too."""
    before = copy.deepcopy(SCHEMA)
    edit(SCHEMA)
    assert before == SCHEMA


def test_booleans_become_objects_that_mean_the_same() -> None:
    """``additionalProperties`` is a boolean for everybody, and stays."""
    edited = without_booleans(SCHEMA)
    assert edited["properties"]["anything"] == {}
    assert edited["properties"]["nothing"] == {"not": {}}
    assert edited["properties"]["lines"] == {"type": "array", "items": {}, "minItems": 5000}
    assert edited["properties"]["mode"] == {"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}, {}]}
    assert edited["properties"]["path"] == SCHEMA["properties"]["path"]
    assert edited["additionalProperties"] is False


def test_each_sub_schema_is_reached_once_and_booleans_are_left_alone() -> None:
    """Whatever the member is called that holds it; a parameter that is called like a member is a parameter."""
    inner = {"x": 1}
    schema = {
        "properties": {"items": inner, "not": True},
        "additionalProperties": inner,
        "unevaluatedItems": False,
        "anyOf": [inner, True],
        "$defs": {"a": inner},
        "if": inner,
        "default": inner,
    }
    edited = each(schema, lambda member: {**member, "seen": True})
    seen = {"x": 1, "seen": True}
    assert edited == {
        "properties": {"items": seen, "not": True},
        "additionalProperties": seen,
        "unevaluatedItems": False,
        "anyOf": [seen, True],
        "$defs": {"a": seen},
        "if": seen,
        "default": inner,
    }


def test_references_in_free_parameters_are_inlined() -> None:
    """Their definitions are gone, so no reference may stay."""
    schema = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/a"},
        "$defs": {"a": {"type": "string"}},
    }
    assert inlined(schema) == {"type": "object", "additionalProperties": {"type": "string"}}


def test_references_are_inlined_and_end_where_a_schema_holds_itself() -> None:
    edited = inlined(SCHEMA)
    assert "$defs" not in edited
    assert edited["properties"]["place"] == {
        "type": "object",
        "description": "The place.",
        "properties": {"name": {"type": "string"}, "inside": {}},
    }
    assert edited["properties"]["anything"] is True


@pytest.mark.parametrize("reference", ["#/$defs/Missing", "#/type", "https://schemas.example/x.json"])
def test_a_reference_that_leads_nowhere_allows_anything(reference: str) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": reference}}}
    assert inlined(schema)["properties"]["a"] == {}


@pytest.mark.timeout(5)
def test_a_schema_that_would_grow_without_bound_does_not() -> None:
    """Definitions that hold each other can stand for more than there is memory; what is too much allows anything."""
    doubling: dict[str, Any] = {
        f"d{i}": {"prefixItems": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)
    }
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": doubling}
    assert len(str(inlined(schema))) < 100_000
    mutual = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{j}"} for j in range(20)]} for i in range(20)}
    assert plain({"anyOf": [{"$ref": "#/$defs/d0"}], "$defs": mutual}) == {}


def test_the_plain_schema_has_what_guides_a_model() -> None:
    """Types, names, descriptions, enumerations: nothing that a grammar could choke on."""
    assert plain(SCHEMA) == {
        "type": "object",
        "required": ["path"],
        "properties": {
            "path": {"type": "string", "description": "Where."},
            "anything": {},
            "nothing": {},
            "place": plain(SCHEMA)["properties"]["place"],
            "lines": {"type": "array", "items": {}},
            "mode": {"enum": ["a", "b"]},
        },
    }
    place = plain(SCHEMA)["properties"]["place"]
    assert place["description"] == "The place."
    assert place["properties"]["inside"]["properties"]["name"] == {"type": "string"}
