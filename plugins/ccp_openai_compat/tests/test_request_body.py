"""The other members of a chat request, and what all of them have in common."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import orjson
import pytest
from ccp_openai_compat import Parameters, effort_switch, nearest_effort, template_switch, type_switch
from hypothesis import given, settings
from hypothesis import strategies as st

ADAPTIVE = {"thinking": {"type": "adaptive"}}


def test_the_plain_request(chat: Any) -> None:
    """Model of the route, messages, length, and a stream with counts: nothing that was not asked for."""
    built = chat.build({"messages": [{"role": "user", "content": "Hi"}], "tools": []})
    assert built.path == "/chat/completions"
    assert built.body == {
        "model": "org/model",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 1000,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_tools_become_functions(chat: Any, read_tool: Any) -> None:
    """The schema goes as it is, the same object; deferred tools are ordinary ones."""
    tools = [
        read_tool,
        {"name": "Bare"},
        {**read_tool, "name": "Late", "defer_loading": True, "type": "custom"},
    ]
    sent = chat.build({"tools": tools}).body["tools"]
    assert sent[0]["function"] == {
        "name": "Read",
        "description": "Reads a file.",
        "parameters": read_tool["input_schema"],
    }
    assert sent[0]["function"]["parameters"] is read_tool["input_schema"]
    assert sent[1] == {
        "type": "function",
        "function": {"name": "Bare", "parameters": {"type": "object", "properties": {}}},
    }
    assert sent[2]["function"]["name"] == "Late"


@pytest.mark.parametrize(
    ("earlier", "schema"),
    [
        ({"default": 1}, {"default": True}),
        ({"enum": [0, 1]}, {"enum": [False, True]}),
        ({"minimum": 0}, {"minimum": 0.0}),
        ({"title": "a", "default": 1}, {"default": 1, "title": "a"}),
    ],
    ids=["true", "true in a list", "with a fraction", "in another order"],
)
def test_a_session_gets_its_own_tools_and_no_similar_ones(
    chat: Any, read_tool: Any, earlier: Any, schema: Any
) -> None:
    """What another session has declared may be equal in Python, and yet not the same JSON."""
    chat.build({"tools": [{**read_tool, "input_schema": earlier}]})
    sent = chat.build({"tools": [{**read_tool, "input_schema": schema}]}).body["tools"]
    assert orjson.dumps(sent[0]["function"]["parameters"]) == orjson.dumps({"type": "object", **schema})


def test_the_tools_of_a_large_request_are_let_go_of(chat: Any) -> None:
    """A few of them would fill the memory of a small machine."""

    class Tool(dict[str, Any]):
        """A dict whose end can be seen."""

    tool = Tool(name="Read", description="." * 2_000_000)
    seen = weakref.ref(tool)
    chat.build({"tools": [tool]})
    del tool
    gc.collect()
    assert seen() is None


def test_server_tools_and_second_tools_of_a_name_are_left_out(chat: Any, read_tool: Any) -> None:
    """Upstreams can run none of the first and refuse the second."""
    server = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    built = chat.build(
        {"tools": [server, read_tool, read_tool], "tool_choice": {"type": "tool", "name": "web_search"}}
    )
    assert [tool["function"]["name"] for tool in built.body["tools"]] == ["Read"]
    assert "tool_choice" not in built.body
    assert any("server tools" in note for note in built.notes)
    alone = chat.build({"tools": [server], "tool_choice": {"type": "any"}}).body
    assert not alone.keys() & {"tools", "tool_choice"}


def test_a_tool_whose_type_is_null_is_the_clients_own(chat: Any, read_tool: Any) -> None:
    """The API calls the member optional and nullable."""
    assert (
        chat.build({"tools": [{**read_tool, "type": None}]}).body == chat.build({"tools": [read_tool]}).body
    )


def test_aliases_are_distinct_and_stable(chat: Any) -> None:
    """A tool has the same alias in every request, in its declaration, the choice and the history."""
    names = [f"mcp__{'x' * 70}_{n}" for n in (1, 2)] + ["a.b", "a b"]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": names[1], "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
    ]
    body = chat.build(
        {"tools": tools, "messages": history, "tool_choice": {"type": "tool", "name": names[1]}}
    ).body
    aliases = [tool["function"]["name"] for tool in body["tools"]]
    assert len(set(aliases)) == 4
    assert body["tool_choice"]["function"]["name"] == aliases[1]
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == aliases[1]
    assert [t["function"]["name"] for t in chat.build({"tools": tools[::-1]}).body["tools"]] == aliases[::-1]


FUNCTION = {"type": "function", "function": {"name": "Read"}}
TOOL, ANY = {"type": "tool", "name": "Read"}, {"type": "any"}


@pytest.mark.parametrize(
    ("facts", "choice", "sent"),
    [
        ({}, {"type": "auto"}, "auto"),
        ({}, {"type": "none"}, "none"),
        ({}, ANY, "required"),
        ({}, TOOL, FUNCTION),
        ({}, {"type": "tool", "name": "Unknown"}, None),
        ({}, {"type": "other"}, None),
        ({"tool_choice_required": False}, ANY, "auto"),
        ({"tool_choice_required": False}, TOOL, FUNCTION),
        ({"forced_tool_choice": "never"}, TOOL, "auto"),
        ({"forced_tool_choice": "without_thinking"}, TOOL, "auto"),
        ({"forced_tool_choice": "without_thinking"}, ANY, "auto"),
    ],
)
def test_tool_choice(chat_with: Any, read_tool: Any, facts: Any, choice: Any, sent: Any) -> None:
    """In the words of the chat protocol, as strong as the provider allows while thinking."""
    body = chat_with(**facts).build({"tools": [read_tool], "tool_choice": choice, **ADAPTIVE}).body
    assert body.get("tool_choice") == sent


def test_where_no_tool_can_be_named_it_is_offered_alone(chat_with: Any, read_tool: Any) -> None:
    """Some servers refuse such a choice, or take it for ``auto``; a tool that is not there is no choice at all."""
    chat = chat_with(named_tool_choice=False)
    tools = [{"name": "Bash", "input_schema": {"type": "object"}}, read_tool]
    body = chat.build({"tools": tools, "tool_choice": TOOL}).body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["Read"]
    assert body["tool_choice"] == "required"
    body = chat.build({"tools": tools, "tool_choice": {"type": "tool", "name": "gone"}}).body
    assert len(body["tools"]) == 2
    assert "tool_choice" not in body


def test_a_forced_choice_without_thinking(chat_with: Any, read_tool: Any) -> None:
    """Where only thinking forbids it."""
    chat = chat_with(forced_tool_choice="without_thinking")
    assert chat.build({"tools": [read_tool], "tool_choice": ANY}).body["tool_choice"] == "required"


def test_parallel_calls(chat: Any, read_tool: Any) -> None:
    """Forbidden only where the client forbids them, and there are tools."""
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert chat.build({"tools": [read_tool], "tool_choice": choice}).body["parallel_tool_calls"] is False
    assert (
        "parallel_tool_calls" not in chat.build({"tools": [read_tool], "tool_choice": {"type": "auto"}}).body
    )
    assert "parallel_tool_calls" not in chat.build({"tools": [], "tool_choice": choice}).body


def test_sampling_and_stop(chat: Any, chat_with: Any) -> None:
    """Temperature and top_p as given, top_k where it is taken, at most four stop sequences."""
    asked = {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": list("abcdef")}
    body = chat.build(asked).body
    assert (body["temperature"], body["top_p"], body["stop"]) == (0.5, 0.9, list("abcd"))
    assert "top_k" not in body
    body = chat_with(sampling=frozenset({"top_k"}), stop_limit=16).build(asked).body
    assert body["top_k"] == 5
    assert len(body["stop"]) == 6
    assert not body.keys() & {"temperature", "top_p"}


def test_the_answers_length(chat: Any, chat_with: Any) -> None:
    """The smaller of what is asked and what is allowed, under the provider's name for it."""
    lowered, same = (chat.build({"max_tokens": asked}, max_tokens=8192) for asked in (64000, 10))
    assert [built.body["max_tokens"] for built in (lowered, same)] == [8192, 10]
    assert lowered.notes == ("max_tokens was lowered to what is possible here",)
    assert not same.notes
    newer = chat_with(max_tokens_field="max_completion_tokens").build({"max_tokens": 10}).body
    assert newer["max_completion_tokens"] == 10
    assert "max_tokens" not in newer
    learned = chat.build({"max_tokens": 10}, omit=frozenset({"max_tokens"})).body
    assert learned["max_completion_tokens"] == 10
    assert "max_tokens" not in learned


def test_structured_output(chat: Any, chat_with: Any) -> None:
    """A response format where it works, otherwise an instruction at the end of what the user said."""
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    asked = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    native = chat_with(response_format=True)
    assert native.build(asked).body["response_format"]["json_schema"]["schema"] == schema
    for body in (chat.build(asked).body, native.build(asked, omit=frozenset({"response_format"})).body):
        assert "response_format" not in body
        assert body["messages"][-1]["content"].startswith("Hi\n\n")
        assert orjson.dumps(schema).decode() in body["messages"][-1]["content"]


def test_what_is_refused_or_fixed_is_left_out_or_replaced(chat_with: Any) -> None:
    """By dotted paths; what is not there is not added."""
    chat = chat_with(
        omit=frozenset({"stream_options"}),
        extra={"service_tier": "auto", "chat_template_kwargs": {"a": 1, "b": 2}},
    )
    built = chat.build(
        {"temperature": 0.2},
        omit=frozenset({"chat_template_kwargs.a", "absent", "absent.too", "model.x"}),
        replace={"temperature": 1, "top_p": 1, "chat_template_kwargs.b": 3},
    )
    assert "stream_options" not in built.body
    assert built.body["chat_template_kwargs"] == {"b": 3}
    assert built.body["temperature"] == 1
    assert "top_p" not in built.body
    assert built.body["service_tier"] == "auto"


def test_content_that_has_no_form_here_is_noted_by_its_kind(
    chat: Any, chat_with: Any, read_tool: Any
) -> None:
    """The notes are what ``ccp explain`` tells; they hold nothing of the content."""
    history = [
        {"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": "secret"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "redacted_thinking", "data": "secret"},
                {"type": "thinking", "thinking": "secret", "signature": "secret"},
                {"type": "tool_use", "id": "t", "name": "Read", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
    ]
    renaming = chat_with(parameters=lambda schema: Parameters(schema, to_wire=dict, to_client=dict))
    built = renaming.build({"messages": history, "tools": [read_tool]})
    assert set(built.notes) == {
        "document blocks became text",
        "redacted_thinking blocks were left out",
        "thinking that is not of this provider was left out",
        "parameters of tools got another form",
    }
    assert not chat.build({"tools": [read_tool]}).notes


def test_unknown_members_are_ignored_and_noted_by_name(chat: Any) -> None:
    """New client versions bring new fields; notes hold names and nothing of the content."""
    built = chat.build(
        {"betas": ["secret-beta"], "metadata": {"user_id": "secret-user"}, "surprise": {"x": "secret"}}
    )
    assert not built.body.keys() & {"betas", "metadata", "surprise"}
    notes = " ".join(built.notes)
    assert "betas, metadata, surprise" in notes
    assert "secret" not in notes
    assert "secret" not in repr(built)


WISHES = [
    ({"thinking": {"type": "disabled"}}, {}, False),
    ({}, {}, False),
    (ADAPTIVE, {}, True),
    ({"thinking": {"type": "enabled", "budget_tokens": 5}}, {}, True),
    ({"thinking": {"type": "something_new"}}, {}, True),
    (ADAPTIVE, {"thinking": False}, False),
]


@pytest.mark.parametrize(("asked", "options", "on"), WISHES)
def test_whether_the_model_is_to_think(chat_with: Any, asked: Any, options: Any, on: bool) -> None:
    """As the client asks, unless thinking is off for its tier; the Messages API does not think unasked."""
    assert chat_with(reasoning=type_switch).build(asked, **options).body["thinking"] == {
        "type": "enabled" if on else "disabled"
    }


def test_effort(chat_with: Any) -> None:
    """The nearest word that the provider offers, its word for off, and nothing when nothing is said."""
    chat = chat_with(reasoning=effort_switch("low", "medium", "high"))

    def sent(effort: str | None, kind: str = "adaptive") -> Any:
        config = {} if effort is None else {"output_config": {"effort": effort}}
        return chat.build({"thinking": {"type": kind}, **config}).body.get("reasoning_effort")

    assert [sent(effort) for effort in ("low", "high", "xhigh", "max", None, "odd")] == [
        "low",
        "high",
        "high",
        "high",
        None,
        None,
    ]
    assert sent("high", "disabled") == "none"
    assert nearest_effort("low", ("high", "max")) == "high"
    never_off = chat_with(reasoning=effort_switch("low", off=None))
    assert "reasoning_effort" not in never_off.build({"thinking": {"type": "disabled"}}).body


def test_template_switches(chat_with: Any) -> None:
    """Booleans for the chat template, and constants beside them."""
    chat = chat_with(reasoning=template_switch("thinking", "enable_thinking", clear_thinking=False))
    assert chat.build(ADAPTIVE).body["chat_template_kwargs"] == {
        "thinking": True,
        "enable_thinking": True,
        "clear_thinking": False,
    }


def test_adapted_parameters(chat_with: Any, read_tool: Any) -> None:
    """A session's schemas are adapted once, and the client's own are left alone."""
    seen: list[Any] = []

    def adapt(schema: Any) -> Any:
        seen.append(schema)
        return {name: value for name, value in schema.items() if name != "additionalProperties"}

    chat = chat_with(parameters=adapt)
    before, tools = copy.deepcopy(read_tool), [read_tool]
    for _ in range(2):
        for _ in range(20):
            chat.build({"tools": []})  # side requests, which have none
        sent = chat.build({"tools": tools}).body["tools"][0]["function"]["parameters"]
        assert sent == {k: v for k, v in read_tool["input_schema"].items() if k != "additionalProperties"}
    assert len(seen) == 1
    assert read_tool == before


def test_parameters_with_other_names_upstream(chat_with: Any, read_tool: Any, to_wire: Any) -> None:
    """They are renamed in the history and taken back in answers, calls written as text included."""

    def rename(value: Any, old: str, new: str) -> Any:
        return {new if name == old else name: member for name, member in value.items()}

    def adapt(schema: Any) -> Parameters:
        adapted = {
            **schema,
            "properties": rename(schema["properties"], "file_path", "path"),
            "required": ["path"],
        }
        return Parameters(
            adapted,
            lambda value: rename(value, "file_path", "path"),
            lambda value: rename(value, "path", "file_path"),
        )

    chat = chat_with(parameters=adapt)
    history = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c", "name": "Read", "input": {"file_path": "/a"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
    ]
    stream = chat.stream(messages=history, tools=[read_tool])
    sent = stream.context.upstream_request.body
    assert sent["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"path":"/a"}'
    assert "path" in sent["tools"][0]["function"]["parameters"]["properties"]
    delta = {
        "index": 0,
        "id": "d",
        "function": {"name": "Read", "arguments": '{"path": "/b", "limit": null}'},
    }
    written = '<tool_call>{"name": "Read", "arguments": {"path": "/c"}}</tool_call>'
    stream.read(to_wire({"content": written}, {"tool_calls": [delta]}, "tool_calls", "[DONE]"))
    assert [use["input"] for use in stream.end().tool_uses] == [{"file_path": "/c"}, {"file_path": "/b"}]


BLOCKS = st.one_of(
    st.builds(lambda t: {"type": "text", "text": t}, st.text(max_size=5)),
    st.builds(lambda t: {"type": "thinking", "thinking": t, "signature": "ccp1.acme."}, st.text(max_size=5)),
    st.builds(
        lambda n: {"type": "tool_use", "id": f"c{n}", "name": "Read", "input": {"file_path": "/a"}},
        st.integers(0, 3),
    ),
    st.builds(
        lambda n, c, e: {"type": "tool_result", "tool_use_id": f"c{n}", "content": c, "is_error": e},
        st.integers(0, 3),
        st.one_of(st.text(max_size=5), st.just([{"type": "text", "text": "x"}, {"type": "tool_reference"}])),
        st.booleans(),
    ),
    st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aA=="}}),
    st.just(
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aA=="}}
    ),
    st.just({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system"]),
        st.one_of(st.text(max_size=5), st.lists(BLOCKS, max_size=4)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(messages=MESSAGES)
def test_any_history_becomes_one_that_every_server_accepts(chat: Any, messages: list[Any]) -> None:
    """Each call is answered right behind it, nothing is empty, and the client's request is not touched."""
    body = {"messages": messages, **ADAPTIVE}
    before = copy.deepcopy(body)
    sent = chat.build(body).body["messages"]
    assert body == before
    waiting: list[str] = []
    for message in sent:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            assert message["content"]
            continue
        assert not waiting
        assert message["content"] or message.get("tool_calls")
        waiting = [call["id"] for call in message.get("tool_calls", ())]
    assert not waiting
    assert sent[-1]["role"] in ("user", "tool", "assistant")


@settings(max_examples=100, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.lists(BLOCKS, min_size=1, max_size=3), st.text("ab", min_size=1, max_size=3)), max_size=5
    )
)
def test_a_later_request_begins_with_the_earlier_one(chat: Any, read_tool: Any, turns: list[Any]) -> None:
    """The messages of one request are the beginning of the next one's, so that prompt caches hit."""
    messages: list[Any] = [{"role": "user", "content": "begin"}]
    system = [{"type": "text", "text": "x-anthropic-billing-header: 1"}, {"type": "text", "text": "Be good"}]
    before: list[bytes] = []
    for answer, question in turns:
        # as the client writes it: each call is answered in the next message
        calls = [block["id"] for block in answer if block["type"] == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": use_id, "content": "r"} for use_id in dict.fromkeys(calls)
        ]
        messages = [
            *messages,
            {"role": "assistant", "content": [{"type": "text", "text": "Well."}, *answer]},
            {"role": "user", "content": [*results, {"type": "text", "text": question}]},
        ]
        sent = chat.build({"messages": messages, "system": system, "tools": [read_tool], **ADAPTIVE}).body
        written = [orjson.dumps(message) for message in sent["messages"]]
        assert written[: len(before)] == before
        before = written
