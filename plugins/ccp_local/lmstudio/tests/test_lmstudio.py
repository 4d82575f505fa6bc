"""What is LM Studio's own: leaked tokens, prompts that it would cut, and refusals with any status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ccp_core.testing import (
    Answer,
    RecordedRequest,
    ToolCall,
    chat_text,
    load_fixture,
    messages_stream,
    messages_text,
)
from ccp_core.testing.conformance import CONVERSATION, ProviderConformance
from ccp_core.testing.proxy_app import TURN, one_provider

BOTH = pytest.mark.parametrize("transport", ["anthropic", "openai"])


class Doors(ProviderConformance):
    """The doors of the kit, without its tests."""

    __test__ = False
    provider_id = "lmstudio"


def fixture(name: str) -> Answer:
    return load_fixture(Doors.folder() / "fixtures" / f"{name}.json").answer()


def text_over(transport: str, text: str) -> Answer:
    return messages_text(text) if transport == "anthropic" else chat_text(text)


def lists(version: str) -> Callable[[RecordedRequest], Answer]:
    """The lists of a server that has its own one in this version; another path it answers with 200."""
    known = {"/v1/models": fixture("models"), f"/api/{version}/models": fixture(f"models_own_{version}")}
    unknown = fixture("error_200_endpoint_not_found")
    return lambda request: known.get(request.path, unknown)


READ = {"file_path": "/a.py"}
LEAKS: list[dict[str, Any]] = [
    {"tools": [ToolCall("[TOOL_CALLS]Read", READ, id="c1")]},
    {"text": 'Read[ARGS]{"file_path": "/a.py"}'},
    {"text": '[TOOL_CALLS]Read[ARGS]{"file_path": "/a.py"}'},
    {"text": '[TOOL_CALLS][{"name": "Read", "arguments": {"file_path": "/a.py"}}]'},
]


@pytest.mark.parametrize("leak", LEAKS, ids=["in the name", "name and input", "whole call", "list of calls"])
def test_calls_that_a_template_left_in_the_text_are_calls(leak: dict[str, Any]) -> None:
    """Mistral's templates leak their tokens into names and text."""
    message = Doors().pour(messages_stream(**leak).body).message
    assert [(call["name"], call["input"]) for call in message.tool_uses] == [("Read", READ)]
    assert message.text.strip() == ""
    assert message.stop_reason == "tool_use"


def test_only_choices_that_are_known_to_work_are_sent() -> None:
    """A forced tool is offered alone, and no tool where none may be used."""
    build = Doors().build
    forced = build({**CONVERSATION, "tool_choice": {"type": "tool", "name": "Read"}}).body
    assert [tool["name"] for tool in forced["tools"]] == ["Read"]
    assert forced["tool_choice"] == {"type": "any"}
    assert "tools" not in build({**CONVERSATION, "tool_choice": {"type": "none"}}).body
    named = build({**CONVERSATION, "tool_choice": {"type": "tool", "name": "Read"}}, transport="openai").body
    assert [tool["function"]["name"] for tool in named["tools"]] == ["Read"]
    assert named["tool_choice"] == "required"


@BOTH
@pytest.mark.parametrize(
    ("version", "model", "window"),
    [
        ("v0", "qwen3-coder-30b", 32768),
        ("v1", "qwen/qwen3-coder-30b", 16384),
        ("v1", "qwen/qwen3-coder-30b:2", 32768),
    ],
)
async def test_a_prompt_that_would_be_cut_is_refused(
    version: str, model: str, window: int, transport: str, fake_upstream, start_proxy
) -> None:
    """The context with which the model is loaded is what counts, whichever list tells it."""
    routes = {"GET /models": lists(version)}
    upstream = await fake_upstream(text_over(transport, "Hello"), routes=routes)
    config = one_provider(
        "lmstudio",
        upstream.url,
        provider={"transport": transport},
        models={"default": f"lmstudio/{model}"},
    )
    proxy = await start_proxy(config)
    long = {**TURN, "messages": [{"role": "user", "content": "so many words in one prompt " * 6000}]}
    reply = await proxy.post(long)
    assert (reply.status, upstream.model_calls) == (400, [])
    assert reply.error["message"].endswith(f" tokens > {window} maximum")
    assert (await proxy.post(TURN)).status == 200


async def test_a_model_that_is_not_loaded_is_compared_with_nothing(fake_upstream, start_proxy) -> None:
    """What it could have at most is not what it will be loaded with."""
    routes = {"GET /models": lists("v0")}
    upstream = await fake_upstream(messages_text("Hello"), routes=routes)
    config = one_provider("lmstudio", upstream.base_url, models={"default": "lmstudio/gemma-3-12b"})
    proxy = await start_proxy(config)
    long = {**TURN, "messages": [{"role": "user", "content": "so many words in one prompt " * 30000}]}
    assert (await proxy.post(long)).status == 200


async def test_an_old_version_answers_unknown_paths_with_200(fake_upstream, start_proxy) -> None:
    """It is told for what it is, with the version that has Messages, and the way round."""
    upstream = await fake_upstream(fixture("error_200_endpoint_not_found"))
    proxy = await start_proxy(one_provider("lmstudio", upstream.base_url))
    reply = await proxy.post(TURN)
    assert (reply.status, len(upstream.model_calls)) == (400, 1)
    assert "0.4.1" in reply.error["message"]
    assert "LM_STUDIO_TRANSPORT" in reply.error["message"]


@pytest.mark.parametrize(
    ("message", "calls", "status"),
    [
        ('Error rendering prompt with jinja template: "Conversation roles must alternate".', 1, 400),
        ("Failed to load model: insufficient system resources.", 1, 500),
        ("Model unloaded..", 3, 529),
        ("The model has crashed without additional information. (Exit code: 6)", 3, 529),
    ],
)
async def test_only_what_may_pass_is_tried_again(
    message: str, calls: int, status: int, fake_upstream, start_proxy
) -> None:
    """A template says the same again; a model that went away is loaded by the next request."""
    upstream = await fake_upstream(Answer.json({"error": message}, 500 if "jinja" in message else 400))
    proxy = await start_proxy(one_provider("lmstudio", upstream.base_url))
    assert (await proxy.post(TURN)).status == status
    assert len(upstream.model_calls) == calls
