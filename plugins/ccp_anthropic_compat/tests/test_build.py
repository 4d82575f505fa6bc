"""The request that leaves: what each fact of a dialect does to what the client sent."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import ccp_anthropic_compat as transport
import orjson
import pytest
from ccp_anthropic_compat import ANTHROPIC_FIELDS, PLAIN_BLOCKS, PLAIN_TOOL_FIELDS, MessagesDialect

from ccp_core.protocol.messages import MessagesRequest
from ccp_core.protocol.thinking import sign
from ccp_core.provider import BuildOptions, ModelCard, Provider, UpstreamRequest
from ccp_core.route import Route

Json = dict[str, Any]
Build = Callable[..., UpstreamRequest]

EPHEMERAL = {"type": "ephemeral"}
ALL = MessagesDialect(
    fields=None,
    blocks=None,
    tool_fields=None,
    betas=True,
    billing_header=True,
    system_role=True,
    server_tools=True,
    is_error=True,
    output_format=True,
    thinking_history="own",
    cache_control=frozenset({"system", "messages", "tools"}),
)


def text(value: str, **more: Any) -> Json:
    return {"type": "text", "text": value, **more}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def call(id: str = "t1") -> Json:
    return {"type": "tool_use", "id": id, "name": "Read", "input": {}}


def result(content: Any, id: str = "t1", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


def client_body(**changes: Any) -> Json:
    """A turn as Claude Code sends it."""
    body = {
        "model": "claude-opus-4-8",
        "messages": [
            user(text("env"), text("go")),
            {"role": "system", "content": "rules", "output_config": {"effort": "high"}},
            assistant({"type": "thinking", "thinking": "Hm.", "signature": ""}, text("I read."), call()),
            {
                "role": "user",
                "content": [
                    {"tool_use_id": "t1", "type": "tool_result", "content": "ok", "cache_control": EPHEMERAL}
                ],
            },
            {"role": "system", "content": "hurry"},
        ],
        "system": [
            text("x-anthropic-billing-header: cc_version=2.1.197.abc; cc_entrypoint=cli;"),
            text("You are Claude Code.", cache_control=EPHEMERAL),
            text("Prompt.", cache_control=EPHEMERAL),
        ],
        "tools": [
            {"name": "Read", "description": "d", "input_schema": {"type": "object"}, "defer_loading": True}
        ],
        "metadata": {"user_id": "{}"},
        "max_tokens": 64000,
        "thinking": {"type": "adaptive", "display": "updates"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not None}


@pytest.fixture
def build(provider: Callable[..., Provider]) -> Build:
    """The upstream's request for a client's body; the client's own objects must be left as they were."""

    def make(body: Json, dialect: MessagesDialect | None = None, **options: Any) -> UpstreamRequest:
        before = copy.deepcopy(body)
        settings = {name: options.pop(name) for name in ("models", "base_url", "id") if name in options}
        built = transport.ccp_build_request(
            provider(dialect, **settings),
            MessagesRequest(body, betas=options.pop("betas", "")),
            Route(provider_id="acme", model="m1"),
            BuildOptions(**options),
        )
        assert body == before
        return built

    return make


def messages(
    build: Build, *given: Json, dialect: MessagesDialect | None = None, **options: Any
) -> list[Json]:
    return build(client_body(messages=list(given)), dialect, **options).body["messages"]


def test_a_turn_for_an_endpoint_of_which_nothing_is_known(build: Build) -> None:
    """The safe default: plain fields and blocks, no marks, nothing that only Anthropic understands."""
    built = build(client_body())
    reminder = "<system-reminder>\n{}\n</system-reminder>"
    assert built.path == "/messages"
    assert built.headers == {"anthropic-version": "2023-06-01"}
    assert built.body == {
        "model": "m1",
        "max_tokens": 64000,
        "stream": True,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "system": [text("You are Claude Code."), text("Prompt.")],
        "tools": [{"name": "Read", "description": "d", "input_schema": {"type": "object"}}],
        "messages": [
            user(text("env"), text("go"), text(reminder.format("rules"))),
            assistant({"type": "thinking", "thinking": "Hm.", "signature": ""}, text("I read."), call()),
            user(result("ok"), text(reminder.format("hurry"))),
        ],
    }


def test_an_endpoint_that_takes_everything_gets_nearly_everything(build: Build) -> None:
    """Only the model and what cannot be true for it change: unsigned thinking never reaches one that checks it."""
    body = client_body(new_field=1)
    built = build(body, ALL, betas="a-1,b-2")
    assert built.headers["anthropic-beta"] == "a-1,b-2"
    wanted = copy.deepcopy(body)
    wanted["model"] = "m1"
    wanted["messages"][2]["content"].pop(0)
    for message in wanted["messages"]:
        if isinstance(message["content"], str):
            message["content"] = [text(message["content"])]
    assert built.body == wanted


@pytest.mark.parametrize("name", sorted(ANTHROPIC_FIELDS))
def test_fields_of_anthropic_alone_stay_here(name: str, build: Build) -> None:
    """What only Anthropic's API knows leaves for endpoints that know it, and for no other."""
    assert name not in build(client_body(**{name: {"a": 1}})).body
    assert name not in build(client_body(**{name: {"a": 1}}), MessagesDialect(other_fields=True)).body
    if name != "betas":
        assert name in build(client_body(**{name: {"a": 1}}), ALL).body


def test_other_fields_pass_where_they_are_welcome(build: Build) -> None:
    """A person's own extra fields reach a local server."""
    assert "min_p" not in build(client_body(min_p=0.1)).body
    assert build(client_body(min_p=0.1), MessagesDialect(other_fields=True)).body["min_p"] == 0.1


@pytest.mark.parametrize(
    ("dialect", "base_url", "wanted"),
    [
        (MessagesDialect(), "http://a/v1", "/messages"),
        (MessagesDialect(path="/v1/messages"), "http://a", "/v1/messages"),
        (MessagesDialect(path="/v1/messages"), "http://a/v1", "/messages"),
    ],
)
def test_the_path_fits_the_base_url(
    dialect: MessagesDialect, base_url: str, wanted: str, build: Build
) -> None:
    """A base URL with the version at its end does not lead to it twice."""
    assert build(client_body(), dialect, base_url=base_url).path == wanted


@pytest.mark.parametrize(
    ("asked", "card", "cap", "wanted"),
    [
        (64000, None, None, 64000),
        (64000, ModelCard(id="m1", max_output=8192), None, 8192),
        (64000, ModelCard(id="m1", context_window=32768), None, 32768),
        (64000, ModelCard(id="m1", max_output=8192), 4096, 4096),
        (None, None, None, 32000),
        (100, ModelCard(id="m1", max_output=8192), 4096, 100),
    ],
)
def test_max_tokens(asked: Any, card: ModelCard | None, cap: int | None, wanted: int, build: Build) -> None:
    """The answer's bound is the least of what is asked, possible and learned, and is never missing."""
    models = {} if card is None else {"m1": card}
    built = build(client_body(max_tokens=asked), models=models, max_tokens=cap)
    assert built.body["max_tokens"] == wanted
    assert ("max_tokens was lowered to what is possible here" in built.notes) is (wanted < (asked or 0))


ENABLED = MessagesDialect(thinking=frozenset({"enabled", "disabled"}))
ADAPTIVE = MessagesDialect(thinking=frozenset({"adaptive", "disabled"}))
SILENT = MessagesDialect(thinking=frozenset())
TEMPLATE = MessagesDialect(thinking_off={"chat_template_kwargs": {"enable_thinking": False}})
UNASKED = MessagesDialect(thinks_unasked=True)
OFF = {"type": "disabled"}

THINKING: list[tuple[str, MessagesDialect | None, Any, Json, Any]] = [
    ("adaptive as it is", None, {"type": "adaptive"}, {}, {"type": "adaptive"}),
    ("adaptive as a budget", ENABLED, {"type": "adaptive"}, {}, {"type": "enabled", "budget_tokens": 16384}),
    ("between tools as adaptive", None, {"type": "between_tools"}, {}, {"type": "adaptive"}),
    ("a budget as adaptive", ADAPTIVE, {"type": "enabled", "budget_tokens": 5000}, {}, {"type": "adaptive"}),
    ("a budget below max_tokens", None, {"type": "enabled", "budget_tokens": 99999}, {},
     {"type": "enabled", "budget_tokens": 63999}),
    ("a budget that is too small", None, {"type": "enabled", "budget_tokens": 5}, {},
     {"type": "enabled", "budget_tokens": 1024}),
    ("no room for a budget", ENABLED, {"type": "adaptive"}, {"max_tokens": 1000}, OFF),
    ("an endpoint that is not to be asked", SILENT, {"type": "adaptive"}, {}, None),
    ("off", None, {"type": "disabled"}, {}, OFF),
    ("off for the tier", None, {"type": "adaptive"}, {"thinking": False}, OFF),
    ("off for the tier, nothing asked", None, None, {"thinking": False}, OFF),
    ("nothing asked", None, None, {}, None),
    ("nothing asked of a model that thinks unasked", UNASKED, None, {}, OFF),
    ("off by the template", TEMPLATE, {"type": "disabled"}, {}, None),
    ("learned: only enabled", None, {"type": "adaptive"}, {"replace": {"thinking.type": "enabled"}},
     {"type": "enabled", "budget_tokens": 16384}),
    ("learned: not at all", None, {"type": "adaptive"}, {"omit": frozenset({"thinking"})}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dialect", "asked", "options", "wanted"), THINKING, ids=[t[0] for t in THINKING]
)
def test_thinking(name: str, dialect: Any, asked: Any, options: Json, wanted: Any, build: Build) -> None:
    """Thinking is asked for in the endpoint's way; off means off."""
    options = dict(options)
    limit = {"max_tokens": options.pop("max_tokens")} if "max_tokens" in options else {}
    assert build(client_body(thinking=asked, **limit), dialect, **options).body.get("thinking") == wanted


def test_thinking_is_switched_off_by_the_members_that_do_it(build: Build) -> None:
    """A server that ignores the standard way is told in its own, and the effort is left out with it."""
    body = build(client_body(thinking={"type": "disabled"}), TEMPLATE).body
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "output_config" not in body


def test_edits_of_thinking_go_with_it(build: Build) -> None:
    """Anthropic refuses to clear thinking where there is none; edits of other things stay."""
    thinking, tools = {"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}
    for edits, left in (([thinking], None), ([thinking, tools], {"edits": [tools]}), (7, {"edits": 7})):
        body = client_body(context_management={"edits": edits}, thinking={"type": "adaptive"})
        assert build(body, ALL).body["context_management"] == body["context_management"]
        assert build(body, ALL, thinking=False).body.get("context_management") == left


def test_an_effort_that_stands_for_off_and_a_format_go_together(build: Build) -> None:
    dialect = MessagesDialect(output_format=True, thinking_off={"output_config": {"effort": "low"}})
    wanted = {"format": {"type": "json_schema", "schema": {"title": "T"}}}
    body = client_body(output_config={"effort": "high", **wanted})
    assert build(body, dialect, thinking=False).body["output_config"] == {"effort": "low", **wanted}


@pytest.mark.parametrize(
    ("efforts", "wanted"), [({}, {"effort": "xhigh"}), ({"xhigh": "high"}, {"effort": "high"}), (None, None)]
)
def test_effort_in_the_endpoints_words(efforts: Any, wanted: Any, build: Build) -> None:
    """Values of effort are translated, or not sent at all."""
    body = client_body(output_config={"effort": "xhigh", "task_budget": {}})
    assert build(body, MessagesDialect(efforts=efforts)).body.get("output_config") == wanted


def test_structured_output(build: Build) -> None:
    """A schema is enforced by the endpoint where it can be, and asked for in the prompt elsewhere."""
    body = client_body(output_config={"format": {"type": "json_schema", "schema": {"title": "T"}}})
    enforced = build(body, MessagesDialect(output_format=True)).body
    assert enforced["output_config"] == body["output_config"]
    assert len(enforced["system"]) == 2
    asked = build(body).body
    assert "output_config" not in asked
    assert '{"title":"T"}' in asked["system"][-1]["text"]
    refused = build(body, MessagesDialect(output_format=True), omit=frozenset({"output_config.format"})).body
    assert refused == asked


TOOLS = [
    {"name": "Read", "input_schema": {}, "type": "custom", "cache_control": EPHEMERAL, "strict": True},
    {"name": "Bash"},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
]


def test_tools_are_cut_to_what_is_known(build: Build) -> None:
    """No type, no marks, no extras, always a schema, and no tools that only Anthropic's servers run."""
    assert build(client_body(tools=TOOLS)).body["tools"] == [
        {"name": "Read", "input_schema": {}},
        {"name": "Bash", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_tools_keep_what_an_endpoint_knows(build: Build) -> None:
    """A richer endpoint gets more of a tool."""
    dialect = MessagesDialect(
        tool_fields=PLAIN_TOOL_FIELDS | {"strict"}, server_tools=True, cache_control=frozenset({"tools"})
    )
    tools = build(client_body(tools=TOOLS), dialect).body["tools"]
    assert tools[0] == {"name": "Read", "input_schema": {}, "cache_control": EPHEMERAL, "strict": True}
    assert tools[2] == TOOLS[2]
    learned = build(client_body(tools=TOOLS), dialect, omit=frozenset({"tools.strict"})).body["tools"]
    assert learned[0] == {"name": "Read", "input_schema": {}, "cache_control": EPHEMERAL}


AUTO_ONLY = MessagesDialect(tool_choices=frozenset({"auto"}))
NO_TOOL = MessagesDialect(tool_choices=frozenset({"auto", "any"}))
FORCED = {"type": "tool", "name": "Bash"}

CHOICES: list[tuple[str, MessagesDialect | None, Any, list[str] | None, Any]] = [
    ("as it is", None, FORCED, ["Read", "Bash"], FORCED),
    ("with its flag", None, {"type": "auto", "disable_parallel_tool_use": True}, ["Read", "Bash"],
     {"type": "auto", "disable_parallel_tool_use": True}),
    ("a forced tool alone", NO_TOOL, FORCED, ["Bash"], {"type": "any"}),
    ("a forced tool alone, without force", AUTO_ONLY, FORCED, ["Bash"], None),
    ("any, without force", AUTO_ONLY, {"type": "any"}, ["Read", "Bash"], None),
    ("none", None, {"type": "none"}, ["Read", "Bash"], {"type": "none"}),
    ("none, by leaving the tools out", AUTO_ONLY, {"type": "none"}, None, None),
    ("a tool that is not sent", None, {"type": "tool", "name": "web_search"}, ["Read", "Bash"], None),
    ("a tool that is not there", NO_TOOL, {"type": "tool", "name": "gone"}, ["Read", "Bash"], {"type": "auto"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dialect", "choice", "names", "wanted"), CHOICES, ids=[c[0] for c in CHOICES]
)
def test_tool_choice(name: str, dialect: Any, choice: Any, names: Any, wanted: Any, build: Build) -> None:
    """What an endpoint cannot be told is brought about by what it is offered."""
    body = build(client_body(tools=TOOLS, tool_choice=choice), dialect).body
    assert ([tool["name"] for tool in body["tools"]] if "tools" in body else None) == names
    assert body.get("tool_choice") == wanted


@pytest.mark.parametrize("tools", [[], [TOOLS[2]], None])
def test_without_tools_there_is_no_choice(tools: Any, build: Build) -> None:
    """Neither member is sent when there is nothing to call."""
    body = build(client_body(tools=tools, tool_choice={"type": "auto"})).body
    assert "tools" not in body
    assert "tool_choice" not in body


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aa"}}
LINKED = {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aa"}}
NOTES = {
    "type": "document",
    "title": "notes",
    "source": {"type": "text", "media_type": "text/plain", "data": "abc"},
}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"title": "T", "url": "http://t"}]}
NO_IMAGE = text("[image omitted: this model takes no images]")
NO_PDF = text("[document (PDF) omitted: this model cannot open it; read its text with a tool instead]")
WITH_DOCUMENTS = MessagesDialect(blocks=PLAIN_BLOCKS | {"document"})

BLOCKS: list[tuple[str, MessagesDialect | None, Json, Json, Json]] = [
    ("an image", None, {}, IMAGE, IMAGE),
    ("an image for a model without eyes", None, {"vision": False}, IMAGE, NO_IMAGE),
    ("a linked image", None, {}, LINKED, LINKED),
    ("a linked image where only data is taken", MessagesDialect(images=frozenset({"base64"})), {}, LINKED,
     text("[image http://x/y.png omitted: it can only be given as data]")),
    ("an image of a kind that is no word", None, {}, {"type": "image", "source": {"type": []}},
     text("[image  omitted: it can only be given as data]")),
    ("a text document", None, {}, NOTES, text('<document title="notes">\nabc\n</document>')),
    ("a PDF", None, {}, PDF, NO_PDF),
    ("a PDF where it is taken", WITH_DOCUMENTS, {}, PDF, PDF),
    ("a PDF that was refused", WITH_DOCUMENTS, {"omit": frozenset({"messages.document"})}, PDF, NO_PDF),
    ("a search result", None, {}, {"type": "search_result", "title": "T", "source": "s", "content": [text("c")]},
     text("T (s)\nc")),
    ("an unknown block", None, {}, {"type": "new_block", "x": 1}, text("[new_block omitted]")),
    ("an unknown block where all pass", ALL, {}, {"type": "new_block", "x": 1}, {"type": "new_block", "x": 1}),
    ("text with extras", None, {}, text("a", citations=None, cache_control=EPHEMERAL), text("a")),
    ("text with its mark", MessagesDialect(cache_control=frozenset({"messages"})), {},
     text("a", citations=None, cache_control=EPHEMERAL), text("a", cache_control=EPHEMERAL)),
    ("text whose mark was refused", ALL, {"omit": frozenset({"cache_control"})}, text("a", cache_control=EPHEMERAL),
     text("a")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "dialect", "options", "block", "wanted"), BLOCKS, ids=[b[0] for b in BLOCKS]
)
def test_blocks_of_the_user(
    name: str, dialect: Any, options: Json, block: Json, wanted: Json, build: Build
) -> None:
    """What an endpoint does not take is told to the model as text, also inside a tool result."""
    assert messages(build, user(block), dialect=dialect, **options) == [user(wanted)]
    assert messages(
        build, user(text("a")), assistant(call()), user(result([block])), dialect=dialect, **options
    )[2] == (user(result([wanted])))


def test_server_tools_of_the_history_become_words(build: Build) -> None:
    """A search that a server ran is told to a model whose endpoint knows no such block."""
    assert messages(build, user(text("a")), assistant(SEARCH, FOUND))[1] == assistant(
        text('[web_search was called with {"query":"q"}]'), text("[results of web_search]\n- T: http://t")
    )
    assert messages(build, user(text("a")), assistant(SEARCH, FOUND), dialect=ALL)[1] == assistant(
        SEARCH, FOUND
    )


RESULTS: list[tuple[str, MessagesDialect | None, Json, list[Json]]] = [
    ("text", None, result("ok"), [result("ok")]),
    ("no content", None, {"type": "tool_result", "tool_use_id": "t1"}, [{"type": "tool_result", "tool_use_id": "t1"}]),
    ("success", None, result("ok", is_error=False), [result("ok")]),
    ("an error in words", None, result("gone", is_error=True), [result("Error: gone")]),
    ("an error that says so itself", None, result("<tool_use_error>x", is_error=True), [result("<tool_use_error>x")]),
    ("an error in blocks", None, result([text("gone")], is_error=True), [result([text("Error: gone")])]),
    ("an error in an image", None, result([IMAGE], is_error=True), [result([text("Error"), IMAGE])]),
    ("an error where it is known", MessagesDialect(is_error=True), result("gone", is_error=True),
     [result("gone", is_error=True)]),
    ("a loaded tool", None, result([{"type": "tool_reference", "tool_name": "Grep"}]),
     [result([text("The tool Grep is loaded and can be called now.")])]),
    ("empty text", None, result([text(""), text("a")]), [result([text("a")])]),
    ("text that is none", None, result([{"type": "text", "text": [1]}, text("a")], is_error=True),
     [result([text("Error: a")])]),
    ("a string", MessagesDialect(flat_results=True), result([text("a"), IMAGE, text("b")]),
     [result("a\n[image below]\nb"), IMAGE]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "dialect", "block", "wanted"), RESULTS, ids=[r[0] for r in RESULTS])
def test_tool_results(name: str, dialect: Any, block: Json, wanted: list[Json], build: Build) -> None:
    """Results keep their meaning in the form that the endpoint takes."""
    assert messages(build, user(text("a")), assistant(call()), user(block), dialect=dialect)[2] == user(
        *wanted
    )


def test_a_result_that_never_came_is_made_up_in_words_alone(build: Build) -> None:
    """Also for an endpoint that knows no ``is_error``."""
    made_up = result("[no result: interrupted]")
    assert messages(build, user(text("a")), assistant(call()), user(text("b")))[2] == user(made_up, text("b"))


OWN, OTHER, NATIVE, NONE = sign("acme", "sig"), sign("other", "sig"), "EqQBCk", ""
CHECKS = MessagesDialect(thinking_history="own", blocks=PLAIN_BLOCKS | {"redacted_thinking"})

SIGNATURES: list[tuple[str, MessagesDialect | None, str, Any]] = [
    ("its own", None, OWN, "sig"),
    ("another's", None, OTHER, ""),
    ("a placeholder for another's", MessagesDialect(signature_placeholder="x"), OTHER, "x"),
    (
        "a placeholder for its own without signature",
        MessagesDialect(signature_placeholder="x"),
        sign("acme", ""),
        "x",
    ),
    ("no history", MessagesDialect(thinking_history="none"), OWN, None),
    ("checked: its own", CHECKS, OWN, "sig"),
    ("checked: another's", CHECKS, OTHER, None),
    ("checked: none", CHECKS, NONE, None),
    ("checked: its own without signature", CHECKS, sign("acme", ""), None),
    ("checked: from before the proxy", CHECKS, NATIVE, NATIVE),
]


@pytest.mark.parametrize(("name", "dialect", "given", "wanted"), SIGNATURES, ids=[s[0] for s in SIGNATURES])
def test_thinking_of_earlier_turns(name: str, dialect: Any, given: str, wanted: Any, build: Build) -> None:
    """A provider gets its own signature back; no foreign one reaches an endpoint that checks."""
    block = {"type": "thinking", "thinking": "Hm.", "signature": given}
    content = messages(build, user(text("a")), assistant(block, text("b")), dialect=dialect)[1]["content"]
    kept = [] if wanted is None else [{"type": "thinking", "thinking": "Hm.", "signature": wanted}]
    assert content == [*kept, text("b")]


@pytest.mark.parametrize(
    ("dialect", "given", "wanted"),
    [(None, OWN, None), (CHECKS, OWN, "sig"), (CHECKS, OTHER, None), (CHECKS, NATIVE, NATIVE)],
)
def test_redacted_thinking(dialect: Any, given: str, wanted: Any, build: Build) -> None:
    """Encrypted thinking goes back only to who can read it."""
    block = {"type": "redacted_thinking", "data": given}
    content = messages(build, user(text("a")), assistant(block, text("b")), dialect=dialect)[1]["content"]
    assert content == [
        *([] if wanted is None else [{"type": "redacted_thinking", "data": wanted}]),
        text("b"),
    ]


def test_a_turn_of_nothing_but_foreign_thinking_vanishes(build: Build) -> None:
    """What is left out leaves no empty message behind."""
    foreign = {"type": "thinking", "thinking": "Hm.", "signature": OTHER}
    assert messages(build, user(text("a")), assistant(foreign), user(text("b")), dialect=CHECKS) == [
        user(text("a"), text("b"))
    ]


def test_thinking_stands_before_tools_where_it_must(build: Build) -> None:
    """A turn that has lost its thinking gets a placeholder, but only while thinking is on."""
    dialect = MessagesDialect(thinking_before_tools=True, signature_placeholder="x")
    turns = [user(text("a")), assistant(text("b"), call()), user(result("ok"))]
    placeholder = {"type": "thinking", "thinking": " ", "signature": "x"}
    assert messages(build, *turns, dialect=dialect)[1] == assistant(placeholder, text("b"), call())
    assert messages(build, *turns, dialect=dialect, thinking=False)[1] == assistant(text("b"), call())


def test_a_budget_pauses_in_a_turn_that_another_provider_began(build: Build) -> None:
    """An endpoint with signatures refuses a budget where the turn that goes on has no thinking of its own."""
    turns = [user(text("a")), assistant(call()), user(result("ok"))]
    asked = {"type": "enabled", "budget_tokens": 4000}
    assert build(client_body(messages=turns, thinking=asked), CHECKS).body["thinking"] == OFF
    turns += [assistant(text("done")), user(text("next"))]
    assert build(client_body(messages=turns, thinking=asked), CHECKS).body["thinking"] == asked


def test_plain_ids(build: Build) -> None:
    """Ids that a strict endpoint refuses are rewritten, the same way in call and result."""
    turns = [user(text("a")), assistant(call("functions.Read:0")), user(result("ok", "functions.Read:0"))]
    sent = messages(build, *turns, dialect=MessagesDialect(plain_ids=True))
    assert sent[1:] == [assistant(call("functions_Read_0")), user(result("ok", "functions_Read_0"))]
    assert messages(build, *turns) == turns


def test_system_messages_stay_where_they_may(build: Build) -> None:
    """An endpoint with the system role gets the messages in their places, unless it has refused that."""
    dialect = MessagesDialect(system_role=True)
    roles = [message["role"] for message in build(client_body(), dialect).body["messages"]]
    assert roles == ["user", "system", "assistant", "user", "system"]
    assert (
        build(client_body(), dialect, omit=frozenset({"messages.system"})).body == build(client_body()).body
    )


def test_what_was_refused_before_is_left_out(build: Build) -> None:
    """Members that a model does not take are left out or replaced, and the rest of their object stays."""
    body = client_body(temperature=1, top_p=0.5)
    built = build(
        body,
        ALL,
        omit=frozenset({"temperature", "thinking.display", "output_config.effort", "absent.member"}),
        replace={"top_p": 0.95, "top_k": 5},
    )
    assert "temperature" not in built.body
    assert built.body["thinking"] == {"type": "adaptive"}
    assert "output_config" not in built.body
    assert built.body["top_p"] == 0.95
    assert "top_k" not in built.body
    assert any("temperature" in note for note in built.notes)


def test_notes_hold_nothing_of_the_content(build: Build) -> None:
    """What was changed can be logged."""
    secret = "pass-phrase"
    turns = [user({**PDF, "title": secret}), assistant(call(), text(secret)), user(text(secret), IMAGE)]
    notes = build(client_body(messages=turns), vision=False).notes
    assert notes
    assert secret not in " ".join(notes)


@pytest.mark.parametrize("dialect", [None, ALL, CHECKS, MessagesDialect(system_role=True)])
def test_the_prefix_is_the_same_from_turn_to_turn(dialect: MessagesDialect | None, build: Build) -> None:
    """What an upstream has seen before it sees again byte for byte, so that it can reuse its cache."""
    turns: list[Json] = [user(text("env"), text("go")), {"role": "system", "content": "rules"}]
    before = b""
    for number in range(30):
        sent = build(client_body(messages=copy.deepcopy(turns)), dialect).body
        now = orjson.dumps([sent.get("system"), sent["tools"], sent["messages"]])
        assert now.startswith(before.removesuffix(b"]]"))
        before = now
        id = f"call_{number % 4}"
        thinking = {"type": "thinking", "thinking": "Hm.", "signature": (OWN, OTHER, NONE)[number % 3]}
        turns += [
            assistant(thinking, text(f"step {number}"), call(id)),
            user(result([text("ok"), IMAGE], id)),
        ]
        if number % 3 == 0:
            turns.append({"role": "system", "content": [text("The task tools have not been used.")]})


def test_a_model_that_must_think_is_not_asked_not_to(build: Build) -> None:
    """Where thinking is mandatory, off is what the client shows, not what the model is told."""
    models = {"m1": ModelCard(id="m1", thinking_mandatory=True)}
    assert "thinking" not in build(client_body(thinking=OFF), models=models).body


def test_models_of_one_provider_may_differ(build: Build) -> None:
    """A provider gives a function from model ids to dialects where one dialect does not fit all its models."""
    body = client_body(metadata={"user_id": "u"})
    assert "metadata" not in build(body, lambda model: MessagesDialect()).body
    assert "metadata" in build(body, lambda model: ALL if model == "m1" else MessagesDialect()).body
