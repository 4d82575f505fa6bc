"""Whatever an upstream sends: nothing is raised, and what reaches the client is a legal stream."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccp_core.protocol.grammar import UpstreamStreamError
from ccp_core.testing import named_frame

ODD = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.text(max_size=3), st.just([]), st.just({}))
INDEX = st.one_of(st.integers(0, 3), st.integers(0, 3), ODD)
TEXT = st.one_of(st.sampled_from(["a", "<think>", "</think>", "x" * 9, "<tool_call>", "`", "\n", ""]), ODD)
JSON_TEXT = st.one_of(st.sampled_from(['{"file_path": "/a"}', "", "{}"]))
BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("text")}, optional={"text": TEXT, "citations": ODD}),
    st.fixed_dictionaries({"type": st.just("thinking")}, optional={"thinking": TEXT, "signature": ODD}),
    st.fixed_dictionaries(
        {"type": st.just("tool_use")},
        optional={
            "id": ODD,
            "name": st.one_of(st.just("read"), ODD),
            "input": st.sampled_from([{}, {"a": 1}, None]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["redacted_thinking", "new_block"]), "data": st.just("d")}
    ),
    ODD,
)
DELTA = st.one_of(
    st.fixed_dictionaries({"type": st.just("text_delta"), "text": TEXT}),
    st.fixed_dictionaries({"type": st.just("thinking_delta"), "thinking": TEXT}),
    st.fixed_dictionaries({"type": st.just("input_json_delta"), "partial_json": JSON_TEXT}),
    st.fixed_dictionaries({"type": st.just("signature_delta"), "signature": ODD}),
    st.fixed_dictionaries({"type": ODD}),
    ODD,
)
USAGE = st.one_of(
    ODD, st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "server_tool_use"]), ODD)
)
EVENT = st.one_of(
    st.builds(lambda i, b: {"type": "content_block_start", "index": i, "content_block": b}, INDEX, BLOCK),
    st.builds(lambda i, d: {"type": "content_block_delta", "index": i, "delta": d}, INDEX, DELTA),
    st.builds(lambda i, d: {"type": "content_block_delta", "index": i, "delta": d}, INDEX, DELTA),
    st.builds(lambda i: {"type": "content_block_stop", "index": i}, INDEX),
    st.builds(
        lambda m: {"type": "message_start", "message": m},
        st.one_of(ODD, st.builds(dict, usage=USAGE, id=ODD)),
    ),
    st.builds(
        lambda r, u: {"type": "message_delta", "delta": {"stop_reason": r}, "usage": u},
        st.one_of(st.just("end_turn"), ODD),
        USAGE,
    ),
    st.builds(lambda b: {"type": "message", "content": b}, st.one_of(ODD, st.lists(BLOCK, max_size=2))),
    st.sampled_from(
        [{"type": "ping"}, {"type": "message_stop"}, {"type": "error", "error": None}, {}, {"type": None}]
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, max_size=12), st.integers(1, 5))
def test_any_stream_is_survived(stream: Any, events: list[Any], reads: int) -> None:
    """Members of any type and events in any order end in an error of the upstream or in a legal answer."""
    one = stream()
    frames = [
        named_frame(event)
        if isinstance(event.get("type"), str)
        else b"data: " + orjson.dumps(event) + b"\n\n"
        for event in events
    ]
    try:
        for start in range(0, len(frames), reads):
            one.feed(b"".join(frames[start : start + reads]))
        one.finish()
    except UpstreamStreamError:
        return
    if one.grammar.finished:
        one.message()
