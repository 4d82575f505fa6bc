"""What Claude Code can do beside talking, through both transports: each session does many things in turn.

``python -m pytest tests/e2e/test_abilities.py -m e2e`` runs them; ``CCP_E2E_CLIENT`` chooses the client.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest

from ccp_core.testing import (
    Answer,
    Conversation,
    RecordedRequest,
    ThreadedUpstream,
    ToolCall,
    Turn,
    read_conversation,
    say,
)
from ccp_core.testing.claude_client import ClaudeClient
from ccp_core.testing.proxy_process import ProxyProcess

from .providers import PROVIDERS, config_for
from .scenarios import around_compaction, small_png
from .tiny_mcp_server import TOOL

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
MCP_TOOL = f"mcp__tiny__{TOOL}"
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
SCHEMA = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}


@pytest.mark.parametrize("transport", PROVIDERS)
def test_images_documents_mcp_tools_searches_and_schemas(
    transport: str, client: ClaudeClient, tmp_path: Path
) -> None:
    """An image and a PDF are read, a tool of an MCP server is found and called, the web is searched, and what comes
    out follows a schema."""
    work = tmp_path / "client" / "work"
    work.mkdir(parents=True)
    (work / "picture.png").write_bytes(small_png())
    (work / "paper.pdf").write_bytes(PDF)
    servers = {"tiny": {"command": sys.executable, "args": [str(HERE / "tiny_mcp_server.py")]}}
    config = tmp_path / "mcp.json"
    config.write_bytes(orjson.dumps({"mcpServers": servers}))
    asked: list[Conversation] = []

    def model(conversation: Conversation) -> Turn:
        asked.append(conversation)
        match conversation.tool_turns:
            case 0:
                call = ToolCall("Read", {"file_path": str(work / "picture.png")})
            case 1:
                call = ToolCall("Read", {"file_path": str(work / "paper.pdf")})
            case 2:
                call = ToolCall("ToolSearch", {"query": f"select:{MCP_TOOL}"})
            case 3:
                [name] = (name for name in conversation.tools if name.startswith(MCP_TOOL[:50]))
                call = ToolCall(name, {"a": 2, "b": 3})
            case 4:
                call = ToolCall("WebSearch", {"query": "green tea"})
            case 5:
                call = ToolCall("StructuredOutput", {"answer": 42})
            case _:
                return Turn(text="Done.")
        return Turn(tool_calls=[call])

    with (
        ThreadedUpstream(lambda request: say(request, model(read_conversation(request)))) as upstream,
        ProxyProcess(
            config_for(transport, upstream, web_tools={"enabled": True}),
            folder=tmp_path / "proxy",
            command=(sys.executable, str(HERE / "proxy_with_search.py")),
        ) as proxy,
    ):
        run = client.run(
            "Do all of it.",
            base_url=proxy.url,
            folder=tmp_path / "client",
            env={"ENABLE_TOOL_SEARCH": "true"},
            arguments=[
                *("--mcp-config", str(config), "--strict-mcp-config"),
                *("--json-schema", orjson.dumps(SCHEMA).decode()),
            ],
        )
        bodies = [call.body for call in upstream.model_calls]
        log = proxy.log
    assert run.exit_code == 0, f"{run.result_text}\n{run.stderr}"
    assert [block for block in run.tool_results if block.get("is_error")] == []
    assert run.result["structured_output"] == {"answer": 42}
    assert [image.data for image in asked[1].images] == [small_png()]
    assert _got_the_pdf(transport, bodies[2])
    assert not any(name.startswith("mcp__") for name in asked[2].tools)
    assert "is loaded and can be called now" in asked[3].results[0].text
    assert asked[4].results[0].text == "The sum is 5."
    assert '{"title":"All about it","url":"https://tea.example/all"}' in asked[5].results[0].text
    assert "Found for green tea." in asked[5].results[0].text
    assert "-> web_search" in log
    assert "green tea" not in log


def _got_the_pdf(transport: str, body: bytes) -> bool:
    """The document itself over Messages; a note that it is missing over chat, where this provider takes none."""
    return (
        b'"application/pdf"' if transport == "messages" else b"(PDF) omitted: this model cannot open it"
    ) in body


@pytest.mark.parametrize("transport", PROVIDERS)
def test_a_conversation_is_measured_compacted_and_goes_on(
    transport: str, client: ClaudeClient, tmp_path: Path
) -> None:
    """``/context`` asks no model; ``/compact`` asks for a summary, with which the next question is asked."""
    asked: list[str] = []

    def model(request: RecordedRequest) -> Answer:
        turn = around_compaction(read_conversation(request), asked)
        if turn is None:
            asked.append("question")
            turn = Turn(text="An answer.")
        return say(request, turn)

    with (
        ThreadedUpstream(model) as upstream,
        ProxyProcess(config_for(transport, upstream), folder=tmp_path / "proxy") as proxy,
    ):
        shown = []
        for number, prompt in enumerate(
            ("I like tea.", "And cake.", "/context", "/compact", "What do I like?")
        ):
            run = client.run(
                prompt,
                base_url=proxy.url,
                folder=tmp_path / "client",
                arguments=["--continue"] if number else [],
            )
            assert run.exit_code == 0, f"{prompt}: {run.result_text}\n{run.stderr}"
            shown.append(run.result_text)
    assert "System tools" in shown[2], shown[2]
    assert asked == ["question", "question", "summary", "compacted"]
    assert shown[4] == "Tea it is."
