"""A Messages request as a chat request. Pure: the client's request is read and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Set

from attrs import Factory, field, frozen

from ccp_core.protocol.block_text import schema_instructions, system_blocks
from ccp_core.protocol.events import Json
from ccp_core.protocol.history import History
from ccp_core.protocol.members import with_value, without
from ccp_core.protocol.messages import MessagesRequest
from ccp_core.provider import BuildOptions, Provider, UpstreamRequest
from ccp_core.route import Route
from ccp_openai_compat.dialect import ChatDialect, dialect_of
from ccp_openai_compat.reasoning import ReasoningWish
from ccp_openai_compat.request.messages import Conversation
from ccp_openai_compat.request.tools import DeclaredTool, Toolset, declare, tool_choice, wire_name

FILES = "messages.content.file"
"""In ``BuildOptions.omit``: the model refused PDF documents."""

_TRANSLATED = frozenset(
    {
        "max_tokens",
        "messages",
        "model",
        "output_config",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)


@frozen
class ChatMemo:
    """What the stream side must know of the request: the declared tools by wire name, and the ids already
    in use."""

    dialect: ChatDialect
    tools: Mapping[str, DeclaredTool] = field(factory=dict, repr=False)
    call_ids: Set[str] = field(default=frozenset(), repr=False)
    stop_sequences: tuple[str, ...] = field(default=(), repr=False)


@frozen
class _Draft:
    """A request on its way: what it came from, and the sentences about it."""

    request: MessagesRequest
    dialect: ChatDialect
    options: BuildOptions
    wish: ReasoningWish
    toolset: Toolset
    notes: list[str] = Factory(list)

    @property
    def thinks(self) -> bool:
        """Whether the model is going to think."""
        return self.wish.on or self.dialect.always_thinks


def build_request(
    provider: Provider, request: MessagesRequest, route: Route, options: BuildOptions
) -> UpstreamRequest:
    """The chat request, with notes on what was left out or repaired (names only)."""
    dialect = dialect_of(provider, route.model)
    toolset = declare(request, dialect)
    draft = _Draft(request, dialect, options, _wish(request, route, options), toolset)
    history = History()
    conversation = Conversation(
        provider.id,
        dialect,
        toolset,
        vision=options.vision is not False,
        pdf=dialect.pdf and FILES not in options.omit,
        placeholder=dialect.replay_placeholder if draft.thinks else None,
    )
    conversation.add_system(system_blocks(request.body.get("system")))
    conversation.add(history.turns(request.messages))
    draft.notes.extend((*history.notes, *conversation.notes))
    body: Json = {"model": route.model, "messages": conversation.messages, "stream": True}
    body["stream_options"] = {"include_usage": True}
    _add_tools(draft, body)
    _add_limits(draft, body)
    if dialect.reasoning is not None:
        body.update(dialect.reasoning(draft.wish))
    body.update(dialect.extra)
    _add_output_format(draft, body)
    for path in (*dialect.omit, *options.omit):
        body = without(body, path)
    for path, value in options.replace.items():
        body = with_value(body, path, value)
    if ignored := request.body.keys() - _TRANSLATED:
        draft.notes.append(f"left out: {', '.join(sorted(ignored))}")
    stop = tuple(word for word in request.body.get("stop_sequences") or () if isinstance(word, str))
    memo = ChatMemo(dialect, toolset.by_wire_name, history.call_ids, stop)
    return UpstreamRequest(path=dialect.path, body=body, memo=memo, notes=tuple(draft.notes))


def _wish(request: MessagesRequest, route: Route, options: BuildOptions) -> ReasoningWish:
    # The Messages API does not think unless it is asked to, so no `thinking` member means off.
    kind = request.thinking.get("type")
    budget = request.thinking.get("budget_tokens")
    return ReasoningWish(
        model=route.model,
        on=options.thinking and kind is not None and kind != "disabled",
        effort=request.effort,
        budget=budget if type(budget) is int else None,
        forced_tool=(request.body.get("tool_choice") or {}).get("type") in ("any", "tool"),
    )


def _add_tools(draft: _Draft, body: Json) -> None:
    toolset = draft.toolset
    if toolset.left_out:
        draft.notes.append("left out: server tools, which only Anthropic runs")
    if toolset.renamed:
        draft.notes.append("tools got shorter or plainer names")
    if toolset.reshaped:
        draft.notes.append("parameters of tools got another form")
    if not toolset.functions:
        return
    body["tools"] = toolset.functions
    choice = draft.request.body.get("tool_choice")
    if not choice:
        return
    if chosen := tool_choice(choice, toolset, draft.dialect, thinking=draft.thinks):
        body["tool_choice"], weakened = chosen
        if weakened:
            draft.notes.append("tool_choice became auto, which is all that this provider takes")
    if choice.get("type") == "tool" and body.get("tool_choice") == "required":
        wanted = wire_name(choice["name"])
        body["tools"] = [tool for tool in toolset.functions if tool["function"]["name"] == wanted]
        draft.notes.append("a forced tool was offered alone, because no choice can name it here")
    if choice.get("disable_parallel_tool_use") is True:
        body["parallel_tool_calls"] = False


def _add_limits(draft: _Draft, body: Json) -> None:
    request, dialect, options = draft.request, draft.dialect, draft.options
    caps = [cap for cap in (request.max_tokens, options.max_tokens) if cap]
    if caps:
        field, other = dialect.max_tokens_field, "max_completion_tokens"
        if field == other:
            other = "max_tokens"
        body[other if field in options.omit else field] = min(caps)
        if min(caps) < caps[0]:
            draft.notes.append("max_tokens was lowered to what is possible here")
    for name in ("temperature", "top_p", "top_k"):
        value = request.body.get(name)
        if value is None:
            continue
        if name in dialect.sampling:
            body[name] = value
        else:
            draft.notes.append(f"left out: {name}")
    if stop := request.body.get("stop_sequences"):
        body["stop"] = stop[: dialect.stop_limit]
        if len(stop) > dialect.stop_limit:
            draft.notes.append(f"only the first {dialect.stop_limit} stop sequences are sent")


def _add_output_format(draft: _Draft, body: Json) -> None:
    schema = draft.request.output_schema
    if schema is None:
        return
    if draft.dialect.response_format and "response_format" not in draft.options.omit:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        return
    draft.notes.append("the wanted output format became an instruction")
    instruction = schema_instructions(schema)
    last = body["messages"][-1]
    if last["role"] == "user" and isinstance(last["content"], str):
        last["content"] += f"\n\n{instruction}"
    else:
        body["messages"].append({"role": "user", "content": instruction})
