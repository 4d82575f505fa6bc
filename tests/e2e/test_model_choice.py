"""Every way in which the real client can be told which model to use, and the menu that it gets from the proxy.

``python -m pytest tests/e2e/test_model_choice.py -m e2e`` runs them; ``CCP_E2E_CLIENT`` chooses the client.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from ccp_core.testing import Answer, Conversation, ThreadedUpstream, Turn, scripted
from ccp_core.testing.claude_client import ClaudeClient
from ccp_core.testing.proxy_process import ProxyProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TOKEN = "free:cc"
WANTED = "nvidia_nim/z-ai/glm-4.7:free"
MESSAGES = "open_router/qwen/qwen3-coder:free"
OTHER = "nvidia_nim/llama3.1:8b"
LIST = {
    "data": [{"id": "z-ai/glm-4.7:free", "name": "GLM 4.7", "context_length": 202752}, {"id": "llama3.1:8b"}]
}
LOCAL = ("cliproxyapi", "llamacpp", "lmstudio", "ollama", "vllm")
NOWHERE = {"base_url": "http://127.0.0.1:9"}
"""Instead of where local servers usually are: one may run on this machine, and its models would be listed."""
DISCOVERY: Mapping[str, str | None] = {
    "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": None,
}


@contextlib.contextmanager
def menu_proxy(model: Callable[[Conversation], Turn], folder: Path) -> Iterator[ProxyProcess]:
    """In front of an upstream that lists two models; two tiers have models of their own, all others another."""
    with ThreadedUpstream(scripted(model), routes={"GET /models": Answer.json(LIST)}) as upstream:
        own = {"base_url": upstream.base_url, "api_key": "key-of-the-fake-upstream"}
        config: dict[str, Any] = {
            "models": {"default": OTHER, "opus": WANTED, "fable": MESSAGES},
            "providers": {"nvidia_nim": own, "open_router": own, **dict.fromkeys(LOCAL, NOWHERE)},
            "limits": {"rate": 0},
        }
        with ProxyProcess(config, folder=folder, token=TOKEN) as proxy:
            yield proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyProcess]:
    """Its models say their names."""
    with menu_proxy(
        lambda asked: Turn(text=f"I am {asked.model}."), tmp_path_factory.mktemp("proxy")
    ) as proxy:
        yield proxy


def by_header(name: str) -> Callable[[str], tuple[str, dict[str, str | None]]]:
    """Token and route in one header, and no right token in the others."""

    def way(wanted: str) -> tuple[str, dict[str, str | None]]:
        value = f"{TOKEN}:{wanted}"
        match name:
            case "authorization":
                return "sonnet", {"ANTHROPIC_AUTH_TOKEN": value}
            case "x-api-key":
                return "sonnet", {"ANTHROPIC_AUTH_TOKEN": None, "ANTHROPIC_API_KEY": value}
            case _:
                headers = f"{name}: {value}"
                return "sonnet", {"ANTHROPIC_AUTH_TOKEN": "unused", "ANTHROPIC_CUSTOM_HEADERS": headers}

    return way


WAYS: dict[str, Callable[[str], tuple[str, dict[str, str | None]]]] = {
    "tier": lambda wanted: ("opus" if wanted == WANTED else "fable", {}),
    "token in authorization": by_header("authorization"),
    "token in x-api-key": by_header("x-api-key"),
    "token in anthropic-auth-token": by_header("anthropic-auth-token"),
    "provider/model": lambda wanted: (wanted, {}),
    "the id of the menu": lambda wanted: (f"anthropic/{wanted}", {}),
    "the client's own tier": lambda wanted: ("sonnet", {"ANTHROPIC_DEFAULT_SONNET_MODEL": wanted}),
}
"""What ``--model`` and the environment have to be for a model."""


@pytest.mark.parametrize("wanted", [WANTED, MESSAGES], ids=["chat", "messages"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_of_choosing_reaches_the_model(
    way: Callable[[str], tuple[str, dict[str, str | None]]],
    wanted: str,
    client: ClaudeClient,
    proxy: ProxyProcess,
    tmp_path: Path,
) -> None:
    model, env = way(wanted)
    run = client.run(
        "Who are you?",
        base_url=proxy.url,
        folder=tmp_path,
        token=TOKEN,
        env=env,
        arguments=["--model", model],
    )
    assert run.exit_code == 0, f"{run.result_text}\n{run.stderr}"
    assert run.result_text == f"I am {wanted.partition('/')[2]}."


def test_the_clients_menu_lists_the_models_of_the_proxy(
    client: ClaudeClient, proxy: ProxyProcess, tmp_path: Path
) -> None:
    """The tiers' models under their names, and all that the upstreams list; each id can be asked for."""
    run = client.run(
        "Who are you?", base_url=proxy.url, folder=tmp_path / "client", token=TOKEN, env=DISCOVERY
    )
    assert run.exit_code == 0, f"{run.result_text}\n{run.stderr}"
    [cache] = (tmp_path / "client").rglob("gateway-models.json")
    models = {entry["id"]: entry.get("display_name") for entry in orjson.loads(cache.read_bytes())["models"]}
    assert models == {
        f"anthropic/{WANTED}": "GLM 4.7 (NVIDIA NIM)",
        f"anthropic/{MESSAGES}": "qwen/qwen3-coder:free (OpenRouter)",
        f"anthropic/{OTHER}": "llama3.1:8b (NVIDIA NIM)",
        "anthropic/open_router/z-ai/glm-4.7:free": "GLM 4.7 (OpenRouter)",
        "anthropic/open_router/llama3.1:8b": "llama3.1:8b (OpenRouter)",
    }
