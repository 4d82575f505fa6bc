"""What is llama.cpp's own: schemas for its grammar, thinking in the template, and its counter of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_core.testing import Answer, chat_text, count_tokens, load_fixture, messages_text
from ccp_core.testing.conformance import CONVERSATION, ProviderConformance
from ccp_core.testing.proxy_app import TURN, one_provider

BOTH = pytest.mark.parametrize("transport", ["anthropic", "openai"])
TOOL = {
    "name": "Count",
    "input_schema": {
        "type": "object",
        "properties": {
            "words": {"type": "array", "items": True, "minItems": 5000},
            "mark": {"type": ["string", "null"], "pattern": "^.{3000}$"},
        },
    },
}


class Doors(ProviderConformance):
    """The doors of the kit, without its tests."""

    __test__ = False
    provider_id = "llamacpp"


def body(request: dict[str, Any], transport: str = "anthropic") -> dict[str, Any]:
    return Doors().build(request, transport=transport).body


def fixture(name: str) -> Answer:
    return load_fixture(Doors.folder() / "fixtures" / f"{name}.json").answer()


def text_over(transport: str, text: str) -> Answer:
    return messages_text(text) if transport == "anthropic" else chat_text(text)


def schema_of(sent: dict[str, Any]) -> Any:
    (tool,) = sent["tools"]
    return tool["function"]["parameters"] if "function" in tool else tool["input_schema"]


@BOTH
def test_a_schema_has_no_booleans(transport: str) -> None:
    """The server refuses them."""
    words = schema_of(body({**TURN, "tools": [TOOL]}, transport))["properties"]["words"]
    assert words == {"type": "array", "items": {}, "minItems": 5000}


@BOTH
@pytest.mark.parametrize("refusal", ["error_400_invalid_request_grammar", "error_500_invalid_request_schema"])
async def test_a_schema_without_a_grammar_is_made_plain(
    transport: str, refusal: str, fake_upstream, start_proxy
) -> None:
    """At once, and then in every request."""
    hello = text_over(transport, "Hello")
    upstream = await fake_upstream([fixture(refusal), hello, hello])
    proxy = await start_proxy(one_provider("llamacpp", upstream.base_url, provider={"transport": transport}))
    for _ in range(2):
        assert (await proxy.post({**TURN, "tools": [TOOL]})).status == 200
    first, *others = (schema_of(call.json) for call in upstream.model_calls)
    assert first["properties"]["words"]["minItems"] == 5000
    plain = {"words": {"type": "array", "items": {}}, "mark": {"type": "string"}}
    assert [other["properties"] for other in others] == [plain, plain]


def test_a_choice_that_the_server_does_not_hear_is_made_by_what_is_offered() -> None:
    """It forgets the name of a forced tool, and that none may be used."""
    forced = body({**CONVERSATION, "tool_choice": {"type": "tool", "name": "Read"}})
    assert [tool["name"] for tool in forced["tools"]] == ["Read"]
    assert forced["tool_choice"] == {"type": "any"}
    assert "tools" not in body({**CONVERSATION, "tool_choice": {"type": "none"}})
    named = body({**CONVERSATION, "tool_choice": {"type": "tool", "name": "Read"}}, "openai")
    assert [tool["function"]["name"] for tool in named["tools"]] == ["Read"]
    assert named["tool_choice"] == "required"


@pytest.mark.parametrize(
    ("thinking", "messages", "chat"),
    [
        (
            {"type": "enabled", "budget_tokens": 2048},
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            {"chat_template_kwargs": {"enable_thinking": True}, "thinking_budget_tokens": 2048},
        ),
        (
            {"type": "adaptive"},
            {"thinking": {"type": "adaptive"}},
            {"chat_template_kwargs": {"enable_thinking": True}},
        ),
        (
            {"type": "disabled"},
            {"chat_template_kwargs": {"enable_thinking": False}},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
        (
            None,
            {"chat_template_kwargs": {"enable_thinking": False}},
            {"chat_template_kwargs": {"enable_thinking": False}},
        ),
    ],
)
def test_thinking_is_switched_in_the_template(
    thinking: dict[str, Any] | None, messages: dict[str, Any], chat: dict[str, Any]
) -> None:
    """``disabled`` alone is ignored, and so is silence."""
    names = {"thinking", "chat_template_kwargs", "thinking_budget_tokens"}
    for transport, wanted in (("anthropic", messages), ("openai", chat)):
        sent = body({**TURN, "max_tokens": 4000, "thinking": thinking}, transport)
        assert {name: sent[name] for name in names & sent.keys()} == wanted


async def test_the_server_counts_tokens_itself(fake_upstream, start_proxy) -> None:
    """Of the request that it would get, without what is not its business."""
    upstream = await fake_upstream(routes={"POST /messages/count_tokens": count_tokens(205)})
    proxy = await start_proxy(one_provider("llamacpp", upstream.url))
    reply = await proxy.post(CONVERSATION, "/v1/messages/count_tokens")
    assert reply.json == {"input_tokens": 205}
    (call,) = (request for request in upstream.requests if request.method == "POST")
    assert call.path == "/v1/messages/count_tokens"
    assert not {"max_tokens", "stream"} & call.json.keys()


async def test_an_overflow_has_the_words_that_make_the_client_compact(fake_upstream, start_proxy) -> None:
    upstream = await fake_upstream(fixture("error_400_overflow"))
    proxy = await start_proxy(one_provider("llamacpp", upstream.base_url))
    reply = await proxy.post(TURN)
    assert reply.error["message"] == "prompt is too long: 4028 tokens > 2048 maximum"


async def test_a_model_that_is_being_loaded_is_waited_for(fake_upstream, start_proxy) -> None:
    upstream = await fake_upstream([fixture("error_503_overloaded_loading"), messages_text("Hello")])
    proxy = await start_proxy(one_provider("llamacpp", upstream.base_url))
    assert (await proxy.post(TURN)).json["content"][0]["text"] == "Hello"


async def test_a_template_that_raises_is_not_asked_again(fake_upstream, start_proxy) -> None:
    """It would raise again, however long one waits."""
    error = {
        "code": 500,
        "message": "While executing CallExpression at line 1: roles",
        "type": "server_error",
    }
    upstream = await fake_upstream(Answer.json({"error": error}, 500))
    proxy = await start_proxy(one_provider("llamacpp", upstream.base_url))
    assert (await proxy.post(TURN)).status == 400
    assert len(upstream.model_calls) == 1


async def test_output_that_the_server_cannot_read_is_asked_for_once_more(fake_upstream, start_proxy) -> None:
    """The model may do better; the same tries would fail for minutes, so a person is told the way round."""
    unread = fixture("error_500_broken_output")
    upstream = await fake_upstream([unread, messages_text("Hello"), unread, unread])
    config = one_provider("llamacpp", upstream.base_url, limits={"retries": 4})
    proxy = await start_proxy(config)
    assert (await proxy.post(TURN)).json["content"][0]["text"] == "Hello"
    assert "--skip-chat-parsing" in (await proxy.post(TURN)).error["message"]
    assert len(upstream.model_calls) == 4


@BOTH
async def test_images_for_a_model_without_eyes_become_words(
    transport: str, fake_upstream, start_proxy
) -> None:
    """Once the server has said so, they are not sent again."""
    hello = text_over(transport, "Hello")
    upstream = await fake_upstream([fixture("error_500_invalid_request_image"), hello, hello])
    proxy = await start_proxy(one_provider("llamacpp", upstream.base_url, provider={"transport": transport}))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    for _ in range(2):
        assert (await proxy.post({**TURN, "messages": [{"role": "user", "content": [image]}]})).status == 200
    assert ["aGk=" in call.body.decode() for call in upstream.model_calls] == [True, False, False]
