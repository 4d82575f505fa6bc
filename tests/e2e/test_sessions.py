"""Sessions of the real client that change on the way: another provider, a conversation that has grown too long.

``python -m pytest tests/e2e/test_sessions.py -m e2e`` runs them; ``CCP_E2E_CLIENT`` chooses the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ccp_core.testing import (
    Answer,
    Conversation,
    RecordedRequest,
    ThreadedUpstream,
    ToolCall,
    Turn,
    chat_error,
    count_tokens,
    messages_error,
    read_conversation,
    say,
)
from ccp_core.testing.claude_client import ClaudeClient
from ccp_core.testing.messages_answers import SIGNATURE
from ccp_core.testing.proxy_process import ProxyProcess

from .scenarios import around_compaction, put_picture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CHAT, STRICT = "nvidia_nim/z-ai/glm-4.7", "open_router/anthropic/claude-x"


def config(upstreams: Mapping[str, ThreadedUpstream], default: str, **sections: Any) -> dict[str, Any]:
    providers = {
        name: {"base_url": upstream.base_url, "api_key": "key-of-the-fake-upstream"}
        for name, upstream in upstreams.items()
    }
    return {
        "models": {"default": default},
        "providers": providers,
        "limits": {"rate": 0, "retries": 0},
        **sections,
    }


class Thinker:
    """A model that thinks, calls a tool, thinks again and answers; ``name`` is in all its thoughts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.thoughts: list[str] = []
        self.refused: list[str] = []

    def __call__(self, request: RecordedRequest) -> Answer:
        if request.dialect == "messages" and (foreign := self._foreign(request.json["messages"])):
            self.refused.append(foreign)
            return messages_error(
                400, f"messages.1.content.0: Invalid `signature` in `thinking` block ({foreign})"
            )
        return say(request, self._turn(read_conversation(request)))

    def _foreign(self, messages: Any) -> str:
        """Thinking in the history that this model has not signed."""
        for message in messages:
            for block in message["content"] if isinstance(message["content"], list) else ():
                if block["type"] == "thinking" and (
                    block["signature"] != SIGNATURE or block["thinking"] not in self.thoughts
                ):
                    return str(block["thinking"])
        return ""

    def _turn(self, conversation: Conversation) -> Turn:
        self.thoughts.append(f"{self.name} thought {len(self.thoughts) + 1}")
        if conversation.results:
            return Turn(reasoning=self.thoughts[-1], text=f"Answer of {self.name}.")
        call = ToolCall("Bash", {"command": "echo hello", "description": "say hello"})
        return Turn(reasoning=self.thoughts[-1], tool_calls=[call])


def test_a_session_goes_on_when_its_provider_is_changed_and_changed_back(
    client: ClaudeClient, tmp_path: Path
) -> None:
    """With thinking and a tool in every turn, and an upstream that refuses signatures of others."""
    chat, strict = Thinker("chat"), Thinker("strict")
    with ThreadedUpstream(chat) as one, ThreadedUpstream(strict) as other:
        upstreams = {"nvidia_nim": one, "open_router": other}
        with ProxyProcess(config(upstreams, CHAT), folder=tmp_path / "proxy") as proxy:
            for number, model in enumerate((CHAT, STRICT, CHAT, STRICT)):
                run = client.run(
                    f"Say hello, {number}.",
                    base_url=proxy.url,
                    folder=tmp_path / "client",
                    arguments=["--model", model, *(["--continue"] if number else [])],
                )
                assert run.exit_code == 0, f"{run.result_text}\n{run.stderr}"
                assert run.result_text == f"Answer of {'chat' if model == CHAT else 'strict'}."
        calls = other.model_calls
    assert strict.refused == []
    assert all(f"Say hello, {number}." in read_conversation(calls[-1]).user_text for number in range(4))
    assert set(read_conversation(calls[-1]).reasoning) == set(strict.thoughts[:-1])


OVERFLOW = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
)
TOO_MANY = 8
"""Turns with tools that do not fit any more."""


@pytest.mark.parametrize("model", [CHAT, STRICT], ids=["chat", "messages"])
def test_the_client_compacts_a_conversation_that_an_upstream_finds_too_long(
    model: str, client: ClaudeClient, tmp_path: Path
) -> None:
    """The upstream says it in its own words; the client asks for a summary and goes on with that."""
    asked: list[str] = []

    def forgetful(request: RecordedRequest) -> Answer:
        conversation = read_conversation(request)
        if (turn := around_compaction(conversation, asked)) is not None:
            return say(request, turn)
        if conversation.tool_turns >= TOO_MANY:
            asked.append("too long")
            return (chat_error if request.dialect == "chat" else messages_error)(400, OVERFLOW)
        call = ToolCall("Bash", {"command": f"echo {'word ' * 200}", "description": "say words"})
        return say(request, Turn(text="Asking.", tool_calls=[call]))

    with ThreadedUpstream(forgetful) as upstream:
        settings = config({model.partition("/")[0]: upstream}, model)
        with ProxyProcess(settings, folder=tmp_path / "proxy") as proxy:
            run = client.run(
                "Find out what I like.",
                base_url=proxy.url,
                folder=tmp_path / "client",
                arguments=["--model", model],
            )
    assert run.exit_code == 0, f"{asked}\n{run.result_text}\n{run.stderr}"
    assert asked == ["too long", "summary", "compacted"]
    assert run.result_text == "Tea it is."


@pytest.mark.parametrize("known", [True, False], ids=["known", "found out"])
def test_a_turn_with_an_image_goes_to_the_vision_model(
    known: bool, client: ClaudeClient, tmp_path: Path
) -> None:
    """The chosen model takes none: another one looks at it and works on it, up to the end of the turn."""
    work = tmp_path / "client" / "work"
    work.mkdir(parents=True)
    put_picture(work)
    read = ToolCall("Read", {"file_path": str(work / "picture.png")})
    refused: list[RecordedRequest] = []

    def blind(request: RecordedRequest) -> Answer:
        conversation = read_conversation(request)
        if conversation.images:
            refused.append(request)
            return chat_error(400, "This model does not support image input.")
        done = conversation.tool_turns > 0
        return say(request, Turn(text="Seen by another.") if done else Turn(tool_calls=[read]))

    def seeing(request: RecordedRequest) -> Answer:
        conversation = read_conversation(request)
        if conversation.tool_turns == 1:
            return say(
                request, Turn(tool_calls=[ToolCall("Bash", {"command": "echo red", "description": "red"})])
            )
        return say(request, Turn(text=f"{len(conversation.images)} image, {conversation.results[0].text}"))

    with ThreadedUpstream(blind) as one, ThreadedUpstream(seeing) as other:
        settings = config({"nvidia_nim": one, "open_router": other}, CHAT)
        settings["models"]["vision"] = "open_router/qwen/qwen3-vl"
        if known:
            settings["providers"]["nvidia_nim"]["vision"] = {CHAT.partition("/")[2]: False}
        with ProxyProcess(settings, folder=tmp_path / "proxy") as proxy:
            first = client.run("Look at picture.png.", base_url=proxy.url, folder=work.parent)
            later = client.run(
                "What was that?", base_url=proxy.url, folder=work.parent, arguments=["--continue"]
            )
        asked = [call.json["model"] for call in other.model_calls]
    assert (first.exit_code, later.exit_code) == (0, 0), f"{first.result_text}\n{later.result_text}"
    assert first.result_text == "1 image, red"
    assert later.result_text == "Seen by another."
    assert asked == ["qwen/qwen3-vl"] * 2
    assert len(refused) == (0 if known else 1)


def test_the_client_shows_what_fills_its_context(client: ClaudeClient, tmp_path: Path) -> None:
    """Every part is counted by the upstream with a request of its own, and no model is asked."""
    with ThreadedUpstream(routes={"POST /messages/count_tokens": count_tokens(1234)}) as upstream:
        settings = config({"vllm": upstream}, "vllm/test-model")
        with ProxyProcess(settings, folder=tmp_path / "proxy") as proxy:
            run = client.run("/context", base_url=proxy.url, folder=tmp_path / "client")
            log = proxy.log + proxy.log_file
        counts = [request for request in upstream.requests if request.path.endswith("/count_tokens")]
    assert run.exit_code == 0, f"{run.result_text}\n{run.stderr}"
    assert "System tools" in run.result_text, run.result_text
    assert len(counts) > 2
    assert "Traceback" not in log
