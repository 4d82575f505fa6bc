"""Messages of the Messages API as chat messages."""

from __future__ import annotations

from typing import Any

import pytest

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWNvbg=="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWNvbg=="}}


def user(*content: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": content[0] if len(content) == 1 and isinstance(content[0], str) else list(content),
    }


def assistant(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def use(use_id: str = "c1", name: str = "Read", **value: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": use_id, "name": name, "input": value}


def result(content: Any, use_id: str = "c1", **members: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": use_id, "content": content, **members}


def thinking(value: str, signature: str = "ccp1.acme.") -> dict[str, Any]:
    return {"type": "thinking", "thinking": value, "signature": signature}


def called(use_id: str = "c1", arguments: str = "{}", name: str = "Read") -> dict[str, Any]:
    return {"id": use_id, "type": "function", "function": {"name": name, "arguments": arguments}}


HI = user("Hi")
HI_SENT = {"role": "user", "content": "Hi"}

CASES: list[tuple[str, list[Any], list[Any]]] = [
    ("a plain string", [HI], [HI_SENT]),
    ("text blocks become one string", [user(text("a"), text("b"))], [{"role": "user", "content": "a\n\nb"}]),
    (
        "neighbouring user messages become one",
        [HI, user(text("b"))],
        [{"role": "user", "content": "Hi\n\nb"}],
    ),
    (
        "a system message stays in its place, as a reminder",
        [HI, {"role": "system", "content": "Note", "output_config": {"effort": "low"}}],
        [{"role": "user", "content": "Hi\n\n<system-reminder>\nNote\n</system-reminder>"}],
    ),
    (
        "a call and its result",
        [HI, assistant(text("I look"), use(file_path="/a")), user(result("content"))],
        [
            HI_SENT,
            {
                "role": "assistant",
                "content": "I look",
                "tool_calls": [called(arguments='{"file_path":"/a"}')],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "content"},
        ],
    ),
    (
        "results come first and in the order of the calls, then the user's words",
        [HI, assistant(use("c1"), use("c2")), user(text("go on"), result("2", "c2"), result("1", "c1"))],
        [
            HI_SENT,
            {"role": "assistant", "content": None, "tool_calls": [called("c1"), called("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            {"role": "tool", "tool_call_id": "c2", "content": "2"},
            {"role": "user", "content": "go on"},
        ],
    ),
    (
        "a missing result is made up",
        [HI, assistant(use()), user("stop")],
        [
            HI_SENT,
            {"role": "assistant", "content": None, "tool_calls": [called()]},
            {"role": "tool", "tool_call_id": "c1", "content": "[no result: interrupted]"},
            {"role": "user", "content": "stop"},
        ],
    ),
    (
        "a result without a call becomes the user's text",
        [user(result("lost", "c9"))],
        [{"role": "user", "content": "[result of an earlier tool call]\nlost"}],
    ),
    (
        "a failed call is marked, an empty result says so, a list is joined, a reference is told",
        [
            HI,
            assistant(use("c1"), use("c2"), use("c3"), use("c4")),
            user(
                result("bad", "c1", is_error=True),
                result("", "c2", is_error=False),
                result([text("x"), text("y")], "c3"),
                result([{"type": "tool_reference", "tool_name": "Grep"}], "c4"),
            ),
        ],
        [
            HI_SENT,
            {"role": "assistant", "content": None, "tool_calls": [called(f"c{n}") for n in (1, 2, 3, 4)]},
            {"role": "tool", "tool_call_id": "c1", "content": "Error: bad"},
            {"role": "tool", "tool_call_id": "c2", "content": "(no output)"},
            {"role": "tool", "tool_call_id": "c3", "content": "x\ny"},
            {
                "role": "tool",
                "tool_call_id": "c4",
                "content": "The tool Grep is loaded and can be called now.",
            },
        ],
    ),
    (
        "input that the client could not parse is an object again",
        [HI, assistant(use(__unparsedToolInput={"raw": '{"a', "len": 3})), user(result("bad"))],
        [
            HI_SENT,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [called(arguments='{"unparsed_arguments":"{\\"a"}')],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "bad"},
        ],
    ),
    (
        "images are parts beside the text",
        [user(text("see"), PNG, {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}})],
        [
            {
                "role": "user",
                "content": [
                    text("see"),
                    PNG_PART,
                    {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
                ],
            }
        ],
    ),
    (
        "images of results follow the last result",
        [HI, assistant(use("c1"), use("c2")), user(result([PNG], "c1"), result("2", "c2"), text("well?"))],
        [
            HI_SENT,
            {"role": "assistant", "content": None, "tool_calls": [called("c1"), called("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "[image below]"},
            {"role": "tool", "tool_call_id": "c2", "content": "2"},
            {"role": "user", "content": [text("[from the tool results above]"), PNG_PART, text("well?")]},
        ],
    ),
    (
        "an image whose source is unknown is named",
        [user({"type": "image", "source": {"type": "file", "file_id": "f"}})],
        [{"role": "user", "content": [text("[image omitted: this model takes no images]")]}],
    ),
    (
        "text documents are text, PDF documents are named",
        [user({"type": "document", "source": {"type": "text", "data": "words"}}, PDF)],
        [
            {
                "role": "user",
                "content": "words\n\n[document (PDF) omitted: this model cannot open it;"
                " read its text with a tool instead]",
            }
        ],
    ),
    (
        "server tools of the history become words",
        [
            HI,
            assistant(
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s",
                    "content": [{"type": "web_search_result", "title": "T", "url": "http://t"}],
                },
                text("found"),
            ),
            user("ok"),
        ],
        [
            HI_SENT,
            {
                "role": "assistant",
                "content": '[web_search was called with {"query":"q"}]\n\n[results of web_search]\n- T: http://t\n\nfound',
            },
            {"role": "user", "content": "ok"},
        ],
    ),
    (
        "unknown blocks do no harm",
        [user(text("a"), {"type": "hologram", "x": 1})],
        [{"role": "user", "content": "a\n\n[hologram omitted]"}],
    ),
    (
        "a turn of thinking alone is no empty message",
        [HI, assistant(thinking("hm")), user("go on")],
        [HI_SENT, {"role": "assistant", "content": "(no answer)"}, {"role": "user", "content": "go on"}],
    ),
]


@pytest.mark.parametrize(("messages", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_messages(chat: Any, messages: list[Any], expected: list[Any]) -> None:
    """Each kind of content has its form."""
    assert chat.messages(*messages) == expected


def test_the_system_prompt_comes_first_without_the_billing_header(chat: Any) -> None:
    """The header differs between conversations and would spoil every prompt cache."""
    system = [
        text("x-anthropic-billing-header: cc_version=2.1;"),
        text("You are"),
        {**text("helpful"), "cache_control": {"type": "ephemeral"}},
    ]
    assert chat.messages(HI, system=system)[0] == {"role": "system", "content": "You are\n\nhelpful"}
    assert chat.messages(HI, system="You are")[0] == {"role": "system", "content": "You are"}


def test_cache_marks_stay_where_a_vendor_documents_them(chat: Any, chat_with: Any) -> None:
    """On the system prompt, the user's words and results, as parts; elsewhere they are dropped."""
    mark = {"cache_control": {"type": "ephemeral"}}
    system = [text("a"), {**text("b"), **mark}]
    history = [user("Hi"), assistant(use()), user(result("x", **mark), text("c"), {**text("d"), **mark})]
    sent = chat_with(cache_control=True).messages(*history, system=system)
    assert sent[0]["content"] == [text("a"), {**text("b"), **mark}]
    assert sent[3]["content"] == [{**text("x"), **mark}]
    assert sent[4]["content"] == [text("c"), {**text("d"), **mark}]
    assert "cache_control" not in str(chat.messages(*history, system=system))


def test_a_loaded_tool_is_called_what_the_model_can_call_it(chat: Any) -> None:
    """The name that chat APIs take, where the client's is too long for them."""
    name = "mcp__server__" + "a_very_long_name_" * 4
    history = [user("Hi"), assistant(use()), user(result([{"type": "tool_reference", "tool_name": name}]))]
    built = chat.build({"messages": history, "tools": [{"name": name, "input_schema": {"type": "object"}}]})
    [tool] = built.body["tools"]
    assert built.body["messages"][-1]["content"].startswith(f"The tool {tool['function']['name']} is loaded")


def test_a_model_that_takes_no_images_gets_a_placeholder(chat: Any) -> None:
    built = chat.build({"messages": [user(text("see"), PNG)]}, vision=False)
    assert built.body["messages"][-1]["content"] == "see\n\n[image omitted: this model takes no images]"


def test_pdf_documents_go_as_files_where_they_are_taken(chat_with: Any) -> None:
    """In the user's words and in a result."""
    part = {
        "type": "file",
        "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
    }
    chat = chat_with(pdf=True)
    assert chat.messages(user(text("a"), PDF))[-1]["content"] == [text("a"), part]
    sent = chat.messages(HI, assistant(use()), user(result([text("read"), PDF])))
    assert sent[-2]["content"] == "read\n[document below]"
    assert sent[-1]["content"] == [text("[from the tool results above]"), part]
    refused = chat.build({"messages": [user(PDF)]}, omit=frozenset({"messages.content.file"}))
    assert "PDF" in refused.body["messages"][-1]["content"]


@pytest.mark.parametrize("empty", [None, "", " "])
def test_a_turn_with_calls_alone_has_the_content_that_the_provider_wants(chat_with: Any, empty: Any) -> None:
    """Null, or what it insists on."""
    sent = chat_with(empty_content=empty).messages(HI, assistant(use()), user(result("x")))
    assert sent[1]["content"] == empty


def test_long_call_ids_are_replaced_alike_in_call_and_result(chat: Any, chat_with: Any) -> None:
    """Other providers' ids may be too long for this one."""
    history = [HI, assistant(use("x" * 300)), user(result("y", "x" * 300))]
    sent = chat.messages(*history)
    short = sent[1]["tool_calls"][0]["id"]
    assert len(short) <= 40
    assert sent[2]["tool_call_id"] == short
    assert chat_with(call_id_limit=None).messages(*history)[2]["tool_call_id"] == "x" * 300


REPLAY: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("the default keeps it on turns with calls", {}, "ccp1.acme.", {"reasoning_content": "hm"}),
    ("another field", {"replay": "reasoning"}, "ccp1.acme.", {"reasoning": "hm"}),
    ("dropped", {"replay": "drop"}, "ccp1.acme.", {}),
    (
        "as tags in the text",
        {"replay": "think_tags"},
        "ccp1.acme.",
        {"content": "<think>\nhm\n</think>\n\nI look"},
    ),
    ("in the field in which it came", {"replay": "as_received"}, "ccp1.acme.reasoning", {"reasoning": "hm"}),
    (
        "in the usual field where nobody knows",
        {"replay": "as_received"},
        "ccp1.acme.",
        {"reasoning_content": "hm"},
    ),
    ("unsigned thinking is taken for our own", {}, "", {"reasoning_content": "hm"}),
    ("another provider's is left out", {}, "ccp1.other.sig", {}),
    ("a foreign signature's is left out", {}, "EqQBCg", {}),
    (
        "another provider's is better than a placeholder",
        {"replay_placeholder": " "},
        "ccp1.other.sig",
        {"reasoning_content": "hm"},
    ),
]


@pytest.mark.parametrize(
    ("facts", "signature", "expected"), [c[1:] for c in REPLAY], ids=[c[0] for c in REPLAY]
)
def test_thinking_of_earlier_turns(chat_with: Any, facts: Any, signature: str, expected: Any) -> None:
    """Thinking goes back as the provider wants it, if it is its own."""
    history = [HI, assistant(thinking("hm", signature), text("I look"), use()), user(result("x"))]
    sent = chat_with(**facts).messages(*history, thinking={"type": "adaptive"})[1]
    plain = {"role": "assistant", "content": "I look", "tool_calls": [called()]}
    assert sent == {**plain, **expected}


def test_thinking_of_turns_without_calls(chat: Any, chat_with: Any) -> None:
    """It is kept only where the provider wants all of it; redacted thinking never is."""
    history = [
        HI,
        assistant(thinking("hm"), {"type": "redacted_thinking", "data": "x"}, text("a")),
        user("b"),
    ]
    assert "reasoning_content" not in chat.messages(*history)[1]
    assert chat_with(replay_turns="all").messages(*history)[1]["reasoning_content"] == "hm"


def test_a_placeholder_for_missing_thinking(chat_with: Any) -> None:
    """Only on turns with calls, and only while the model is to think."""
    chat = chat_with(replay_placeholder=" ")
    history = [HI, assistant(text("a")), user("b"), assistant(use()), user(result("x"))]
    on = chat.messages(*history, thinking={"type": "enabled", "budget_tokens": 5})
    assert [message.get("reasoning_content") for message in on] == [None, None, None, " ", None]
    off = chat.messages(*history, thinking={"type": "disabled"})
    assert all("reasoning_content" not in message for message in off)
    always = chat_with(replay_placeholder=" ", always_thinks=True)
    assert always.messages(*history, thinking={"type": "disabled"}) == on


def test_thinking_that_is_no_text_stays_away(chat: Any) -> None:
    odd = {"type": "thinking", "thinking": {"a": 1}, "signature": "ccp1.acme."}
    [_, message, _] = chat.messages(HI, assistant(odd, use()), user(result("x")))
    assert message == {"role": "assistant", "content": None, "tool_calls": [called()]}


def test_thinking_that_was_refused_stays_away(chat: Any) -> None:
    """After a 400 that named the field."""
    history = [HI, assistant(thinking("hm"), use()), user(result("x"))]
    body = chat.build({"messages": history}, omit=frozenset({"messages.reasoning_content"})).body
    assert body["messages"][1] == {"role": "assistant", "content": None, "tool_calls": [called()]}
