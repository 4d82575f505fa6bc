"""Tests with real servers run only when asked for: ``nox -s real_llamacpp`` builds the server and runs them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

CONTEXT = 8192
"""Tokens, for all servers: the small model's own."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked ``real`` out unless the ``-m`` expression speaks of them."""
    if "real" in config.getoption("-m"):
        return
    left_out = [item for item in items if item.get_closest_marker("real")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@frozen
class LlamaServer:
    """A running ``llama-server``."""

    url: str


@contextlib.contextmanager
def llama_server(log: Path, *arguments: str) -> Iterator[LlamaServer]:
    """Run ``llama-server`` on a free port of the loopback address, with the least random answers it can give."""
    executable, model = _place("CCP_LLAMA_SERVER"), _place("CCP_LLAMA_MODEL")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [executable, "-m", model, "--host", "127.0.0.1", "--port", str(port), "-c", str(CONTEXT)]
    command += ["-np", "1", "--jinja", "--temp", "0", "--seed", "1", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/health", process, log)
        yield LlamaServer(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)  # a foreign process tells of its readiness in no other way
    raise RuntimeError(f"llama-server did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _place(variable: str) -> str:
    place = os.environ.get(variable)
    if not place or not Path(place).exists():
        pytest.fail(f"{variable} must name what `nox -s real_llamacpp` builds; that session sets it")
    return place


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """A server with the model's own chat template, which knows no tools."""
    with llama_server(tmp_path_factory.mktemp("llama") / "server.log") as running:
        yield running


@pytest.fixture(scope="session")
def terse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """A server that makes the end of an answer likelier: so small a model may else talk until its context is full."""
    end = "2+3"  # <|im_end|>, twenty times as likely
    log = tmp_path_factory.mktemp("llama") / "server.log"
    with llama_server(log, "--logit-bias", end) as running:
        yield running


@pytest.fixture(scope="session")
def tool_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """A server with a chat template in which a call that is demanded comes at once."""
    with _server_with("meetkai-functionary-medium-v3.2.jinja", tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="session")
def chatml_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    """A server with a template that shows tools as most do, and in which any text is an answer."""
    with _server_with("Qwen-Qwen2.5-7B-Instruct.jinja", tmp_path_factory) as running:
        yield running


@contextlib.contextmanager
def _server_with(template: str, folders: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    file = Path(_place("CCP_LLAMA_TEMPLATES")) / template
    with llama_server(folders.mktemp("llama") / "server.log", "--chat-template-file", str(file)) as running:
        yield running
