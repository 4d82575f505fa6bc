"""What a running proxy writes: nothing of contents by default, all of them with LOG_RAW_*."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ccp_core.testing import Drop, Tokens, ToolCall, chat_error, chat_stream
from ccp_core.testing.proxy_process import ProxyProcess

KEY = "upstream-key-of-nobody"
TOKEN = "client-token-of-nobody"
PROMPT = "prompt-marker-71"
ANSWER = "answer-marker-72"
PATH = "/home/someone/path-marker-73"


class Proxy:
    """A proxy process in front of one upstream, and its log file."""

    def __init__(self, folder: Path, base_url: str, *, retries: int = 0, **logging: Any) -> None:
        self.file = folder / "server.log"
        own = {"transport": "openai", "base_url": base_url, "api_key": KEY}
        config = {
            "models": {"default": "own/test-model"},
            "providers": {"own": own},
            "limits": {"rate": 0, "retries": retries, "retry_base": 0.01},
            "logging": {"level": "debug", "file": str(self.file), **logging},
        }
        self.process = ProxyProcess(config, folder=folder, token=TOKEN)

    def ask(self, *, token: str = TOKEN, **more: Any) -> None:
        """One request with all the markers; whatever comes back."""
        call = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": PATH}}
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": PROMPT}
        body = {
            "model": "claude-opus-5-5",
            "max_tokens": 100,
            "stream": True,
            "system": PROMPT,
            "tools": [{"name": "Read", "description": PROMPT, "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": PROMPT},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ],
            **more,
        }
        request = urllib.request.Request(
            f"{self.process.url}/v1/messages?beta=true",
            data=json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {token}",
                "x-claude-code-session-id": "session-1",
                "x-claude-code-agent-id": "agent-2",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                response.read()
        except urllib.error.HTTPError as error:
            error.read()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    @property
    def written(self) -> str:
        return self.file.read_text() + self.process.log


ENDINGS = {
    "answered": chat_stream(text=ANSWER, reasoning=ANSWER, tools=[ToolCall("Read", {"file_path": PATH})]),
    "refused": chat_error(400, f"{ANSWER}: I do not like {PROMPT}"),
    "refused_key": chat_error(401, f"{KEY} is wrong, and so is sk-or-v1-0123456789abcdef"),
    "cut": chat_stream(text=ANSWER * 50).keep(3).then(Drop()),
    "garbage": chat_stream(text=ANSWER).cut(40).keep(1),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_by_default_no_log_holds_contents_or_secrets(ending, threaded_upstream, tmp_path):
    """However the request ends, and at the most talkative level."""
    upstream = threaded_upstream(lambda _: ENDINGS[ending])
    proxy = Proxy(tmp_path, upstream.base_url)
    with proxy.process:
        proxy.ask()
    assert [line["status"] for line in proxy.lines if line["event"] == "request"]
    markers = (PROMPT, ANSWER, PATH, KEY, TOKEN, "0123456789abcdef")
    assert [marker for marker in markers if marker in proxy.written] == []


ALWAYS = {
    "session_id": "session-1",
    "agent_id": "agent-2",
    "client_model": "claude-opus-5-5",
    "tier": "opus",
    "provider": "own",
    "model": "test-model",
}
USED = Tokens(prompt=120, completion=34, cached=20)


@pytest.mark.parametrize(
    ("answers", "asked", "line"),
    [
        (
            [chat_error(503, "overloaded"), chat_stream(text=ANSWER, usage=USED)],
            {},
            {
                "status": 200,
                "key_number": 1,
                "input_tokens": 120,
                "output_tokens": 34,
                "cached_tokens": 20,
                "retries": 1,
                "stop_reason": "end_turn",
                "answered_locally": "",
                "error": "",
                "stream": True,
            },
        ),
        (
            [chat_error(400, "no")],
            {"stream": False},
            {
                "status": 400,
                "key_number": 1,
                "output_tokens": 0,
                "cached_tokens": 0,
                "first_token": None,
                "retries": 0,
                "stop_reason": None,
                "answered_locally": "",
                "error": "invalid_request_error",
                "stream": False,
            },
        ),
        (
            [],
            {"max_tokens": 1, "tools": [], "messages": [{"role": "user", "content": "quota"}]},
            {"status": 200, "key_number": 0, "answered_locally": "quota", "stop_reason": "end_turn"},
        ),
    ],
    ids=["answered after a retry", "refused", "answered locally"],
)
def test_every_request_is_one_line_that_says_all_of_it(answers, asked, line, threaded_upstream, tmp_path):
    """Whose it was, where it went, what it cost, how long it took, and how it ended."""
    upstream = threaded_upstream(answers)
    proxy = Proxy(tmp_path, upstream.base_url, retries=1)
    with proxy.process:
        proxy.ask(**asked)
    [written] = [entry for entry in proxy.lines if entry["event"] == "request"]
    assert {name: written[name] for name in (*ALWAYS, *line)} == {**ALWAYS, **line}
    assert written["duration"] > 0
    assert written["request_id"].startswith("req_")
    assert (written["first_token"] is None) == (line["status"] != 200 or bool(line["answered_locally"]))


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        ({"token": "wrong"}, 403, "permission_error"),
        ({"messages": "none"}, 400, "invalid_request_error"),
        ({"token": f"{TOKEN}:nowhere/model"}, 400, "invalid_request_error"),
    ],
    ids=["wrong token", "no Messages request", "a route to nowhere"],
)
def test_a_request_that_is_refused_at_the_door_is_one_line_too(
    asked, status, error, threaded_upstream, tmp_path
):
    upstream = threaded_upstream([])
    proxy = Proxy(tmp_path, upstream.base_url)
    with proxy.process:
        proxy.ask(**asked)
    [line] = [entry for entry in proxy.lines if entry["event"] in ("request", "refused")]
    assert (line["event"], line["status"], line["error"]) == ("refused", status, error)
    assert [marker for marker in (PROMPT, TOKEN, "wrong") if marker in proxy.written] == []


def test_raw_payloads_are_in_the_file_whole_and_without_secrets(threaded_upstream, tmp_path):
    upstream = threaded_upstream(lambda _: chat_stream(text=ANSWER))
    proxy = Proxy(tmp_path, upstream.base_url, raw_payloads=True)
    with proxy.process:
        proxy.ask()
    raw = {line["event"]: line for line in proxy.lines if line["logger"] == "ccp.raw"}
    assert list(raw) == ["client_request", "upstream_request", "upstream_answer", "client_answer"]
    assert raw["client_request"]["body"]["system"] == PROMPT
    assert raw["upstream_request"]["url"] == f"{upstream.base_url}/chat/completions"
    assert raw["upstream_request"]["body"]["model"] == "test-model"
    assert ANSWER in raw["upstream_answer"]["body"]
    assert raw["client_answer"]["body"].startswith("event: message_start")
    assert KEY not in proxy.written
    assert PROMPT not in proxy.process.log


def test_the_body_of_a_refusal_is_raw_payload_too(threaded_upstream, tmp_path):
    upstream = threaded_upstream(lambda _: chat_error(400, f"no {KEY}"))
    proxy = Proxy(tmp_path, upstream.base_url, raw_payloads=True)
    with proxy.process:
        proxy.ask()
    [answer] = [line for line in proxy.lines if line["event"] == "upstream_answer"]
    assert (answer["status"], json.loads(answer["body"])["error"]["message"]) == (400, "no [redacted]")


def test_raw_events_are_one_line_each(threaded_upstream, tmp_path):
    answer = chat_stream(text="one two three")
    upstream = threaded_upstream(lambda _: answer)
    proxy = Proxy(tmp_path, upstream.base_url, raw_sse_events=True)
    with proxy.process:
        proxy.ask()
    events = [line["data"] for line in proxy.lines if line["event"] == "upstream_event"]
    assert len(events) == len(answer.writes)
    assert events[-1] == "[DONE]"
    assert not [line for line in proxy.lines if line["event"] in ("client_request", "upstream_request")]


@pytest.mark.parametrize("wanted", [True, False])
def test_tracebacks_of_failed_requests_are_written_only_when_asked_for(wanted, threaded_upstream, tmp_path):
    upstream = threaded_upstream(lambda _: chat_error(400, "no"))
    proxy = Proxy(tmp_path, upstream.base_url, api_error_tracebacks=wanted)
    with proxy.process:
        proxy.ask()
    assert any("Traceback" in line.get("exception", "") for line in proxy.lines) is wanted
