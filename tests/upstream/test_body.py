"""What an upstream is sent."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import orjson
import pytest

from ccp_core.upstream.body import pack

TOOLS = [{"name": "Read", "description": "größer → once", "input_schema": {"type": "object"}}]


@pytest.mark.parametrize("turns", [1, 2, 3, 12])
def test_tools_that_are_sent_again_and_again_are_the_same_json(turns: int) -> None:
    others = [[{"name": f"tool-{number}"}] for number in range(20)]
    for turn in range(turns):
        body = {
            "model": "a",
            "messages": [{"role": "user", "content": str(turn)}],
            "tools": TOOLS,
            "stream": True,
        }
        assert pack(body) == orjson.dumps(body)
        for tools in others:
            assert pack({"tools": tools, "stream": True}) == orjson.dumps({"tools": tools, "stream": True})


@pytest.mark.parametrize("body", [{}, {"tools": None}, {"tools": []}, {"tools": {"a": 1}}, {"messages": []}])
def test_a_body_without_tools_is_written_as_it_is(body) -> None:
    assert pack(body) == orjson.dumps(body)


def test_large_tools_are_let_go_of() -> None:
    """A few of them would fill the memory of a small machine."""

    class Tool(dict[str, Any]):
        """A dict whose end can be seen."""

    tool = Tool(name="Read", description="." * 2_000_000)
    seen = weakref.ref(tool)
    body = {"tools": [tool]}
    pack(body)
    pack(body)
    del tool, body
    gc.collect()
    assert seen() is None
