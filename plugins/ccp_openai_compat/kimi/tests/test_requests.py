"""What Kimi is asked, for each generation of its models."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ccp_core.testing.conformance import CONVERSATION, TURN, ProviderConformance

OFF = {"type": "disabled"}
ONE_TOOL = {"type": "tool", "name": "Read"}
ANY_TOOL = {"type": "any"}
FUNCTION = {"type": "function", "function": {"name": "Read"}}


class Kimi(ProviderConformance):
    provider_id = "kimi"


build = Kimi().build


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("kimi-k2.6", {}, {"thinking": {"type": "enabled"}}),
        ("kimi-k2.6", {"thinking": OFF}, {"thinking": {"type": "disabled"}}),
        ("kimi-k2.7-code", {}, {}),
        ("kimi-k2.7-code", {"thinking": OFF}, {}),
        ("kimi-k2-thinking", {"thinking": OFF}, {}),
        ("kimi-k2-0905-preview", {}, {}),
        ("kimi-k3", {}, {}),
        ("kimi-k3", {"output_config": {"effort": "xhigh"}}, {"reasoning_effort": "high"}),
        ("kimi-k3.1-pro", {"thinking": OFF}, {"reasoning_effort": "low"}),
    ],
)
def test_thinking_is_switched_as_the_generation_knows_it(model: str, asked: Any, sent: Any) -> None:
    """A switch, nothing, or an effort; a refused value of any of them would be an error."""
    body = build({**TURN, **asked}, model=model).body
    usual = {"model", "messages", "stream", "stream_options", "max_tokens"}
    assert {name: value for name, value in body.items() if name not in usual} == sent


@pytest.mark.parametrize(
    ("model", "choice", "sent", "thinking"),
    [
        ("kimi-k2.6", ONE_TOOL, FUNCTION, {"type": "disabled"}),
        ("kimi-k2.6", ANY_TOOL, "required", {"type": "disabled"}),
        ("kimi-k2.6", {"type": "auto"}, "auto", {"type": "enabled"}),
        ("kimi-k2.7-code", ONE_TOOL, "auto", None),
        ("kimi-k3", ANY_TOOL, "required", None),
    ],
)
def test_a_call_is_demanded_only_where_it_can_be(model: str, choice: Any, sent: Any, thinking: Any) -> None:
    """K2 refuses that while it thinks: thinking stops for the request, or the choice is the model's."""
    body = build({**CONVERSATION, "tool_choice": choice}, model=model).body
    assert (body["tool_choice"], body.get("thinking")) == (sent, thinking)


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k2.7-code", "kimi-k3"])
@pytest.mark.parametrize("thinking", [TURN["thinking"], OFF])
def test_every_turn_with_calls_has_thinking(model: str, thinking: Any) -> None:
    """Its own, or something in its place; not where the model does not think."""
    own = {"type": "thinking", "thinking": "hm", "signature": "ccp1.kimi."}

    def turn(id: str, *thoughts: Any) -> list[Any]:
        call = {"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": "/a"}}
        result = {"type": "tool_result", "tool_use_id": id, "content": "x"}
        return [{"role": "assistant", "content": [*thoughts, call]}, {"role": "user", "content": [result]}]

    messages = [*TURN["messages"], *turn("Read:0", own), *turn("Read:1")]
    sent = build({**CONVERSATION, "thinking": thinking, "messages": messages}, model=model).body["messages"]
    turns = [message for message in sent if message["role"] == "assistant"]
    placeholder = None if (model, thinking) == ("kimi-k2.6", OFF) else " "
    assert [message.get("reasoning_content") for message in turns] == ["hm", placeholder]
    assert [message["tool_calls"][0]["id"] for message in turns] == ["Read:0", "Read:1"]


def test_values_that_the_models_fix_are_not_sent() -> None:
    """A temperature of the client's own would be refused."""
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    body = build({**CONVERSATION, "temperature": 0.3, "top_p": 0.9, "tool_choice": choice}).body
    assert not {"temperature", "top_p", "parallel_tool_calls"} & body.keys()


def test_names_that_stand_for_kimis_own_tools_are_changed() -> None:
    """A name with a dollar sign means one that Kimi runs itself."""
    tool = {"name": "$web_search", "input_schema": {"type": "object", "properties": {}}}
    [sent] = build({**TURN, "tools": [tool]}).body["tools"]
    assert "$" not in sent["function"]["name"]


STRING = {"type": "string"}
SCHEMAS: list[tuple[str, Any, Any]] = [
    ("an empty root is an object", {}, {"type": "object", "properties": {}}),
    (
        "a type goes into the branches of a union",
        {
            "type": "object",
            "properties": {
                "a": {"type": "string", "description": "d", "anyOf": [{"minLength": 1}, {"type": "null"}]},
                "b": {"type": "array", "items": {"type": "object", "oneOf": [{"required": ["x"]}]}},
            },
        },
        {
            "type": "object",
            "properties": {
                "a": {"description": "d", "anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]},
                "b": {"type": "array", "items": {"oneOf": [{"type": "object", "required": ["x"]}]}},
            },
        },
    ),
    (
        "a union at the root becomes one object",
        {
            "type": "object",
            "description": "One of two.",
            "properties": {"id": STRING},
            "required": ["id"],
            "anyOf": [
                {"properties": {"path": STRING, "mode": STRING}, "required": ["path", "mode"]},
                {"$ref": "#/$defs/link"},
            ],
            "$defs": {"link": {"properties": {"url": STRING, "mode": STRING}, "required": ["url", "mode"]}},
        },
        {
            "type": "object",
            "description": "One of two.",
            "properties": {"url": STRING, "mode": STRING, "path": STRING, "id": STRING},
            "required": ["mode", "id"],
            "$defs": {"link": {"properties": {"url": STRING, "mode": STRING}, "required": ["url", "mode"]}},
        },
    ),
    (
        "nothing stands beside a reference",
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a", "description": "d"}},
            "$defs": {"a": STRING},
        },
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": STRING}},
    ),
    (
        "tuples, and parameters of any kind",
        {"type": "object", "properties": {"a": {"type": "array", "items": [STRING, STRING]}, "b": True}},
        {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [STRING, STRING]}, "b": {}}},
    ),
    (
        "a root that stands for itself",
        {"$ref": "#"},
        {"type": "object", "properties": {}, "required": []},
    ),
    (
        "members that are no schema",
        {"anyOf": [{"properties": ["a"], "required": 1}], "properties": ["b"]},
        {"type": "object", "properties": {}, "required": []},
    ),
]


@pytest.mark.parametrize(("schema", "sent"), [s[1:] for s in SCHEMAS], ids=[s[0] for s in SCHEMAS])
def test_schemas_get_the_form_that_the_validator_takes(schema: Any, sent: Any) -> None:
    """One schema in another form would make every request fail; the client's own is not touched."""
    before = copy.deepcopy(schema)
    [tool] = build({**TURN, "tools": [{"name": "T", "input_schema": schema}]}).body["tools"]
    assert tool["function"]["parameters"] == sent
    assert schema == before
