"""What the grammar makes of what hooks produce: always a stream that the strict validator accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_core.protocol.collect import Collector
from ccp_core.protocol.encode import encode
from ccp_core.protocol.events import (
    BlockStart,
    BlockStop,
    InputJSONDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    OtherDelta,
    Ping,
    SignatureDelta,
    StreamError,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from ccp_core.protocol.grammar import Grammar, UpstreamStreamError
from ccp_core.testing import validate_stream

TEXT = {"type": "text", "text": ""}
THINKING = {"type": "thinking", "thinking": ""}


def tool(tool_id="toolu_1", name="Read"):
    return {"type": "tool_use", "id": tool_id, "name": name}


def grammar(**options):
    return Grammar(model="claude-opus", provider="test", **options)


def run(events, **options):
    """The validated stream of ``events``, each fed by itself, with the end that finish() gives."""
    machine = grammar(**options)
    out = [legal for event in events for legal in machine.accept([event])]
    out += machine.finish()
    return validate_stream(encode(out))


def content(events, **options):
    return run(events, **options).message.content


def test_text_that_names_no_start_opens_its_block_by_itself():
    assert content([TextDelta(5, "Hel"), TextDelta(5, "lo")]) == [{"type": "text", "text": "Hello"}]


def test_nothing_is_sent_before_there_is_content():
    machine = grammar()
    assert machine.accept([MessageStart(usage=Usage(9)), BlockStart(0, TEXT), TextDelta(0, "")]) == []
    assert not machine.started


def test_an_empty_block_leaves_no_trace():
    events = [BlockStart(0, TEXT), BlockStop(0), BlockStart(1, THINKING), BlockStop(1), TextDelta(2, "x")]
    assert content(events) == [{"type": "text", "text": "x"}]


def test_an_answer_without_content_is_one_space():
    assert content([MessageDelta("end_turn")]) == [{"type": "text", "text": " "}]


def test_blocks_that_overlap_upstream_follow_each_other():
    # the order in which llama.cpp ends its blocks
    events = [
        BlockStart(0, THINKING),
        ThinkingDelta(0, "hm"),
        BlockStart(1, TEXT),
        TextDelta(1, "Reading."),
        BlockStart(2, tool("a")),
        InputJSONDelta(2, '{"x":'),
        InputJSONDelta(2, "1}"),
        BlockStart(3, tool("b")),
        InputJSONDelta(3, "{}"),
        SignatureDelta(0, ""),
        BlockStop(0),
        BlockStop(1),
        BlockStop(2),
        BlockStop(3),
    ]
    assert [(b["type"], b.get("input")) for b in content(events)] == [
        ("thinking", None),
        ("text", None),
        ("tool_use", {"x": 1}),
        ("tool_use", {}),
    ]


def test_pieces_of_two_tool_calls_that_interleave_are_kept_apart():
    events = [
        BlockStart(0, tool("a")),
        BlockStart(1, tool("b")),
        InputJSONDelta(1, '{"b"'),
        InputJSONDelta(0, '{"a"'),
        InputJSONDelta(1, ":2}"),
        InputJSONDelta(0, ":1}"),
    ]
    assert [block["input"] for block in content(events)] == [{"a": 1}, {"b": 2}]


def test_text_that_comes_while_a_tool_call_is_open_waits_for_its_end():
    events = [
        BlockStart(0, tool()),
        InputJSONDelta(0, '{"a"'),
        TextDelta(1, "after"),
        InputJSONDelta(0, ":1}"),
    ]
    blocks = content(events)
    assert [block["type"] for block in blocks] == ["tool_use", "text"]
    assert blocks[0]["input"] == {"a": 1}


@pytest.mark.parametrize(
    "events",
    [
        [ThinkingDelta(0, "Hm."), BlockStop(0), BlockStart(1, TEXT)],
        [TextDelta(0, "Hello"), BlockStop(0), BlockStart(1, THINKING), BlockStop(1), BlockStart(2, TEXT)],
        [TextDelta(0, "Hello"), BlockStart(0, TEXT), TextDelta(0, "")],
        [
            BlockStart(0, tool()),
            BlockStart(1, TEXT),
            TextDelta(1, "Hello"),
            BlockStart(2, THINKING),
            BlockStop(0),
        ],
    ],
    ids=["text announced", "thinking announced", "the same index", "behind a tool use"],
)
def test_a_block_stays_open_until_the_next_one_has_content(events):
    """The client would not recover from an answer that is cut in between."""
    machine = grammar()
    sent = machine.accept(events)
    starts_and_stops = [event for event in sent if type(event) in (BlockStart, BlockStop)]
    assert type(starts_and_stops[-1]) is BlockStart
    assert starts_and_stops[-1].block["type"] in ("text", "thinking")
    sent += machine.accept([BlockStart(9, TEXT), TextDelta(9, " there")]) + machine.finish()
    assert validate_stream(encode(sent)).message.content[-1] == {"type": "text", "text": " there"}


def test_what_an_announced_block_holds_beside_text_is_its_own():
    """A signature, or a citation, that comes before any text does not go to the block before it."""
    blocks = content(
        [TextDelta(0, "Hello"), BlockStart(1, THINKING), SignatureDelta(1, "sig"), TextDelta(2, " there")]
    )
    assert [block["type"] for block in blocks] == ["text", "thinking", "text"]
    citation = {"type": "citations_delta", "citation": {"url": "https://x.test"}}
    blocks = content(
        [ThinkingDelta(0, "Hm."), BlockStart(1, TEXT), OtherDelta(1, citation), TextDelta(1, "A")]
    )
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    assert blocks[1]["citations"] == [{"url": "https://x.test"}]


@pytest.mark.parametrize("stop", [[BlockStop(1)], []], ids=["stopped", "not stopped"])
def test_calls_that_wait_under_one_index_are_all_kept(stop):
    events = [BlockStart(0, tool("toolu_0"))]
    for number in (1, 2, 3):
        events += [BlockStart(1, tool(f"toolu_{number}")), InputJSONDelta(1, f'{{"n":{number}}}'), *stop]
    blocks = content([*events, BlockStop(0), BlockStop(1)])
    assert [(block["id"], block["input"]) for block in blocks[1:]] == [
        ("toolu_1", {"n": 1}),
        ("toolu_2", {"n": 2}),
        ("toolu_3", {"n": 3}),
    ]


def test_many_calls_may_wait_for_the_first_one_to_end():
    events = [BlockStart(0, tool("toolu_0"))]
    for number in range(1, 2000):
        events += [BlockStart(number, tool(f"toolu_{number}")), BlockStop(number)]
    assert len(content([*events, BlockStop(0)])) == 2000


def test_text_that_comes_back_after_its_block_was_closed_gets_a_new_block():
    events = [TextDelta(0, "a"), ThinkingDelta(1, "b"), TextDelta(0, "c")]
    assert [block["type"] for block in content(events)] == ["text", "thinking", "text"]


def test_thinking_is_signed_with_its_source_and_the_upstreams_signature():
    events = [ThinkingDelta(0, "hm"), SignatureDelta(0, "sig"), BlockStop(0)]
    assert content(events)[0]["signature"] == "ccp1.test.sig"


def test_thinking_of_which_only_the_signature_is_shown_is_kept():
    events = [BlockStart(0, THINKING), SignatureDelta(0, "sig"), BlockStop(0), TextDelta(1, "x")]
    assert [block["type"] for block in content(events)] == ["thinking", "text"]


def test_thinking_that_is_switched_off_is_not_shown():
    events = [
        ThinkingDelta(0, "hm"),
        BlockStart(1, {"type": "redacted_thinking", "data": "x"}),
        BlockStop(1),
        TextDelta(2, "x"),
    ]
    assert [block["type"] for block in content(events, show_thinking=False)] == ["text"]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([BlockStart(0, tool()), MessageDelta("end_turn")], "tool_use"),
        ([TextDelta(0, "x"), MessageDelta("tool_use")], "end_turn"),
        ([TextDelta(0, "x"), MessageDelta("max_tokens")], "max_tokens"),
        ([TextDelta(0, "x"), MessageDelta("eos")], "end_turn"),
        ([TextDelta(0, "x")], "end_turn"),
    ],
)
def test_the_stop_reason_agrees_with_what_was_sent(events, reason):
    assert run(events).message.stop_reason == reason


def test_usage_is_merged_from_start_and_end_and_always_integers():
    events = [
        MessageStart(usage=Usage(input_tokens=10, cache_read_input_tokens=3)),
        TextDelta(0, "x"),
        MessageDelta("end_turn", usage=Usage(output_tokens=7, input_tokens=12)),
    ]
    usage = run(events).message.usage
    assert usage == {
        "input_tokens": 12,
        "output_tokens": 7,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 0,
    }


@pytest.mark.parametrize(
    ("block", "delta"),
    [
        (TEXT, SignatureDelta(1, "s")),
        (THINKING, OtherDelta(1, {"type": "citations_delta", "citation": {}})),
        (TEXT, OtherDelta(1, {})),
    ],
    ids=["a signature of text", "a citation in thinking", "nothing"],
)
def test_what_a_block_cannot_hold_does_not_close_the_one_before_it(block, delta):
    machine = grammar()
    machine.accept([TextDelta(0, "x"), BlockStart(1, block), delta])
    assert machine.can_go_on


@pytest.mark.parametrize("at_the_start", [True, False])
def test_the_estimate_does_not_count_beside_a_prompt_that_came_from_a_cache(at_the_start):
    cached = Usage(input_tokens=0, cache_read_input_tokens=960)
    start, end = (cached, Usage()) if at_the_start else (Usage(), cached)
    events = [MessageStart(usage=start), TextDelta(0, "x"), MessageDelta("end_turn", usage=end)]
    machine = grammar(prompt_tokens=1000)
    machine.accept(events)
    assert machine.prompt_counted
    assert machine.usage.prompt_tokens == 960


def test_the_estimate_stays_where_the_upstream_counts_nothing():
    machine = grammar(prompt_tokens=1000)
    machine.accept(
        [MessageStart(), TextDelta(0, "x"), MessageDelta("end_turn", usage=Usage(output_tokens=3))]
    )
    assert not machine.prompt_counted
    assert machine.usage == Usage(input_tokens=1000, output_tokens=3)


def test_what_comes_after_message_stop_is_dropped():
    machine = grammar()
    machine.accept([TextDelta(0, "x"), MessageStop()])
    assert machine.accept([TextDelta(0, "y"), BlockStart(1, TEXT), Ping(), MessageStop()]) == []


def test_an_error_in_the_stream_is_raised():
    with pytest.raises(UpstreamStreamError):
        grammar().accept([StreamError({"message": "x"})])


def test_blocks_and_deltas_of_unknown_types_pass_with_their_content():
    block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    citation = {"type": "citations_delta", "citation": {"url": "https://example.com"}}
    events = [BlockStart(0, block), BlockStop(0), TextDelta(1, "x"), OtherDelta(1, citation)]
    blocks = content(events)
    assert blocks[0] == block
    assert blocks[1]["text"] == "x"


def test_the_arguments_of_a_server_tool_pass_without_making_the_answer_a_tool_call():
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    events = [BlockStart(0, search), InputJSONDelta(0, '{"query":'), InputJSONDelta(0, '"uv"}'), BlockStop(0)]
    message = run([*events, MessageDelta("end_turn")]).message
    assert message.content == [{**search, "input": {"query": "uv"}}]
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("show_thinking", "first", "types"),
    [
        (True, ThinkingDelta(0, "hm"), ["thinking"]),
        (True, TextDelta(0, "hi"), ["thinking", "text"]),
        (False, TextDelta(0, "hi"), ["text"]),
    ],
)
def test_content_goes_on_in_the_block_that_kept_the_client_awake(show_thinking, first, types):
    machine = grammar(show_thinking=show_thinking)
    out = machine.start() + machine.keepalive() + machine.keepalive()
    assert not machine.has_content
    out += machine.accept([BlockStart(0, THINKING if types[-1] == "thinking" else TEXT), first])
    out += machine.keepalive() + machine.finish()
    assert [block["type"] for block in validate_stream(encode(out)).message.content] == types


def test_a_failed_attempt_without_content_leaves_nothing_behind():
    machine = grammar()
    out = machine.start()
    out += machine.accept([BlockStart(0, TEXT)])
    machine.restart()
    out += machine.accept([ThinkingDelta(0, "hm"), TextDelta(1, "x")]) + machine.finish()
    assert [b["type"] for b in validate_stream(encode(out)).message.content] == ["thinking", "text"]


_INDEX = st.integers(0, 3)
_EVENTS = st.one_of(
    st.builds(TextDelta, _INDEX, st.sampled_from(["", "a", "é"])),
    st.builds(ThinkingDelta, _INDEX, st.sampled_from(["", "t"])),
    st.builds(SignatureDelta, _INDEX, st.sampled_from(["", "s"])),
    st.builds(BlockStart, _INDEX, st.sampled_from([TEXT, THINKING, tool(), tool("b")])),
    st.builds(BlockStop, _INDEX),
    st.builds(MessageDelta, st.sampled_from([None, "end_turn", "tool_use", "odd"])),
    st.builds(InputJSONDelta, _INDEX, st.just("")),
    st.just(Ping()),
    st.just(MessageStart()),
)


@given(st.lists(_EVENTS, max_size=25), st.booleans(), st.sets(st.integers(0, 25)))
def test_any_sequence_of_events_becomes_a_legal_stream_and_the_same_message(events, show, awake):
    machine = grammar(show_thinking=show)
    out = []
    for position, event in enumerate(events):
        if position in awake and machine.started:
            out += machine.keepalive()
        out += machine.accept([event])
        blocks = [event for event in out if type(event) in (BlockStart, BlockStop)]
        if blocks and type(blocks[-1]) is BlockStop:
            assert blocks[-2].block["type"] == "tool_use", "closed before there was something to go on with"
    out += machine.finish()
    validated = validate_stream(encode(out)).message
    collector = Collector()
    collector.accept(out)
    assert collector.message["content"] == validated.content
    assert collector.message["stop_reason"] == validated.stop_reason


def test_an_error_brings_along_what_came_before_it_in_the_same_batch():
    """The client must get it: what the grammar counts as sent has to be sent."""
    machine = grammar()
    with pytest.raises(UpstreamStreamError) as raised:
        machine.accept([TextDelta(0, "Hello"), StreamError({"message": "x"})])
    assert [type(event) for event in raised.value.before] == [MessageStart, BlockStart, TextDelta]


CALL = [BlockStart(0, tool()), InputJSONDelta(0, "{}")]


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([], False),
        ([TextDelta(0, "x"), BlockStop(0)], False),
        (CALL, False),
        ([*CALL, BlockStop(0)], True),
        ([*CALL, BlockStop(0), BlockStart(1, TEXT)], True),
        ([*CALL, BlockStop(0), BlockStart(1, TEXT), BlockStop(1)], True),
        ([*CALL, BlockStop(0), TextDelta(1, "x")], False),
        ([*CALL, BlockStop(0), BlockStart(1, tool("b"))], False),
        ([*CALL, TextDelta(1, "waiting"), BlockStop(0)], False),
    ],
)
def test_an_answer_may_end_behind_a_finished_call_and_nowhere_else(events, ends):
    machine = grammar()
    machine.accept(events)
    assert machine.ends_with_call is ends


@pytest.mark.parametrize(
    ("first", "second", "blocks"),
    [
        ([TextDelta(4, "Hel")], [TextDelta(0, "lo")], [("text", "Hello")]),
        ([TextDelta(0, "Hel"), BlockStop(0)], [BlockStart(0, TEXT), TextDelta(0, "lo")], [("text", "Hello")]),
        ([TextDelta(0, "x")], [*CALL], [("text", "x"), ("tool_use", None)]),
        (
            [ThinkingDelta(0, "h")],
            [ThinkingDelta(0, "hm"), SignatureDelta(0, "s"), TextDelta(1, "x")],
            [("thinking", "h"), ("thinking", "hm"), ("text", "x")],
        ),
    ],
    ids=["text", "ended text", "a call after text", "thinking"],
)
def test_another_stream_goes_on_where_the_first_was_cut(first, second, blocks):
    """Text in its block; thinking in a block of its own, which the second upstream signs."""
    machine = grammar()
    out = machine.accept(first)
    assert machine.can_go_on
    machine.restart()
    machine.provider = "other"
    out += machine.accept(second) + machine.finish()
    content = validate_stream(encode(out)).message.content
    assert [(b["type"], b.get(b["type"])) for b in content] == blocks
    signatures = [b["signature"] for b in content if "signature" in b]
    assert signatures == (["ccp1.test.", "ccp1.other.s"] if signatures else [])


@pytest.mark.parametrize(
    "events", [[], CALL, [TextDelta(0, "x"), *CALL], [*CALL, BlockStop(0), TextDelta(1, "x")]]
)
def test_no_stream_goes_on_behind_a_call(events):
    machine = grammar()
    machine.accept(events)
    assert not machine.can_go_on


def test_an_answer_that_only_kept_the_client_awake_still_says_something():
    """Thinking alone would make the client ask again."""
    machine = grammar()
    out = machine.start() + machine.keepalive() + machine.finish()
    assert [block["type"] for block in validate_stream(encode(out)).message.content] == ["thinking", "text"]
