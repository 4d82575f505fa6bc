"""Requests of a client, from a greeting to what no client sends yet."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from ccp_core.protocol.messages import MessagesRequest


def _tool(name: str, purpose: str, required: list[str], **properties: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": purpose,
        "input_schema": {
            "type": "object",
            "properties": {member: {"type": kind} for member, kind in properties.items()},
            "required": required,
            "additionalProperties": False,
        },
    }


TOOLS: list[dict[str, Any]] = [
    _tool("Read", "Reads a file.", ["file_path"], file_path="string", limit="integer", offset="integer"),
    _tool("Write", "Writes a file.", ["file_path", "content"], file_path="string", content="string"),
    _tool("Bash", "Runs a command.", ["command"], command="string", timeout="number", description="string"),
    _tool("Grep", "Searches files.", ["pattern"], pattern="string", path="string"),
    _tool("ListAll", "Lists all files.", []),
]

TURN: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 4000,
    "stream": True,
    "thinking": {"type": "adaptive"},
    "messages": [{"role": "user", "content": "Say hello."}],
}
"""A first turn that lets the model think."""

CONVERSATION: dict[str, Any] = {
    **TURN,
    "system": [{"type": "text", "text": "SYSTEM-PROMPT", "cache_control": {"type": "ephemeral"}}],
    "tools": TOOLS,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "FIRST-QUESTION"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "EARLIER-THOUGHT", "signature": "ccp1.elsewhere.c2ln"},
                {"type": "text", "text": "EARLIER-ANSWER"},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "Read",
                    "input": {"file_path": "/CALLED-PATH"},
                },
                {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {"command": "false"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "FIRST-RESULT"}],
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": "SECOND-RESULT",
                    "is_error": True,
                },
                {"type": "text", "text": "SECOND-QUESTION", "cache_control": {"type": "ephemeral"}},
            ],
        },
    ],
}
"""A turn after tool calls, with all that a conversation holds."""

SAID = ("SYSTEM-PROMPT", "FIRST-QUESTION", "EARLIER-ANSWER", "/CALLED-PATH", "FIRST-RESULT", "SECOND-RESULT")

UNKNOWN: dict[str, Any] = {
    **CONVERSATION,
    "x_unknown_member": {"deep": [1, None, True]},
    "betas": ["unknown-2099-01-01"],
    "metadata": {"user_id": "someone", "x_unknown": 1},
    "context_management": {"edits": [{"type": "unknown_edit_20990101", "keep": "all"}]},
    "output_config": {"effort": "unheard-of", "x_unknown": True},
    "thinking": {"type": "adaptive", "display": "omitted", "x_unknown": 1},
    "tools": [
        *({**tool, "x_unknown": True, "defer_loading": False, "strict": False} for tool in TOOLS),
        {"type": "unknown_server_tool_20990101", "name": "unknown_server_tool", "max_uses": 3},
    ],
    "messages": [
        *CONVERSATION["messages"],
        {"role": "system", "content": "A system message amid the others."},
        {"role": "assistant", "content": [{"type": "unknown_block", "payload": {"a": 1}, "x": None}]},
        {
            "role": "user",
            "x_unknown": 1,
            "content": [
                {"type": "unknown_block", "text": None},
                {"type": "text", "text": "LAST-QUESTION", "x_unknown": {"y": 2}},
            ],
        },
    ],
}
"""The same with members, blocks, tools and roles that nobody knows."""

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aW1hZ2U="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}


def session(turns: int) -> Iterator[dict[str, Any]]:
    """The requests of one conversation, whose history has whatever Claude Code sends: reminders as messages of the
    system, calls with one id, broken arguments, images and documents, loaded tools, thinking of other providers."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Do it."}]},
        {"role": "system", "content": "The tools are these."},
    ]
    results: list[Any] = [
        "done",
        [{"type": "text", "text": "seen"}, PNG],
        [{"type": "tool_reference", "tool_name": "Grep"}],
        [{"type": "text", "text": "read"}, PDF],
        [],
    ]
    for number in range(turns):
        yield {**CONVERSATION, "messages": list(messages)}
        id = f"functions.Read:{number % 4}"
        broken = {"__unparsedToolInput": {"raw": '{"file_path": ', "len": 14}}
        call = {"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": f"/{number}"}}
        said: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": f"Thought {number}.", "signature": "ccp1.elsewhere.c2ln"},
            {"type": "text", "text": "" if number % 3 else "Reading."},
            {**call, "input": broken} if number % 5 == 3 else call,
        ]
        result = {"type": "tool_result", "tool_use_id": id, "content": results[number % len(results)]}
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
        if number % 4 == 1:
            messages.append({"role": "system", "content": "The task tools have not been used."})
        if number % 6 == 2:
            messages.append({"role": "user", "content": [PNG, {"type": "text", "text": "Like this."}]})


REQUESTS: dict[str, dict[str, Any]] = {
    "a first turn": TURN,
    "a conversation": CONVERSATION,
    "unknown members": UNKNOWN,
    "no thinking": {**CONVERSATION, "thinking": {"type": "disabled"}},
    "a forced tool": {
        **CONVERSATION,
        "thinking": {"type": "disabled"},
        "tool_choice": {"type": "tool", "name": "Read"},
        "temperature": 0.5,
        "stop_sequences": ["</a>", "</b>", "</c>", "</d>", "</e>"],
    },
}


def asked(body: Mapping[str, Any], betas: str = "") -> MessagesRequest:
    """A request with a body of its own, which a provider that changes it cannot spoil for others."""
    return MessagesRequest(copy.deepcopy(dict(body)), size=1000, betas=betas)
