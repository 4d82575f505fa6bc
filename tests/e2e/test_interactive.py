"""The real client as a person sees it: its menu of models, and a conversation that is compacted by hand.

``python -m pytest tests/e2e/test_interactive.py -m e2e`` runs it; ``CCP_E2E_CLIENT`` chooses the client.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ccp_core.testing import Conversation, Turn
from ccp_core.testing.claude_client import ClaudeClient

from .terminal import Terminal, tmux_is_missing
from .test_model_choice import DISCOVERY, TOKEN, menu_proxy

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        tmux_is_missing(), reason="a terminal for the client is made by tmux, which is missing"
    ),
]
ENV = {**DISCOVERY, "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "1"}


def introduce(conversation: Conversation) -> Turn:
    """The model says its name, and how often it has spoken; or that it only knows a summary."""
    if "Respond with TEXT ONLY" in conversation.user_text:
        return Turn(text="<summary>Someone asked for a name.</summary>")
    if "Someone asked for a name." in conversation.user_text:
        return Turn(text=f"{conversation.model} knows a summary")
    spoken = sum(message.role == "assistant" for message in conversation.messages)
    return Turn(text=f"{conversation.model} after {spoken} answers")


def test_a_model_is_chosen_from_the_menu_and_goes_on_after_a_compact(
    client: ClaudeClient, tmp_path: Path
) -> None:
    """Meanwhile the proxy itself answers what the client asks in the background."""
    with (
        menu_proxy(introduce, tmp_path / "proxy") as proxy,
        Terminal(client, base_url=proxy.url, token=TOKEN, folder=tmp_path, env=ENV) as terminal,
    ):
        terminal.say("/model")
        terminal.see("GLM 4.7 (NVIDIA NIM)")
        terminal.choose("llama3.1:8b (NVIDIA NIM)")
        terminal.see("Set model to")
        terminal.say("Who are you?")
        terminal.see("llama3.1:8b after 0 answers")
        terminal.say("What do you do?")
        terminal.see("llama3.1:8b after 1 answers")
        terminal.say("/compact")
        terminal.see("Compacted")
        terminal.say("Who are you by now?")
        terminal.see("llama3.1:8b knows a summary")
        answered = proxy.log_file
    for probe in ("title", "suggestion"):
        assert f'"answered_locally":"{probe}"' in answered
