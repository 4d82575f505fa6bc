"""A Messages request for one upstream: the client's request, cut to what the dialect says."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from ccp_anthropic_compat.blocks import BlockConversion
from ccp_anthropic_compat.dialect import ANTHROPIC_FIELDS, PLAIN_FIELDS, MessagesDialect, dialect_of
from ccp_anthropic_compat.thinking import Thinking, decide, resumes_without_thinking, with_placeholders
from ccp_anthropic_compat.tools import tool_members
from ccp_core.protocol.block_text import schema_instructions, system_blocks
from ccp_core.protocol.events import Json
from ccp_core.protocol.history import History, as_messages
from ccp_core.protocol.members import with_value, without
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.provider import BuildOptions, ModelCard, Provider, UpstreamRequest
from ccp_core.route import Route

VERSION = "2023-06-01"
"""The ``anthropic-version`` that every Messages endpoint knows."""

_BUILT = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "stream",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
    }
)

HISTORY = "messages.thinking"
"""In BuildOptions.replace: another value of MessagesDialect.thinking_history."""

_OF_THE_DIALECT = {"thinking.type", HISTORY}
"""What changes the dialect, and not the body that was built by it."""


def build_request(
    provider: Provider, request: MessagesRequest, route: Route, options: BuildOptions
) -> UpstreamRequest:
    """Build the upstream's request, in the dialect of the route's model."""
    dialect = _adapted(dialect_of(provider, route.model), options)
    card = provider.models.get(route.model, ModelCard(id=route.model))
    max_tokens = _max_tokens(request, card, options, dialect)
    thinking = decide(request, dialect, options, max_tokens, mandatory=card.thinking_mandatory)
    notes: dict[str, None] = {}
    if max_tokens < (request.max_tokens or 0):
        notes["max_tokens was lowered to what is possible here"] = None

    refused = frozenset(
        name.removeprefix("messages.") for name in options.omit if name.startswith("messages.")
    )
    conversion = BlockConversion(dialect, provider.id, options.vision is not False, refused, notes)
    history = History(fold_system=not dialect.system_role)
    messages = as_messages(history.turns(map(conversion.message, request.messages)))
    if thinking.is_on and dialect.thinking_before_tools:
        messages = with_placeholders(messages, dialect.signature_placeholder)
    if (
        dialect.thinking_history == "own"
        and (thinking.members.get("thinking") or {}).get("type") == "enabled"
        and resumes_without_thinking(messages)
    ):
        thinking = Thinking(dialect.thinking_off, False, True)
        notes["thinking pauses for this turn, which another provider began"] = None

    body: Json = {"model": route.model, "max_tokens": max_tokens, "stream": True}
    body.update(_plain_members(request, dialect))
    body.update(thinking.members)
    if config := _output_config(request, dialect, thinking):
        body["output_config"] = {**body.get("output_config", {}), **config}
    if not thinking.is_on:
        body = with_value(body, "context_management.edits", _edits_without_thinking)
    if system := _system(request, dialect):
        body["system"] = system
    body.update(tool_members(request.tools, request.body.get("tool_choice"), dialect, notes))
    body["messages"] = messages
    body = _edited(body, options, notes)

    headers = {"anthropic-version": VERSION}
    if dialect.betas and request.betas:
        headers["anthropic-beta"] = request.betas
    path = dialect.path
    if provider.base_url.endswith("/v1") and path.startswith("/v1/"):
        path = path.removeprefix("/v1")
    return UpstreamRequest(path=path, body=body, headers=headers, notes=(*history.notes, *notes))


def _adapted(dialect: MessagesDialect, options: BuildOptions) -> MessagesDialect:
    """The dialect, changed by what this provider and model have refused."""
    if not options.omit and not options.replace.keys() & _OF_THE_DIALECT:
        return dialect
    changes: dict[str, Any] = {}
    if history := options.replace.get(HISTORY):
        changes["thinking_history"] = history
    if "messages.system" in options.omit:
        changes["system_role"] = False
    if "cache_control" in options.omit:
        changes["cache_control"] = frozenset()
    if "output_config.format" in options.omit:
        changes["output_format"] = False
    if "tool_choice" in options.omit:
        changes["tool_choices"] = frozenset()
    unwanted = {name.removeprefix("tools.") for name in options.omit if name.startswith("tools.")}
    if unwanted and dialect.tool_fields is not None:
        changes["tool_fields"] = dialect.tool_fields - unwanted
    if kind := options.replace.get("thinking.type"):
        changes["thinking"] = frozenset({kind})
    return evolve(dialect, **changes)


def _max_tokens(
    request: MessagesRequest, card: ModelCard, options: BuildOptions, dialect: MessagesDialect
) -> int:
    asked = request.max_tokens
    bounds = [dialect.default_max_tokens if asked is None or asked < 1 else asked]
    bounds += [bound for bound in (card.max_output, card.context_window, options.max_tokens) if bound]
    return min(bounds)


def _plain_members(request: MessagesRequest, dialect: MessagesDialect) -> Json:
    """The members that need no conversion."""
    fields = dialect.fields
    return {
        name: value
        for name, value in request.body.items()
        if name not in _BUILT
        and name != "betas"
        and value is not None
        and (
            fields is None
            or name in fields
            or (dialect.other_fields and name not in ANTHROPIC_FIELDS and name not in PLAIN_FIELDS)
        )
    }


def _edits_without_thinking(edits: Any) -> Any:
    """Those that Anthropic accepts where there is no thinking to clear; None when none is left."""
    if not isinstance(edits, list):
        return edits
    return [
        edit
        for edit in edits
        if not (isinstance(edit, dict) and str(edit.get("type")).startswith("clear_thinking"))
    ] or None


def _output_config(request: MessagesRequest, dialect: MessagesDialect, thinking: Thinking) -> Json:
    config = request.body.get("output_config")
    if not isinstance(config, dict):
        return {}
    if dialect.passes_all:
        return config
    kept: Json = {}
    if (effort := request.effort) and dialect.efforts is not None and not thinking.is_off:
        kept["effort"] = dialect.efforts.get(effort, effort)
    if dialect.output_format and request.output_schema is not None:
        kept["format"] = config["format"]
    return kept if dialect.fields is None or "output_config" in dialect.fields else {}


def _system(request: MessagesRequest, dialect: MessagesDialect) -> list[Json]:
    blocks = system_blocks(request.body.get("system"), keep_billing_header=dialect.billing_header)
    if "system" not in dialect.cache_control:
        blocks = [{"type": "text", "text": block["text"]} for block in blocks]
    if request.output_schema is not None and not dialect.output_format and not dialect.passes_all:
        blocks.append({"type": "text", "text": schema_instructions(request.output_schema)})
    return blocks


def _edited(body: Json, options: BuildOptions, notes: dict[str, None]) -> Json:
    """The body without what the upstream refused before, and with the values that it accepts."""
    for name in sorted(options.omit):
        if (edited := without(body, name)) is not body:
            body = edited
            notes[f"{name} was left out: the upstream refused it before"] = None
    for name, value in options.replace.items():
        if name not in _OF_THE_DIALECT:
            body = with_value(body, name, value)
    return body
