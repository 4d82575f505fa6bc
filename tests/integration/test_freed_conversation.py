"""What makes a request large is let go of as soon as it cannot be sent again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ccp_core import hookimpl
from ccp_core.gateway import load_host
from ccp_core.testing import Gate, Wait, chat_error, chat_stream
from ccp_core.testing.proxy_app import TURN, one_provider

NOTES = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Notes."}}
ASKED = {**TURN, "messages": [{"role": "user", "content": [NOTES]}]}


class Watcher:
    """Notes how many messages the stream hooks see: the client's, those of them with documents, the upstream's."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, int]] = []

    @hookimpl(wrapper=True)
    def ccp_translate_chunk(self, stream: Any) -> Any:
        request, sent = stream.request, stream.upstream_request.body.get("messages", [])
        self.seen.append((len(request.messages), len(request.nested), len(sent)))
        return (yield)


@pytest.mark.parametrize(("recovery", "last"), [(False, (0, 0, 0)), (True, (1, 1, 1))])
async def test_a_conversation_is_freed_once_its_answer_has_begun(
    recovery: bool, last: tuple[int, int, int], fake_upstream: Any, start_proxy: Any
) -> None:
    """Unless a cut answer is to be continued, for which the conversation is asked again."""
    gate = Gate()
    answer = chat_stream(text="one two three", chunk_size=4).after(Wait(gate))
    upstream = await fake_upstream([chat_stream(text="to be counted")] * 3 + [answer])
    watcher, host = Watcher(), load_host()
    host.add(SimpleNamespace(ccp_translate_chunk=watcher.ccp_translate_chunk), name="watcher")
    proxy = await start_proxy(
        one_provider("nvidia_nim", upstream.base_url, limits={"recovery": recovery}), host=host
    )
    for _ in range(3):  # a model's first prompts are counted when their answer ends
        await proxy.stream(ASKED)
    watcher.seen.clear()
    async with proxy.session.post(f"{proxy.url}/v1/messages", json={**ASKED, "stream": True}) as response:
        gate.open()
        assert b"message_stop" in await response.read()
    assert watcher.seen[0] == (1, 1, 1)
    assert watcher.seen[-1] == last


async def test_what_is_tried_again_is_sent_whole(fake_upstream: Any, start_proxy: Any) -> None:
    """As long as nothing has reached the client, each attempt has the whole conversation."""
    upstream = await fake_upstream([chat_error(500, "no"), chat_stream(text="yes")])
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    assert (await proxy.stream(TURN)).status == 200
    first, second = (request.json for request in upstream.requests)
    assert first == second
