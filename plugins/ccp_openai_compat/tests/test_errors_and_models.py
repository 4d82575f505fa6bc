"""What the transport learns from errors, and what it reads in model lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccp_openai_compat as transport
import pytest
from ccp_openai_compat.reasoning import KnownEfforts

from ccp_core.builtins import classify
from ccp_core.errors import UpstreamFailure, Verdict, VerdictKind
from ccp_core.provider import ModelCard, UpstreamRequest
from ccp_core.testing import Fixture, load_fixtures

IMAGES, FILES = "messages.image", "messages.content.file"
CALL = {"role": "assistant", "content": None, "tool_calls": []}
BODIES: dict[str, dict[str, Any]] = {
    "replay": {"max_tokens": 5, "messages": [{**CALL, "reasoning_content": "hm"}]},
    "replay in reasoning": {"messages": [{**CALL, "reasoning": "hm"}]},
    "image": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    "file": {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
    "vendor's own": {"thinking": {}, "clear_thinking": False, "stop": ["x"], "messages": []},
    "plain": {"max_tokens": 5, "messages": [{"role": "user", "content": "an image of reasoning_content"}]},
}

LEARNED = [
    (400, "property 'reasoning_content' is unsupported", "replay", "messages.reasoning_content"),
    (
        422,
        "body.messages.1.reasoning_content: Extra inputs are not permitted",
        "replay",
        "messages.reasoning_content",
    ),
    (400, "messages[1].reasoning: unknown field", "replay in reasoning", "messages.reasoning"),
    (400, "reasoning_content is missing in assistant tool call message at index 2", "replay", None),
    (400, "reasoning is required", "replay in reasoning", None),
    (400, "reasoning_effort is not supported", "replay in reasoning", None),
    (400, "property 'reasoning_content' is unsupported", "plain", None),
    (500, "property 'reasoning_content' is unsupported", "replay", None),
    (
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "plain",
        "max_tokens",
    ),
    (400, "max_tokens must be less than or equal to 4096", "plain", None),
    (
        400,
        "Invalid content type. image_url is only supported by certain models; this one is not multimodal",
        "image",
        IMAGES,
    ),
    (400, "unknown variant `image_url`, expected `text`", "image", IMAGES),
    (404, "No endpoints found that support image input", "image", IMAGES),
    (400, "Unsupported image format, use png", "image", None),
    (400, "Invalid image_url: could not decode base64", "image", None),
    (400, "This model does not support images", "plain", None),
    (400, "messages[0].content must be a string", "image", IMAGES),
    (400, "'messages.0.content' must be a string", "file", FILES),
    (400, "messages[0].content must be a string", "plain", None),
    (400, "property 'clear_thinking' is unsupported", "vendor's own", "clear_thinking"),
    (400, "clear_thinking is not supported with thinking", "vendor's own", "clear_thinking"),
    (400, "thinking is not supported by this model", "vendor's own", "thinking"),
    (400, "thinking is enabled but reasoning_content is missing", "vendor's own", None),
    (400, "'stop' is not supported", "vendor's own", None),
    (400, "file content is not supported", "file", FILES),
    (400, "This model's maximum context length is 10 tokens", "image", None),
]


@pytest.mark.parametrize(
    ("status", "message", "body", "path"), LEARNED, ids=[row[1][:40] + row[2] for row in LEARNED]
)
def test_what_is_refused_and_can_be_left_out(
    chat: Any, status: int, message: str, body: str, path: str | None
) -> None:
    """Only what the request holds, and only when it is refused rather than missed."""
    verdict = chat.classify(status, {"error": {"message": message}}, BODIES[body])
    if path is None:
        assert verdict is None
    else:
        assert verdict.kind is VerdictKind.INVALID_REQUEST
        assert verdict.adjustment.omit == {path}


EFFORTS: list[tuple[str, str, tuple[str, ...] | None]] = [
    ("`reasoning_effort` must be one of `none` or `default`", "high", ("default", "none")),
    (
        "Unsupported value: 'reasoning_effort' does not support 'none' with this model."
        " Supported values are: 'low', 'medium', and 'high'.",
        "none",
        ("high", "low", "medium"),
    ),
    ("reasoning_effort: Input should be 'low', 'medium' or 'high'", "xhigh", ("high", "low", "medium")),
    ("reasoning_effort must be high or max for this model", "low", ("high", "max")),
    ("reasoning_effort: none is not supported by this model", "none", ("high", "low", "medium")),
    ("reasoning_effort is not supported by this model", "none", None),
    ("max_tokens is too high", "none", None),
]


@pytest.mark.parametrize(("message", "sent", "words"), EFFORTS, ids=[row[0][:45] for row in EFFORTS])
def test_the_efforts_that_a_model_takes_are_read_from_its_refusal(
    chat: Any, message: str, sent: str, words: Any
) -> None:
    """Only when the one that was sent is refused for others; a parameter refused as such is the core's business."""
    verdict = chat.classify(400, {"error": {"message": message}}, {"reasoning_effort": sent, "messages": []})
    if words is None:
        assert verdict is None
    else:
        assert verdict.adjustment.replace == {"reasoning_effort": KnownEfforts(words)}
    assert chat.classify(400, {"error": {"message": message}}, {"messages": []}) is None


@pytest.mark.parametrize(
    ("known", "asked", "sent"),
    [
        (("none", "default"), "none", "none"),
        (("none", "default"), "high", None),
        (("low", "medium", "high"), "none", "low"),
        (("low", "medium", "high"), "max", "high"),
        (("high", "max"), "low", "high"),
        (("high", "max"), "none", "high"),
        (("low",), "unheard-of", None),
    ],
)
def test_the_next_request_has_the_nearest_effort(
    chat_with: Any, known: tuple[str, ...], asked: str, sent: str | None
) -> None:
    """Thinking that is asked for is never switched off by it; none stands for the model's default."""
    chat = chat_with(reasoning=lambda wish: {"reasoning_effort": asked})
    assert (
        chat.build({}, replace={"reasoning_effort": KnownEfforts(known)}).body.get("reasoning_effort") == sent
    )


def test_each_finding_changes_the_next_request(chat: Any) -> None:
    """A request built with what was learned does not hold what was refused."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aA=="}}
    thinking = {"type": "thinking", "thinking": "hm", "signature": ""}
    messages = [
        {"role": "user", "content": [image]},
        {
            "role": "assistant",
            "content": [thinking, {"type": "tool_use", "id": "c", "name": "Read", "input": {}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
    ]
    for message in (
        "reasoning_content is not supported",
        "images are not supported by this model",
        "max_tokens is not supported, use max_completion_tokens",
    ):
        body = chat.build({"messages": messages}).body
        error = {"error": {"message": message}}
        omit = chat.classify(400, error, body).adjustment.omit
        again = chat.build({"messages": messages}, omit=omit, vision=IMAGES not in omit).body
        assert again != body
        assert chat.classify(400, error, again) is None


ERRORS = {
    "error_401_key": VerdictKind.AUTHENTICATION,
    "error_429_rate": VerdictKind.RATE_LIMIT,
    "error_429_quota": VerdictKind.BILLING,
    "error_400_overflow": VerdictKind.OVERFLOW,
}


@pytest.mark.parametrize(
    "fixture", load_fixtures(Path(__file__).parent / "fixtures", "error_4*.json"), ids=str
)
def test_recorded_errors_are_left_to_the_core(chat: Any, fixture: Fixture) -> None:
    """The transport declines, and the core's answer is the right one."""
    failure = UpstreamFailure(
        cause="status",
        status=fixture.status,
        body=fixture.body,
        request=UpstreamRequest(path="/chat/completions", body=BODIES["image"]),
    )
    assert transport.ccp_classify_error(chat.provider, failure) is None
    verdict: Verdict = classify.ccp_classify_error(chat.provider, failure)
    assert verdict.kind is ERRORS[fixture.name]


MODELS: list[tuple[str, Any, list[ModelCard]]] = [
    (
        "OpenAI's own",
        {"object": "list", "data": [{"id": "gpt-x", "object": "model", "owned_by": "o"}]},
        [ModelCard(id="gpt-x")],
    ),
    (
        "vLLM",
        {"data": [{"id": "Qwen/Qwen3-8B", "max_model_len": 32768, "permission": [{}]}]},
        [ModelCard(id="Qwen/Qwen3-8B", context_window=32768)],
    ),
    (
        "llama.cpp",
        {
            "models": [{"name": "x"}],
            "data": [
                {
                    "id": "local",
                    "meta": {"n_ctx": 2048, "n_ctx_train": 4096},
                    "architecture": {"input_modalities": ["text"]},
                }
            ],
        },
        [ModelCard(id="local", context_window=2048, vision=False)],
    ),
    (
        "Groq",
        {"data": [{"id": "q", "context_window": 131072, "max_completion_tokens": 65536, "active": True}]},
        [ModelCard(id="q", context_window=131072, max_output=65536)],
    ),
    (
        "Together, a root array",
        [
            {
                "id": "a",
                "type": "chat",
                "display_name": "A",
                "context_length": 10,
                "pricing": {"input": 0.15, "output": 0.6},
            },
            {"id": "e", "type": "embedding"},
        ],
        [ModelCard(id="a", name="A", context_window=10, price_in=0.15, price_out=0.6)],
    ),
    (
        "Kimi",
        {
            "data": [
                {
                    "id": "kimi-k2.6",
                    "context_length": 262144,
                    "supports_image_in": True,
                    "supports_reasoning": True,
                }
            ]
        },
        [ModelCard(id="kimi-k2.6", context_window=262144, vision=True, thinking=True)],
    ),
    (
        "Cerebras, public",
        {
            "data": [
                {
                    "id": "c",
                    "limits": {"max_context_length": 131072, "max_completion_tokens": 40960},
                    "capabilities": {"tools": True, "vision": False, "reasoning": True},
                }
            ]
        },
        [ModelCard(id="c", context_window=131072, max_output=40960, tools=True, vision=False, thinking=True)],
    ),
    (
        "OpenRouter",
        {
            "data": [
                {
                    "id": "a/b",
                    "name": "B",
                    "context_length": 8,
                    "architecture": {"input_modalities": ["text", "image"]},
                    "pricing": {"prompt": "0.000003", "completion": "-1"},
                    "top_provider": {"max_completion_tokens": 4},
                    "supported_parameters": ["tools"],
                    "reasoning": {"mandatory": True},
                }
            ]
        },
        [
            ModelCard(
                id="a/b",
                name="B",
                context_window=8,
                max_output=4,
                tools=True,
                vision=True,
                thinking=True,
                thinking_mandatory=True,
                price_in=3.0,
            )
        ],
    ),
    (
        "LM Studio",
        {
            "data": [
                {
                    "id": "l",
                    "type": "vlm",
                    "max_context_length": 9,
                    "loaded_context_length": 3,
                    "capabilities": ["tool_use"],
                }
            ]
        },
        [ModelCard(id="l", context_window=3, tools=True, vision=True)],
    ),
    (
        "FriendliAI",
        {
            "data": [
                {
                    "id": "f",
                    "context_length": 5,
                    "functionality": {"tool_call": True},
                    "reasoning": False,
                    "input_modalities": ["text"],
                }
            ]
        },
        [ModelCard(id="f", context_window=5, tools=True, vision=False, thinking=False)],
    ),
    (
        "Fireworks",
        {"data": [{"id": "w", "supports_image_input": False, "supports_tools": True}]},
        [ModelCard(id="w", tools=True, vision=False)],
    ),
    (
        "a model without tools",
        {"data": [{"id": "x", "supported_parameters": ["temperature"]}]},
        [ModelCard(id="x", tools=False, thinking=False)],
    ),
    ("Ollama's tags", {"models": [{"name": "llama3:8b", "model": "llama3:8b"}]}, [ModelCard(id="llama3:8b")]),
    ("twice the same id", {"data": [{"id": "a"}, {"id": "a"}]}, [ModelCard(id="a")]),
    (
        "odd values",
        {
            "data": [
                {
                    "id": "a",
                    "context_length": None,
                    "max_model_len": float("inf"),
                    "pricing": {"prompt": "free"},
                },
                {"id": None},
                "x",
                None,
            ]
        },
        [ModelCard(id="a")],
    ),
    ("an error", {"error": "no"}, []),
    ("nothing", None, []),
]


@pytest.mark.parametrize(("payload", "cards"), [m[1:] for m in MODELS], ids=[m[0] for m in MODELS])
def test_model_lists(chat: Any, payload: Any, cards: list[ModelCard]) -> None:
    """What a vendor tells about its models is understood under the vendor's names for it."""
    assert transport.ccp_list_models(chat.provider, payload) == cards
