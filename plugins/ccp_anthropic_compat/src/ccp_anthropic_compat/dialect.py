"""What one vendor's Messages endpoint takes and refuses, as data.

The defaults are the safe ones for an endpoint of which nothing is known: only what the Messages API has had
from its beginning is sent. A provider's plugin says what its endpoint takes beyond that, or refuses of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import Factory, frozen

from ccp_core.protocol.events import Json
from ccp_core.provider import Provider

PLAIN_FIELDS = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "system",
        "stream",
        "stop_sequences",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "temperature",
        "top_p",
        "top_k",
    }
)
"""Members of the body that every Messages endpoint takes or ignores."""

ANTHROPIC_FIELDS = frozenset(
    {
        "betas",
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "metadata",
        "service_tier",
        "speed",
        "thread",
        "user_profile_id",
        "workspace_id",
    }
)
"""Members that only Anthropic's own API is sure to understand."""

PLAIN_BLOCKS = frozenset({"text", "image", "thinking", "tool_use", "tool_result"})
"""Content blocks that every Messages endpoint knows."""

SERVER_TOOL_BLOCKS = frozenset(
    {
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
    }
)
"""Content blocks of tools that Anthropic's servers run."""

PLAIN_TOOL_FIELDS = frozenset({"name", "description", "input_schema"})
"""Members of a tool that every Messages endpoint knows."""


@frozen(kw_only=True)
class MessagesDialect:
    """The facts of one vendor's endpoint. What is not named here is left out, or told the model as text."""

    path: str = "/messages"
    """Below the base URL."""

    # The body
    fields: frozenset[str] | None = PLAIN_FIELDS
    """Members of the body that are sent; None sends all, unknown ones too, with hardly a change."""
    other_fields: bool = False
    """Whether members that are not Anthropic's (``min_p``, ``chat_template_kwargs``) are sent as well."""
    betas: bool = False
    """Whether the client's ``anthropic-beta`` header is passed on."""
    billing_header: bool = False
    """Whether the system prompt keeps the client's billing header, which spoils the cache of all others."""
    cache_control: frozenset[Literal["system", "messages", "tools"]] = frozenset()
    """Where cache marks stay. Where they are ignored they had better go: they move and change the prefix."""
    default_max_tokens: int = 32_000
    """Sent when the client names no bound, since most endpoints demand one."""

    # Messages
    system_role: bool = False
    """Whether ``role: system`` may stay inside the messages; otherwise it is folded into the user's turn."""
    blocks: frozenset[str] | None = PLAIN_BLOCKS
    """Types of content blocks that are sent; None sends all. Others become text."""
    images: frozenset[Literal["base64", "url"]] = frozenset({"base64", "url"})
    """Sources of images that are taken."""
    flat_results: bool = False
    """Whether a tool result must be a string; its images follow it as blocks of their own."""
    is_error: bool = False
    """Whether ``is_error`` of a tool result reaches the model; otherwise its text says so."""
    plain_ids: bool = False
    """Whether ids of tool uses must match ``[a-zA-Z0-9_-]+``."""

    # Tools
    tool_fields: frozenset[str] | None = PLAIN_TOOL_FIELDS
    """Members of a tool that are sent; None sends all."""
    input_schema: Callable[[Json], Json] | None = None
    """Changes the input schema of a tool to what the endpoint accepts; must not change its argument."""
    server_tools: bool = False
    """Whether tools that Anthropic's servers run (``web_search_…``) are sent."""
    tool_choices: frozenset[Literal["auto", "any", "tool", "none"]] = frozenset(
        {"auto", "any", "tool", "none"}
    )
    """Kinds of ``tool_choice`` that have an effect. Instead of ``none`` the tools are left out, instead of
    ``tool`` all tools but that one."""

    # Thinking
    thinking: frozenset[str] = frozenset({"enabled", "adaptive", "disabled"})
    """Types of ``thinking`` that are accepted; adaptive and enabled (with a budget) replace each other."""
    thinking_off: Mapping[str, Any] = Factory(lambda: {"thinking": {"type": "disabled"}})
    """Members of the body that switch thinking off; empty where nothing does."""
    thinks_unasked: bool = False
    """Whether the model thinks when nothing is said about it, so that silence becomes ``thinking_off``."""
    thinking_history: Literal["all", "own", "none"] = "all"
    """Which thinking of earlier turns is sent back: all, or none, or only with a signature that the endpoint
    can check."""
    signature_placeholder: str = ""
    """The signature of thinking that has none, or another provider's."""
    thinking_before_tools: bool = False
    """Whether, while thinking is on, every turn with tool uses must hold thinking."""
    efforts: Mapping[str, str] | None = Factory(dict)
    """Other words for values of ``output_config.effort``; None when the endpoint knows no effort."""
    output_format: bool = False
    """Whether ``output_config.format`` is obeyed; otherwise the schema is put into the system prompt."""

    # The answer
    think_tags: bool = True
    """Whether ``<think>`` in the text of an answer is taken for thinking."""
    text_tool_calls: bool = True
    """Whether tool calls that a model wrote as text are looked for (the person can switch it off as well)."""

    @property
    def passes_all(self) -> bool:
        """Whether the client's body goes through nearly as it is."""
        return self.fields is None


DEFAULT = MessagesDialect()


def dialect_of(provider: Provider, model: str) -> MessagesDialect:
    """The dialect for a model. A ProviderSpec gives a MessagesDialect, or a function from model ids to one."""
    dialect: MessagesDialect | Callable[[str], MessagesDialect] = provider.dialect(DEFAULT)
    return dialect if isinstance(dialect, MessagesDialect) else dialect(model)
