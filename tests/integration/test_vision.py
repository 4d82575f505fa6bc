"""Images for a model that takes none: another model gets those turns, or a placeholder stands for the image."""

from __future__ import annotations

import orjson
import pytest

from ccp_core.cli.explanation import explain
from ccp_core.testing import (
    Answer,
    Turn,
    chat_error,
    chat_stream,
    messages_error,
    read_conversation,
    say,
)
from ccp_core.testing.proxy_app import KEY, TURN
from ccp_core.upstream import catalogue

LIMITS = {"rate": 0, "retries": 0}
BLIND = {"vision": {"chosen": False}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aW1hZ2U="}}
TEXT_ONLY = {"id": "chosen", "architecture": {"input_modalities": ["text"]}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/a.png"}}
ASK = {"role": "user", "content": "Look at a.png"}
REMINDER = {"role": "system", "content": "The task tools have not been used recently."}
CALLED = {"role": "assistant", "content": [{"type": "text", "text": "I look it up."}, CALL]}
RESULT = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "red = 1"}],
}
CALLED_AGAIN = {"role": "assistant", "content": [{**CALL, "id": "toolu_2"}]}
RESULT_AGAIN = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "content": "ok"}],
}
SAID = {"role": "assistant", "content": [{"type": "text", "text": "A red square."}]}
SHOWN = {"role": "user", "content": [IMAGE, {"type": "text", "text": "What is this?"}]}
READ = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [IMAGE]}]}


async def asked_model(messages, fake_upstream, start_proxy, *, to="own/seeing", **own):
    """Name of the model that got the conversation, and the images that it got."""
    upstream = await fake_upstream(chat_stream(text="ok"))
    provider = {"transport": "openai", "base_url": upstream.base_url, "api_key": KEY, **own}
    config = {
        "models": {"default": "own/chosen", "vision": to},
        "providers": {"own": provider},
        "limits": LIMITS,
    }
    proxy = await start_proxy(config)
    reply = await proxy.post({**TURN, "messages": messages})
    assert reply.status == 200
    [call] = upstream.model_calls
    assert reply.headers["ccp-route"] == f"own/{call.json['model']}"
    return call.json["model"], read_conversation(call).images


@pytest.mark.parametrize(
    "messages",
    [
        [SHOWN],
        [SHOWN, CALLED, RESULT],
        [SHOWN, CALLED, RESULT, CALLED_AGAIN, RESULT_AGAIN, REMINDER],
        [SHOWN, REMINDER],
        [SHOWN, {"role": "user", "content": "And quickly, please."}],
        [ASK, {"role": "assistant", "content": [CALL]}, READ],
        [ASK, {"role": "assistant", "content": [CALL]}, READ, REMINDER],
    ],
    ids=[
        "said",
        "before a tool call",
        "before two",
        "before a reminder",
        "before more words",
        "read by a tool",
        "read, before a reminder",
    ],
)
async def test_a_turn_with_an_image_goes_to_the_vision_model(messages, fake_upstream, start_proxy):
    """Whether the person showed it or a tool read it, up to the end of the turn: work on an image needs eyes."""
    model, images = await asked_model(messages, fake_upstream, start_proxy, **BLIND)
    assert model == "seeing"
    assert len(images) == 1


@pytest.mark.parametrize(
    "messages",
    [
        [ASK],
        [SHOWN, SAID, ASK],
        [SHOWN, SAID, ASK, CALLED, RESULT],
        [ASK, {"role": "assistant", "content": [CALL]}, READ, SAID, ASK],
        [SHOWN, {"role": "assistant", "content": "A red square."}, ASK],
    ],
)
async def test_other_turns_stay_with_the_chosen_model(messages, fake_upstream, start_proxy):
    """An image of an earlier turn is a placeholder by then."""
    model, images = await asked_model(messages, fake_upstream, start_proxy, **BLIND)
    assert (model, images) == ("chosen", ())


@pytest.mark.parametrize("own", [{}, {"vision": {"chosen": True}}], ids=["unknown", "takes images"])
async def test_a_model_that_may_take_images_keeps_them(own, fake_upstream, start_proxy):
    model, images = await asked_model([SHOWN], fake_upstream, start_proxy, **own)
    assert (model, len(images)) == ("chosen", 1)


async def test_without_a_vision_model_a_placeholder_stands_for_the_image(fake_upstream, start_proxy):
    model, images = await asked_model([SHOWN], fake_upstream, start_proxy, to="", **BLIND)
    assert (model, images) == ("chosen", ())


async def test_the_upstreams_list_tells_which_model_takes_no_images(fake_upstream, start_proxy):
    """No setting is needed where the list says it, also for a route that the token or the model id names."""
    upstream = await fake_upstream(
        lambda call: chat_stream(text=call.json["model"]),
        routes={"GET /models": Answer.json({"data": [TEXT_ONLY]})},
    )
    provider = {"base_url": upstream.base_url, "api_key": KEY, "transport": "openai"}
    config = {
        "models": {"default": "open_router/other", "vision": "open_router/seeing"},
        "providers": {"open_router": provider},
        "limits": LIMITS,
    }
    proxy = await start_proxy(config)
    assert await catalogue.refresh(proxy.gateway.upstreams["open_router"])
    named = {**TURN, "model": "anthropic/open_router/chosen"}
    assert (await proxy.post({**named, "messages": [SHOWN]})).json["content"][0]["text"] == "seeing"
    assert (await proxy.post({**named, "messages": [ASK]})).json["content"][0]["text"] == "chosen"


async def test_a_vision_model_of_another_provider_gets_the_turn_in_its_own_protocol(
    fake_upstream, start_proxy
):
    chosen, seeing = await fake_upstream(), await fake_upstream(chat_stream(text="A red square."))
    config = {
        "models": {"default": "open_router/chosen", "vision": "nvidia_nim/seeing"},
        "providers": {
            "open_router": {"base_url": chosen.base_url, "api_key": KEY, **BLIND},
            "nvidia_nim": {"base_url": seeing.base_url, "api_key": KEY},
        },
        "limits": LIMITS,
    }
    proxy = await start_proxy(config)
    reply = await proxy.post({**TURN, "messages": [SHOWN]})
    assert reply.json["content"][0]["text"] == "A red square."
    assert len(read_conversation(seeing.model_calls[0]).images) == 1


async def test_a_vision_model_that_cannot_be_used_is_named(fake_upstream, start_proxy):
    upstream = await fake_upstream()
    config = {
        "models": {"default": "nvidia_nim/chosen", "vision": "nowhere/seeing"},
        "providers": {"nvidia_nim": {"base_url": upstream.base_url, "api_key": KEY, **BLIND}},
        "limits": LIMITS,
    }
    proxy = await start_proxy(config)
    reply = await proxy.post({**TURN, "messages": [SHOWN]})
    assert reply.status == 400
    assert "'nowhere'" in reply.error["message"]


async def test_explain_says_why_a_turn_goes_to_the_vision_model(start_proxy):
    provider = {"transport": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": KEY, **BLIND}
    config = {"models": {"default": "own/chosen", "vision": "own/seeing"}, "providers": {"own": provider}}
    proxy = await start_proxy(config)
    explained = await explain(proxy.gateway, orjson.dumps({**TURN, "messages": [SHOWN]}))
    assert str(explained.route) == "own/seeing"
    assert explained.reason == "models.vision, since own/chosen takes no images"


NO_IMAGES = "This model does not support image input."


class Blind:
    """A service whose model ``chosen`` refuses images; all of its models say their name."""

    def __init__(self, refuse):
        self.refuse = refuse
        self.refused = 0

    def __call__(self, call):
        conversation = read_conversation(call)
        if conversation.model == "chosen" and conversation.images:
            self.refused += 1
            return self.refuse(400, NO_IMAGES)
        return say(call, Turn(text=f"{conversation.model}, {len(conversation.images)}"))


@pytest.mark.parametrize(
    ("vision", "shown", "later"),
    [("own/seeing", "seeing, 1", "seeing, 1"), ("", "chosen, 0", "chosen, 0")],
    ids=["another model sees", "no model sees"],
)
@pytest.mark.parametrize(("transport", "refuse"), [("openai", chat_error), ("anthropic", messages_error)])
async def test_a_refusal_of_images_is_met_once(
    transport, refuse, vision, shown, later, fake_upstream, start_proxy
):
    """The turn itself and later ones go to the vision model, or get a placeholder where there is none."""
    service = Blind(refuse)
    upstream = await fake_upstream(service)
    own = {"transport": transport, "base_url": upstream.base_url, "api_key": KEY}
    models = {"default": "own/chosen", "vision": vision}
    proxy = await start_proxy({"models": models, "providers": {"own": own}, "limits": LIMITS})

    async def answer(*messages):
        reply = await proxy.post({**TURN, "messages": list(messages)})
        assert reply.status == 200
        return reply.json["content"][0]["text"], reply.headers["ccp-route"]

    assert await answer(SHOWN) == (shown, f"own/{shown.split(',')[0]}")
    assert await answer(ASK, CALLED, READ) == (later, f"own/{later.split(',')[0]}")
    assert await answer(SHOWN, SAID, ASK) == ("chosen, 0", "own/chosen")
    assert service.refused == 1


async def test_a_vision_model_that_refuses_images_gets_a_placeholder(fake_upstream, start_proxy):
    upstream = await fake_upstream(Blind(chat_error))
    own = {"transport": "openai", "base_url": upstream.base_url, "api_key": KEY}
    models = {"default": "own/chosen", "vision": "own/chosen"}
    proxy = await start_proxy({"models": models, "providers": {"own": own}, "limits": LIMITS})
    reply = await proxy.post({**TURN, "messages": [SHOWN]})
    assert reply.json["content"][0]["text"] == "chosen, 0"


@pytest.mark.parametrize(
    ("provider", "model"), [("groq", "openai/gpt-oss-120b"), ("cerebras", "zai-glm-4.7"), ("deepseek", "any")]
)
async def test_a_provider_knows_which_of_its_models_take_no_images(
    provider, model, fake_upstream, start_proxy
):
    upstream = await fake_upstream(lambda call: say(call, Turn(text=read_conversation(call).model)))
    config = {
        "models": {"default": f"{provider}/{model}", "vision": "nvidia_nim/seeing"},
        "providers": {
            name: {"base_url": upstream.base_url, "api_key": KEY} for name in (provider, "nvidia_nim")
        },
        "limits": LIMITS,
    }
    proxy = await start_proxy(config)
    assert (await proxy.post({**TURN, "messages": [SHOWN]})).json["content"][0]["text"] == "seeing"
    assert (await proxy.post({**TURN, "messages": [ASK]})).json["content"][0]["text"] == model
