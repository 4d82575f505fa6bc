"""What one vendor's chat endpoint takes and refuses, as data.

The defaults are for an endpoint of which nothing is known: OpenAI's own protocol, without its newer parts.
What a provider still refuses is learned from its errors (``errors``), so a dialect names what is known in
advance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import Factory, frozen

from ccp_core.protocol.events import Json
from ccp_core.provider import Provider
from ccp_openai_compat.reasoning import ReasoningSwitch


@frozen
class Parameters:
    """A tool's parameters as a provider gets them, where they differ in more than the schema.

    ``to_wire`` changes the input of a call in the history accordingly, ``to_client`` takes it back in an
    answer.
    """

    schema: Json
    to_wire: Callable[[Json], Json]
    to_client: Callable[[Json], Json]


AdaptParameters: TypeAlias = Callable[[Json], "Json | Parameters"]
"""Turns a tool's input schema into what a provider accepts. Must not change its argument; its results are
kept."""


@frozen(kw_only=True)
class ChatDialect:
    """The facts of one vendor's chat endpoint."""

    path: str = "/chat/completions"
    """Below the base URL."""

    # The body
    omit: frozenset[str] = frozenset()
    """Body members that are never sent (``stream_options``, ``parallel_tool_calls`` …); dotted for nested
    ones."""
    extra: Mapping[str, Any] = Factory(dict)
    """Body members that are always sent."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    sampling: frozenset[str] = frozenset({"temperature", "top_p"})
    """Which of the client's ``temperature``, ``top_p`` and ``top_k`` are sent."""
    stop_limit: int = 4
    """How many stop sequences are taken."""
    response_format: bool = False
    """Whether ``response_format: json_schema`` works; otherwise the schema is put into the last user
    message."""

    # Tools
    parameters: AdaptParameters | None = None
    """Adapts a tool's input schema; None sends it as it is."""
    tool_choice_required: bool = True
    """Whether ``tool_choice: required`` is known; otherwise it becomes ``auto``."""
    named_tool_choice: bool = True
    """Whether a choice may name a tool; otherwise that tool is offered alone, and ``required``."""
    forced_tool_choice: Literal["always", "without_thinking", "never"] = "always"
    """When a tool call may be demanded; otherwise ``auto`` is sent."""

    # Messages
    pdf: bool = False
    """Whether PDF documents are taken as ``file`` parts; otherwise a text says that one is missing."""
    cache_control: bool = False
    """Whether the client's cache marks are kept, for vendors that document them; elsewhere they only change
    the prefix from turn to turn."""
    empty_content: str | None = None
    """The content of an assistant message that holds nothing but tool calls: null, or what the provider
    insists on."""
    call_id_limit: int | None = 40
    """Longest id of a tool call, in characters (OpenAI's own limit); longer ones are replaced. None: no
    limit."""

    # Thinking
    reasoning: ReasoningSwitch | None = None
    """How thinking is switched on and off; None says nothing to the upstream."""
    always_thinks: bool = False
    """The model thinks whatever it is asked, and is treated accordingly."""
    replay: Literal["reasoning_content", "reasoning", "as_received", "think_tags", "drop"] = (
        "reasoning_content"
    )
    """Where thinking of earlier turns goes. ``as_received``: the field in which that turn's thinking came."""
    replay_turns: Literal["tool_calls", "all"] = "tool_calls"
    """Which turns of the assistant keep their thinking."""
    replay_placeholder: str | None = None
    """Sent, while thinking is on, for a turn with tool calls whose thinking is missing, where that is an
    error."""

    # The answer
    think_tags: bool = True
    """Whether ``<think>`` in the text is taken for thinking."""
    thinking_starts_in_prompt: bool = False
    """The chat template puts ``<think>`` into the prompt, so answers begin with thinking and have no
    opening tag."""


DEFAULT = ChatDialect()


def dialect_of(provider: Provider, model: str) -> ChatDialect:
    """The dialect for a model. A ProviderSpec gives a ChatDialect, or a function from model ids to one."""
    dialect: ChatDialect | Callable[[str], ChatDialect] = provider.dialect(DEFAULT)
    return dialect if isinstance(dialect, ChatDialect) else dialect(model)
