"""The proxy's own doors: routes, token, limits, errors."""

import asyncio
import gzip

import orjson
import pytest

from ccp_core.testing import chat_stream
from ccp_core.testing.proxy_app import TURN, one_provider

DEMO: dict = {}
ROUTED = {"server": {"auth_token": "free:cc"}}


async def test_with_nothing_configured_the_demo_model_answers_and_says_so(start_proxy):
    proxy = await start_proxy(DEMO)
    reply = await proxy.post()
    assert "demo model" in reply.json["content"][0]["text"]


async def test_the_demo_model_makes_a_tool_call_and_understands_its_result(start_proxy):
    proxy = await start_proxy(DEMO)
    tools = [{"name": "Bash", "input_schema": {"type": "object"}}]
    ask = {"role": "user", "content": "please list the files here"}
    first = (await proxy.post({**TURN, "tools": tools, "messages": [ask]})).json
    call = first["content"][-1]
    assert (first["stop_reason"], call["name"]) == ("tool_use", "Bash")
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "a.txt"}
    turns = [ask, {"role": "assistant", "content": first["content"]}, {"role": "user", "content": [result]}]
    second = (await proxy.post({**TURN, "tools": tools, "messages": turns})).json
    assert "a.txt" in second["content"][0]["text"]


async def test_the_demo_model_is_never_chosen_when_a_model_is_configured(fake_upstream, start_proxy):
    upstream = await fake_upstream(chat_stream(text="real"))
    proxy = await start_proxy(one_provider("nvidia_nim", upstream.base_url))
    reply = await proxy.post({**TURN, "model": "demo/scripted"})
    assert reply.json["content"][0]["text"] == "real"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"model": "m"}', "messages: Field required"),
        (orjson.dumps({**TURN, "messages": "hi"}), "messages: must be a list, not a string"),
        (orjson.dumps({**TURN, "messages": []}), "at least one message"),
        (orjson.dumps({**TURN, "messages": [7]}), "messages.0: must be an object"),
        (orjson.dumps({**TURN, "messages": [{"role": "user"}]}), "messages.0.content"),
        (orjson.dumps({**TURN, "messages": [{"content": "x"}]}), "messages.0.role"),
        (orjson.dumps({**TURN, "messages": [{"role": "user", "content": [1]}]}), "messages.0.content.0"),
        (orjson.dumps({**TURN, "max_tokens": "many"}), "max_tokens: must be a whole number"),
        (orjson.dumps({**TURN, "stream": "yes"}), "stream: must be true or false"),
        (orjson.dumps({**TURN, "tools": {"a": 1}}), "tools: must be a list"),
        (orjson.dumps({**TURN, "thinking": {"type": []}}), "thinking.type: must be a string, not a list"),
        (orjson.dumps({**TURN, "tool_choice": {"type": 1}}), "tool_choice.type: must be a string"),
        (
            orjson.dumps({**TURN, "messages": [{"role": "user", "content": [{"type": {}}]}]}),
            "messages.0.content.0.type: must be a string, not an object",
        ),
    ],
)
async def test_a_request_that_cannot_be_understood_gets_a_400_that_names_the_field(body, words, start_proxy):
    proxy = await start_proxy(DEMO)
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        reply = await proxy.post(body, path=path)
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
        assert words in reply.error["message"]


def nested(levels: int) -> bytes:
    """An object in an object, and so on."""
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("transport", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "members",
    [
        b'"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"Read","input":%b}]}]',
        b'"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"Read","input_schema":%b}]',
    ],
    ids=["input", "schema"],
)
async def test_json_that_is_nested_too_deeply_is_the_requests_fault(
    transport, members, start_proxy, fake_upstream
):
    """And no plugin's."""
    upstream = await fake_upstream()
    own = {"transport": transport, "base_url": upstream.base_url, "api_key": "k"}
    proxy = await start_proxy({"models": {"default": "own/m"}, "providers": {"own": own}})
    reply = await proxy.post(b'{"model":"m","max_tokens":5,%b}' % (members % nested(400)))
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert "nested too deeply" in reply.error["message"]
    assert not (await proxy.request("GET", "/health")).json["failing_plugins"]


async def test_a_gzipped_body_is_read(start_proxy):
    proxy = await start_proxy(DEMO)
    reply = await proxy.post(gzip.compress(orjson.dumps(TURN)), content_encoding="gzip")
    assert reply.status == 200


async def test_a_damaged_gzip_body_is_a_400(start_proxy):
    proxy = await start_proxy(DEMO)
    reply = await proxy.post(b"\x1f\x8b" + b"\xff" * 100, content_encoding="gzip")
    assert reply.status == 400


async def test_a_body_over_the_limit_is_a_413(start_proxy):
    proxy = await start_proxy({"server": {"max_body_bytes": 1000}})
    reply = await proxy.post(b"x" * 2000)
    assert (reply.status, reply.error["type"]) == (413, "request_too_large")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_an_unknown_path_is_a_404_in_anthropics_shape(method, start_proxy):
    proxy = await start_proxy(DEMO)
    reply = await proxy.request(method, "/nowhere")
    assert (reply.status, reply.error["type"]) == (404, "not_found_error")
    assert reply.headers["request-id"].startswith("req_")


async def test_a_doubled_v1_gets_a_hint_about_the_base_url(start_proxy):
    proxy = await start_proxy(DEMO)
    reply = await proxy.post(path="/v1/v1/messages?beta=true")
    assert reply.status == 404
    assert "without /v1" in reply.error["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_answers_probes(method, start_proxy):
    proxy = await start_proxy(DEMO)
    assert (await proxy.request(method, "/?x=1")).status == 200


async def test_health_names_version_providers_and_broken_plugins_without_a_token(start_proxy):
    proxy = await start_proxy({**one_provider("nvidia_nim", "http://127.0.0.1:1"), **ROUTED})
    health = (await proxy.request("GET", "/health")).json
    assert health["version"]
    assert "nvidia_nim" in health["providers"]
    assert health["broken_plugins"] == []


@pytest.mark.parametrize("header", ["x_api_key", "authorization", "anthropic_auth_token"])
@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("free:cc", 200),
        ("free:cc:demo/scripted", 200),
        ("free:c", 403),
        ("free", 403),
        ("free:ccc", 403),
        ("", 403),
    ],
)
async def test_the_token_is_taken_from_any_of_its_headers(header, value, status, start_proxy):
    proxy = await start_proxy(ROUTED)
    prefix = "Bearer " if header == "authorization" else ""
    reply = await proxy.post(**{header: prefix + value})
    assert reply.status == status
    if status == 403:
        assert reply.error["type"] == "permission_error"
        assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("value", [b"\xff", b"free:cc\xff"])
async def test_a_token_that_is_no_text_is_a_wrong_one(value, start_proxy):
    proxy = await start_proxy(ROUTED)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    writer.write(
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: %b\r\n\r\n" % value
    )
    head = await reader.readline()
    writer.close()
    assert head.split()[1] == b"403"


async def test_without_a_token_the_right_one_in_a_second_header_is_enough(start_proxy):
    proxy = await start_proxy(ROUTED)
    assert (await proxy.post(x_api_key="other", authorization="Bearer free:cc")).status == 200


@pytest.mark.parametrize("model", ["llama:8b", "stepfun/step-3.5-flash:free"])
async def test_the_route_behind_the_token_chooses_the_model(model, fake_upstream, start_proxy):
    upstream = await fake_upstream(chat_stream(text="x"))
    proxy = await start_proxy({**one_provider("nvidia_nim", upstream.base_url), **ROUTED})
    assert (await proxy.post(x_api_key=f"free:cc:nvidia_nim/{model}")).status == 200
    assert upstream.requests[0].json["model"] == model


async def test_a_route_to_an_unknown_provider_is_a_400_that_lists_the_known_ones(start_proxy):
    proxy = await start_proxy({**one_provider("nvidia_nim", "http://127.0.0.1:1"), **ROUTED})
    reply = await proxy.post(x_api_key="free:cc:nonsense/model")
    assert reply.status == 400
    assert "nvidia_nim" in reply.error["message"]
    assert "free:cc" not in reply.error["message"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8082", 200),
        ("127.0.0.1", 200),
        ("[::1]:8082", 200),
        ("evil.example.com", 403),
        ("127.0.0.1.evil.example.com:8082", 403),
        ("tunnel.example.com", 200),
    ],
)
async def test_a_host_header_that_is_not_this_machine_is_refused(host, status, start_proxy):
    proxy = await start_proxy({"server": {"allowed_hosts": ["tunnel.example.com"]}})
    assert (await proxy.post(host=host)).status == status


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-9-20300101", "big"),
        ("claude-sonnet-5-5", "medium"),
        ("claude-haiku-4-5-20251001", "small"),
        ("claude-fable-5-2", "story"),
        ("claude-mythos-5", "fallback"),
        ("nvidia_nim/own/model", "own/model"),
        ("anthropic/nvidia_nim/own/model", "own/model"),
        ("z-ai/glm", "fallback"),
    ],
)
async def test_the_model_id_decides_the_tier_or_names_the_model(model, expected, fake_upstream, start_proxy):
    upstream = await fake_upstream(chat_stream(text="x"))
    config = one_provider("nvidia_nim", upstream.base_url)
    names = {"opus": "big", "sonnet": "medium", "haiku": "small", "fable": "story", "default": "fallback"}
    config["models"] = {tier: f"nvidia_nim/{name}" for tier, name in names.items()}
    proxy = await start_proxy(config)
    assert (await proxy.post({**TURN, "model": model})).status == 200
    assert upstream.requests[0].json["model"] == expected


async def test_models_are_listed_under_ids_that_claude_code_accepts(start_proxy):
    proxy = await start_proxy(one_provider("nvidia_nim", "http://127.0.0.1:1"))
    listed = (await proxy.request("GET", "/v1/models?limit=1000")).json["data"]
    assert "anthropic/nvidia_nim/test-model" in [model["id"] for model in listed]
    one = (await proxy.request("GET", "/v1/models/anthropic/nvidia_nim/test-model")).json
    assert one["type"] == "model"
    assert (await proxy.request("GET", "/v1/models/nonsense")).status == 404


async def test_tokens_are_counted_without_an_upstream(start_proxy):
    proxy = await start_proxy(DEMO)
    short = (await proxy.post(path="/v1/messages/count_tokens?beta=true")).json["input_tokens"]
    long_turn = {**TURN, "messages": [{"role": "user", "content": "word " * 1000}]}
    long = (await proxy.post(long_turn, path="/v1/messages/count_tokens")).json["input_tokens"]
    assert 0 < short < 100 < long
