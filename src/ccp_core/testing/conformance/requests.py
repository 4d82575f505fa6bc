"""The rules for the requests that a provider makes of a client's."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import orjson
import pytest

from ccp_core.provider import BuildOptions, UpstreamRequest

from .base import Conformance
from .turns import CONVERSATION, REQUESTS, SAID, TOOLS, TURN, UNKNOWN, asked, session

SECRET = "kit-secret-0f8e7d6c5b4a"  # noqa: S105 - a canary


_KEY_HEADERS = {
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "x-auth-token",
}


class RequestRules(Conformance):
    """What holds for every request that a provider builds."""

    def test_a_request_is_json_for_the_routes_model(self, transport: str, model: str) -> None:
        """The body is JSON, asks for a stream and names the route's model; the path is below the base URL."""
        for name, body in REQUESTS.items():
            built = self._built(body, transport, model)
            orjson.dumps(built.body)
            assert built.body.get("model") == model, f"{name}: the model is {built.body.get('model')!r}"
            assert built.body.get("stream") is True, f"{name}: the core reads streams, so ask for one"
            assert built.path.startswith(("/", "../")), f"{name}: {built.path!r} must begin with / or ../"
            for header, value in built.headers.items():
                assert isinstance(value, str), f"{name}: header {header} is not a string"

    def test_building_a_request_is_pure(self, transport: str, model: str) -> None:
        """The same arguments give the same request, and are left as they were."""
        for name, body in REQUESTS.items():
            request = asked(body, "unknown-2099-01-01")
            first = self._encoded(self.subject().build(request, transport, model))
            assert orjson.dumps(request.body) == orjson.dumps(body), (
                f"{name}: the client's request was changed"
            )
            second = self._encoded(self.subject().build(request, transport, model))
            assert first == second, f"{name}: a second request differs from the first"

    def test_what_requests_share_is_left_alone(self, model: str) -> None:
        """Tools of a built request may be those of others, of other providers too: they are replaced, not changed."""
        subject = self.subject()
        tool = {"name": f"tool_{token_hex(4)}", "input_schema": {"type": "object", "properties": {}}}
        request = asked({**TURN, "tools": [tool]})
        for transport in subject.spec.transports:
            before = self._encoded(subject.another().build(request, transport, model))
            subject.build(request, transport, model)
            after = self._encoded(subject.another().build(request, transport, model))
            assert after == before, f"{transport}: it changes what another provider's request is made of"

    def test_no_secret_is_in_a_request(
        self, transport: str, model: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The core adds the key: no plugin reads one from the environment or from the base URL, or sends a header."""
        spec = self.subject().spec
        for prefix in spec.env_prefixes:
            for suffix in ("API_KEY", "API_KEYS", "BASE_URL"):
                monkeypatch.setenv(f"{prefix}_{suffix}", SECRET)
        assert not _KEY_HEADERS & {name.lower() for name in spec.headers}, (
            "a key belongs to the core's `auth`"
        )
        for name, body in REQUESTS.items():
            built = self.subject().build(
                asked(body),
                transport,
                model,
                base_url=f"https://user:{SECRET}@host.invalid/v1?key={SECRET}",
            )
            assert SECRET not in repr((built.path, built.body, dict(built.headers), built.notes)), name
            sent = _KEY_HEADERS & {header.lower() for header in built.headers}
            assert not sent, f"{name}: the plugin sends {sent}, which is the core's business"

    def test_the_conversation_reaches_the_upstream(self, transport: str, model: str) -> None:
        """System prompt, questions, answers, calls and results are all in the request, results in their order."""
        sent = orjson.dumps(self._built(CONVERSATION, transport, model).body).decode()
        lost = [text for text in (*SAID, "SECOND-QUESTION") if text not in sent]
        assert not lost, f"lost: {lost}"
        order = ["FIRST-QUESTION", "FIRST-RESULT", "SECOND-RESULT", "SECOND-QUESTION"]
        assert sorted(order, key=sent.find) == order, f"the order became {sorted(order, key=sent.find)}"

    def test_tools_reach_the_upstream(self, transport: str, model: str) -> None:
        """Every tool of the client is declared, with its parameters."""
        body = self._built(CONVERSATION, transport, model).body
        sent = orjson.dumps(body.get("tools") or []).decode()
        for tool in TOOLS:
            missing = {tool["name"], *tool["input_schema"]["properties"]} - set(_words(sent))
            assert not missing, f"of the tool {tool['name']} {missing} is missing"

    def test_unknown_members_of_the_clients_request_are_harmless(self, transport: str, model: str) -> None:
        """New clients send what nobody knows yet: the request is built, and what is known reaches the upstream."""
        body = self._built(UNKNOWN, transport, model).body
        sent = orjson.dumps(body).decode()
        lost = [text for text in (*SAID, "LAST-QUESTION") if text not in sent]
        assert not lost, f"lost: {lost}"
        if transport == "openai":
            assert "x_unknown_member" not in body, "a chat endpoint refuses what it does not know"

    def test_each_request_of_a_session_begins_like_the_one_before(self, transport: str, model: str) -> None:
        """Over thirty turns nothing changes of what was sent before, so that the upstream can reuse its cache."""
        before = None
        for number, body in enumerate(session(30)):
            now = self._built(body, transport, model).body
            if before is not None:
                for name in ("messages", "system", "tools"):
                    was, is_now = (orjson.dumps(body.get(name)) for body in (before, now))
                    assert is_now.startswith(was.removesuffix(b"]")), (
                        f"turn {number} changed {name} of before"
                    )
            before = now

    def test_thinking_that_is_off_is_not_asked_for(self, transport: str, model: str) -> None:
        """Switched off by the tier or by the client, thinking is sent as off or as its least, never as on."""
        for name, body in REQUESTS.items():
            for tier in (True, False):
                if tier and body["thinking"]["type"] != "disabled":
                    continue
                asked = asks_for_thinking(
                    self._built(body, transport, model, BuildOptions(thinking=tier)).body
                )
                assert not asked, f"{name}: thinking is off, but the request says {asked}"

    def _built(
        self, body: dict[str, Any], transport: str, model: str, options: BuildOptions | None = None
    ) -> UpstreamRequest:
        return self.subject().build(asked(body), transport, model, options)

    @staticmethod
    def _encoded(built: UpstreamRequest) -> bytes:
        return orjson.dumps([built.path, built.body, dict(built.headers), built.notes])


def asks_for_thinking(body: dict[str, Any]) -> str:
    """The member with which a request asks for thinking, in any of the usual ways; empty when it does not."""
    least = (None, "", "none", "minimal", "low", False, "disabled", "off")
    thinking, reasoning = body.get("thinking"), body.get("reasoning")
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive"):
        return f"thinking.type: {thinking['type']}"
    if isinstance(reasoning, dict):
        if reasoning.get("enabled") is True:
            return "reasoning.enabled: true"
        if reasoning.get("effort") not in least:
            return f"reasoning.effort: {reasoning['effort']}"
    if body.get("reasoning_effort") not in least:
        return f"reasoning_effort: {body['reasoning_effort']}"
    template = body.get("chat_template_kwargs")
    for name in ("thinking", "enable_thinking"):
        if isinstance(template, dict) and template.get(name) is True:
            return f"chat_template_kwargs.{name}: true"
    return ""


def _words(text: str) -> list[str]:
    return text.replace('"', " ").replace(":", " ").replace(",", " ").split()
