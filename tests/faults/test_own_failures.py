"""A fault in the proxy itself is told like any other: in the stream once it has begun, as a status before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from ccp_core.protocol.events import StreamEvent
from ccp_core.protocol.grammar import Grammar
from ccp_core.testing import Delay, Turn, say, validate_stream
from ccp_core.testing.proxy_app import TURN, one_provider

SECRET = "a prompt that the exception quotes"


@pytest.fixture
def _breaks_after(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """From its so many-th use on the grammar raises what no module of ours should."""
    accept = Grammar.accept
    left = [request.param]

    def broken(grammar: Grammar, events: Sequence[StreamEvent]) -> list[StreamEvent]:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError(SECRET)
        return accept(grammar, events)

    monkeypatch.setattr(Grammar, "accept", broken)


def slowly(request: Any) -> Any:
    """An answer whose events come in a read each."""
    answer = say(request, Turn(text="Hello there, you", chunk_size=4))
    for number in range(len(answer.steps) - 1, 0, -1):
        answer = answer.insert(number, Delay(0.02))
    return answer


@pytest.mark.parametrize("_breaks_after", [3], indirect=True)
@pytest.mark.usefixtures("_breaks_after")
async def test_a_stream_that_has_begun_ends_with_an_error_in_its_open_block(
    fake_upstream: Any, start_proxy: Any
) -> None:
    """And not with the head of another answer in the middle of it; the client asks again."""
    upstream = await fake_upstream(slowly)
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    with structlog.testing.capture_logs() as logs:
        reply = await proxy.stream(TURN)
    stream = validate_stream(reply.body, ending="error", error_in_open_block=True)
    assert stream.open_block == 0
    assert stream.error["type"] == "api_error"
    assert reply.headers["request-id"] in stream.error["message"]
    assert [entry["event"] for entry in logs] == ["request_failed", "request"]
    assert (logs[0]["exception_type"], logs[1]["status"]) == ("RuntimeError", 500)
    assert SECRET not in repr(logs) + reply.body.decode()


@pytest.mark.parametrize("_breaks_after", [0], indirect=True)
@pytest.mark.usefixtures("_breaks_after")
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "json"])
async def test_before_content_it_is_a_status(streamed: bool, fake_upstream: Any, start_proxy: Any) -> None:
    upstream = await fake_upstream(slowly)
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    reply = await proxy.post({**TURN, "stream": streamed})
    assert (reply.status, reply.error["type"]) == (500, "api_error")
    assert reply.headers["request-id"] in reply.error["message"]
    assert SECRET not in reply.body.decode()
