"""The web tools in the whole proxy, as its clients meet them."""

from __future__ import annotations

import ccp_web_tools
import pytest
from aiohttp import web
from ccp_web_tools.answer import WebTools
from ccp_web_tools.search import Hit

from ccp_core.testing import validate_stream
from ccp_core.testing.proxy_app import TURN, one_provider

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
FETCH = {"type": "web_fetch_20250910", "name": "web_fetch"}


@pytest.fixture
async def proxy(start_proxy, refusing_upstream, monkeypatch):
    """In front of an upstream that is not there; its engine finds one page."""
    engines = {"scripted": lambda query, count: [Hit("Tea", "https://tea.example/", f"About {query}.")]}
    monkeypatch.setattr(ccp_web_tools, "_tools", WebTools(engines=engines))
    on = {"enabled": True, "allow_private": True}
    return await start_proxy(one_provider("nvidia_nim", refusing_upstream, web_tools=on))


async def page(request: web.Request) -> web.Response:
    return web.Response(text="The words of the page.")


@pytest.mark.parametrize(
    "choice",
    [{"tool_choice": {"type": "tool", "name": "web_search"}}, {"tool_choice": {"type": "auto"}}],
    ids=["forced", "the only one"],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_search_is_answered_as_a_stream_and_as_json(choice, streamed, proxy):
    asked = {**TURN, "messages": [{"role": "user", "content": "green tea"}], "tools": [SEARCH], **choice}
    reply = await proxy.post({**asked, "stream": streamed})
    assert reply.status == 200
    if streamed:
        message = validate_stream(reply.body).message
        content, reason, usage = message.content, message.stop_reason, message.usage
    else:
        content, reason, usage = (reply.json[name] for name in ("content", "stop_reason", "usage"))
    use, result, text = content
    assert (use["type"], use["input"]) == ("server_tool_use", {"query": "green tea"})
    assert result["type"] == "web_search_tool_result"
    assert result["tool_use_id"] == use["id"]
    assert [hit["url"] for hit in result["content"]] == ["https://tea.example/"]
    assert "About green tea." in text["text"]
    assert reason == "end_turn"
    assert usage["server_tool_use"]["web_search_requests"] == 1
    health = await proxy.request("GET", "/health")
    assert health.json["local_answers"] == {"web_search": 1}


async def test_a_page_is_fetched_for_whoever_forces_the_tool(proxy, pages):
    server = await pages({"/a": page})
    question = {"role": "user", "content": f"Read http://127.0.0.1:{server.port}/a for me."}
    forced = {"type": "tool", "name": "web_fetch"}
    reply = await proxy.post({**TURN, "messages": [question], "tools": [FETCH], "tool_choice": forced})
    assert reply.status == 200
    _, result, _ = reply.json["content"]
    assert result["content"]["content"]["source"]["data"] == "The words of the page."


async def test_any_other_request_goes_upstream(proxy):
    """Where nobody answers."""
    tools = [SEARCH, {"name": "Read", "input_schema": {"type": "object"}}]
    assert (await proxy.post({**TURN, "tools": tools})).status == 503
