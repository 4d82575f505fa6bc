"""``ccp doctor``: each fault by its name, with its cure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from ccp_core.testing import (
    Answer,
    Drop,
    Stall,
    ToolCall,
    Turn,
    chat_error,
    chat_json,
    chat_stream,
    say,
)
from ccp_core.testing.recorded import RecordedRequest

from .conftest import KEY, endpoint, hosted, local

CALL = ToolCall("report", {"ok": True})


def listed(*ids: str, **details: Any) -> Answer:
    return Answer.json({"data": [{"id": id, **details} for id in ids or ("test-model",)]})


def healthy(request: RecordedRequest) -> Answer:
    return say(request, Turn(reasoning="Let me see.", tool_calls=[CALL]))


def protected(answer: Answer) -> Callable[[RecordedRequest], Answer]:
    """A list of models for those alone who have the key."""
    return lambda r: answer if KEY in r.headers.get("authorization", "") else chat_error(401, "no key")


def findings(report: Any, title: str) -> dict[str, Any]:
    """The findings about the provider or model whose title begins like this, by check."""
    [section] = [section for section in report["sections"] if section["title"].startswith(title)]
    return {finding["check"]: finding for finding in section["findings"]}


@pytest.fixture
def examine(machine, threaded_upstream):
    """Examine one endpoint: ``examine(script, models, provider settings)``."""
    machine.add_client('print("2.1.330 (Claude Code)")')

    def run(script, models=None, *options, status=None, **own):
        upstream = threaded_upstream(script, routes={"GET /models": models or listed(context_length=200_000)})
        machine.configure(endpoint(upstream.base_url, **own))
        result = machine.ccp("doctor", "--json", *options)
        if status is not None:
            assert result.status == status
        return result.json

    return run


def test_a_model_in_good_order_is_all_ok(examine):
    report = examine(healthy, protected(listed(context_length=200_000)), status=0)
    access, model = findings(report, "own ("), findings(report, "own/test-model (models.default)")
    assert {check: finding["status"] for check, finding in {**access, **model}.items()} == dict.fromkeys(
        ("reachable", "key", "answer", "first token", "streaming", "tool call", "thinking", "context"), "ok"
    )
    assert model["context"]["text"] == "200k tokens"


def test_an_account_without_a_home_folder_is_examined(examine, monkeypatch):
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)
    report = examine(healthy, protected(listed(context_length=200_000)), status=0)
    assert findings(report, "own (")["reachable"]["status"] == "ok"


def test_one_small_request_is_made_for_each_model(machine, threaded_upstream):
    upstream = threaded_upstream(healthy, routes={"GET /models": listed("test-model", "small")})
    config = endpoint(upstream.base_url)
    config["models"] |= {"opus": "own/test-model", "haiku": "own/small"}
    config["fallbacks"] = {"haiku": ["own/test-model"]}
    machine.configure(config)
    report = machine.ccp("doctor", "--json").json
    assert [call.json["model"] for call in upstream.model_calls] == ["test-model", "small"]
    assert all(len(call.body) < 1500 for call in upstream.model_calls)
    assert findings(report, "own/test-model (models.default, models.opus, fallbacks.haiku)")
    assert report["tokens"] < 1000


@frozen
class Fault:
    """A faulty provider: its answer, its list, and what the doctor says of it."""

    check: str
    words: str
    cure: str
    script: Any
    models: Any = None
    about: str = "own/test-model"
    status: str = "problem"
    options: tuple[str, ...] = ()


FAULTS = {
    "wrong_key": Fault(
        "key",
        "own does not accept the key: Incorrect API key: [redacted]",
        "Put a valid key into providers.own.api_key",
        chat_error(401, "x"),
        chat_error(401, f"Incorrect API key: {KEY}"),
        about="own (",
    ),
    "wrong_key_and_public_list": Fault(
        "key", "does not accept the key", "providers.own.api_key", chat_error(401, "Invalid key")
    ),
    "no_credit": Fault("key", "out of credit", "Add credit", chat_error(402, "Insufficient credits")),
    "no_access": Fault(
        "key", "may not be used for own/test-model", "Ask the provider", chat_error(403, "Forbidden")
    ),
    "no_such_model": Fault(
        "model",
        "own has no model test-model",
        "`ccp models own`, and change models.default",
        chat_error(404, "The model `test-model` does not exist", code="model_not_found"),
    ),
    "no_such_path": Fault(
        "endpoint",
        "does not know the path",
        "Check providers.own.base_url",
        Answer.json({"detail": "Not Found"}, 404),
    ),
    "web_page": Fault("answer", "a web page", "Check providers.own.base_url", Answer.html("Welcome")),
    "web_page_as_list": Fault(
        "reachable",
        "web page",
        "Check providers.own.base_url",
        healthy,
        Answer.html("Welcome"),
        about="own (",
    ),
    "silent_list": Fault(
        "reachable",
        "did not answer in time: it took longer than the proxy waits (0.3 s)",
        "--timeout",
        healthy,
        Answer().after(Stall()),
        about="own (",
        options=("--timeout", "0.3"),
    ),
    "no_tools": Fault(
        "tool call",
        "no",
        "choose a model that can",
        lambda request: say(request, Turn(text="report(ok=true)")),
    ),
    "small_window": Fault(
        "context", "8k tokens", "more than 20,000 tokens", healthy, listed(context_length=8192)
    ),
    "rate": Fault(
        "answer",
        "limits the rate: Too many",
        "add keys",
        chat_error(429, "Too many", headers={"retry-after": "1"}),
    ),
    "overloaded": Fault("answer", "is overloaded", "Try again in a minute", chat_error(503, "busy")),
    "failing": Fault("answer", "failed: oops", "Try again in a minute", chat_error(500, "oops")),
    "cut": Fault(
        "answer", "no whole answer", "choose another", chat_stream(text="a b c").keep(2).then(Drop())
    ),
    "refusing": Fault("request", "refuses the request", "ccp explain", chat_error(400, "I do not like it")),
    "no_stream": Fault(
        "streaming",
        "in one piece",
        "come whole and late",
        lambda _: chat_json(tools=[CALL]),
        status="warning",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_cure(fault, examine):
    script = (lambda _: fault.script) if isinstance(fault.script, Answer) else fault.script
    status = 1 if fault.status == "problem" else 0
    report = examine(script, fault.models, *fault.options, status=status)
    found = findings(report, fault.about)[fault.check]
    assert found["status"] == fault.status
    assert fault.words in found["text"]
    assert fault.cure in found["cure"]
    assert KEY not in str(report)


def test_a_model_that_does_not_answer_in_time_is_told(examine):
    report = examine(lambda _: chat_stream(text="x").after(Stall()), None, "--timeout", "0.3", status=1)
    found = findings(report, "own/test-model")["answer"]
    assert "--timeout" in found["cure"]


@pytest.mark.parametrize("kind", ["hosted", "local"])
def test_a_provider_that_is_not_there_is_told_with_how_to_start_it(kind, machine, refusing_upstream):
    make = hosted if kind == "hosted" else local
    machine.install(make("acme", refusing_upstream))
    machine.configure(
        {"models": {"default": "acme/x"}, "providers": {"acme": {"api_key": KEY}}, "server": {"port": 0}}
    )
    result = machine.ccp("doctor", "--json")
    found = findings(result.json, "Acme (acme,")["reachable"]
    assert result.status == 1
    assert "cannot be reached at" in found["text"]
    assert (
        "Run it. If it listens at another" if kind == "local" else "Check the network, ACME_BASE_URL"
    ) in found["cure"]
    assert not [section for section in result.json["sections"] if section["title"].startswith("acme/x")]


def test_each_key_is_tried(examine):
    def models(request: RecordedRequest) -> Answer:
        good = request.headers.get("authorization") == f"Bearer {KEY}"
        return listed(context_length=200_000) if good else chat_error(401, "no such key")

    report = examine(healthy, models, api_keys=["second-key"])
    keys = findings(report, "own (")
    assert (keys["key 1"]["status"], keys["key 2"]["status"]) == ("ok", "problem")
    assert findings(report, "own/test-model")["answer"]["status"] == "ok"


def test_a_missing_list_is_no_obstacle(examine):
    report = examine(healthy, chat_error(404, "no list here"), status=0)
    assert findings(report, "own (")["models"]["status"] == "warning"
    assert findings(report, "own/test-model")["tool call"]["status"] == "ok"


def test_thinking_that_is_switched_off_is_not_missed(machine, threaded_upstream):
    upstream = threaded_upstream(lambda r: say(r, Turn(tool_calls=[CALL])), routes={"GET /models": listed()})
    machine.configure({**endpoint(upstream.base_url), "thinking": {"default": False}})
    found = findings(machine.ccp("doctor", "--json").json, "own/test-model")["thinking"]
    assert (found["status"], found["text"]) == ("ok", "switched off for this tier")


def test_people_get_lines_that_fit_the_terminal(machine, threaded_upstream):
    upstream = threaded_upstream(lambda _: chat_error(402, "no " * 100), routes={"GET /models": listed()})
    machine.configure(endpoint(upstream.base_url))
    machine.set(PATH=str(machine.bin))  # a client of this machine's would be told of
    result = machine.ccp("doctor")
    whole = ("http", str(machine.work))  # what may be longer
    lines = [line for line in result.out.splitlines() if not any(word in line for word in whole)]
    assert all(len(line) <= 80 for line in lines)
    assert "-> Add credit" in result.out
    assert "1 problems" in result.out.splitlines()[-1] or "2 problems" in result.out.splitlines()[-1]


def test_an_address_stays_in_one_piece_so_that_it_can_be_copied(machine, refusing_upstream):
    address = f"{refusing_upstream}/a-path-with-many-hyphens-that-is-longer-than-a-line-has-room-for/v1"
    machine.configure(endpoint(address))
    text = machine.ccp("doctor").out.partition("cannot be reached at")[2]
    assert text.split()[0] == f"{address}:"


def test_one_provider_can_be_examined_alone(machine, threaded_upstream):
    upstream = threaded_upstream(healthy, routes={"GET /models": listed()})
    machine.install(local("near", upstream.base_url), hosted("acme", "http://127.0.0.1:9/v1"))
    report = machine.ccp("doctor", "near", "--json").json
    assert [section["title"].split()[0] for section in report["sections"]] == ["near"[0].upper() + "ear"]
    missing = machine.ccp("doctor", "acme", "--json").json
    assert (
        findings(missing, "Acme")["key"]["cure"]
        == "Set ACME_API_KEY (providers.acme.api_key). Keys are made at https://acme.example/keys"
    )
    unknown = machine.ccp("doctor", "acmee")
    assert (unknown.status, unknown.problems) == (
        2,
        ['ccp: there is no provider "acmee". Did you mean acme?'],
    )


def machine_finding(machine, check: str) -> dict[str, Any]:
    return findings(machine.ccp("doctor", "--json").json, "This machine").get(check, {})


def test_the_clients_version_is_told(machine):
    machine.add_client('print("2.1.330 (Claude Code)")')
    assert machine_finding(machine, "Claude Code")["text"].startswith("2.1.330 (")


def test_a_missing_client_is_told_with_how_to_get_it(machine):
    machine.set(PATH=str(machine.bin))
    assert "npm install -g" in machine_finding(machine, "Claude Code")["cure"]


def test_nothing_configured_is_a_problem_with_the_first_step(machine):
    assert machine_finding(machine, "settings")["cure"] == "Run `ccp init`."


ENVIRONMENTS = {
    "v1": ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:8082/v1/"}, "ANTHROPIC_BASE_URL=http://127.0.0.1:8082"),
    "v1_elsewhere": (
        {"ANTHROPIC_BASE_URL": "http://x.example/v1"},
        "ANTHROPIC_BASE_URL=http://127.0.0.1:8082",
    ),
    "elsewhere": ({"ANTHROPIC_BASE_URL": "https://api.example"}, "ANTHROPIC_BASE_URL=http://127.0.0.1:8082"),
    "both_keys": ({"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_AUTH_TOKEN": "t"}, "Unset ANTHROPIC_API_KEY."),
    "api_key": ({"ANTHROPIC_API_KEY": "sk"}, "use ANTHROPIC_AUTH_TOKEN"),
    "bedrock": ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "Unset CLAUDE_CODE_USE_BEDROCK."),
    "web_proxy": ({"https_proxy": "http://proxy.example:3128"}, "NO_PROXY=127.0.0.1,localhost"),
}


@pytest.mark.parametrize(("variables", "cure"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_variables_that_get_in_the_way_are_told_with_the_cure(variables, cure, machine):
    machine.set(**variables)
    assert cure in machine_finding(machine, "environment")["cure"]


@pytest.mark.parametrize(
    "variables",
    [
        {"ANTHROPIC_BASE_URL": "http://localhost:8082/"},
        {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "127.0.0.1, example"},
        {"ANTHROPIC_AUTH_TOKEN": "t"},
    ],
)
def test_variables_that_are_as_they_should_be_are_not_mentioned(variables, machine):
    machine.set(**variables)
    assert machine_finding(machine, "environment") == {}


def test_variables_in_the_clients_own_settings_are_seen(machine):
    file = machine.home / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8082/v1"}}')
    assert "ends in /v1" in machine_finding(machine, str(file))["text"]


def test_a_port_that_another_program_holds_is_a_problem(machine, threaded_upstream):
    foreign = threaded_upstream(routes={"GET /health": Answer.text("hello")})
    machine.configure({"server": {"port": int(foreign.url.rpartition(":")[2])}})
    found = machine_finding(machine, "port")
    assert (found["status"], "another program" in found["text"]) == ("problem", True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_a_file_with_keys_that_others_can_read_is_told_with_the_cure(machine):
    file = machine.configure(endpoint("http://127.0.0.1:9/v1"))
    file.chmod(0o644)
    assert machine_finding(machine, "files")["cure"] == f"chmod 600 {file}"
    file.chmod(0o600)
    assert machine_finding(machine, "files")["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_a_file_below_the_current_folder_is_looked_at_too(machine, monkeypatch):
    folder = machine.home / ".config" / "claude-code-proxy"
    folder.mkdir(parents=True)
    file = machine.configure(endpoint("http://127.0.0.1:9/v1")).rename(folder / "ccp.toml")
    file.chmod(0o644)
    monkeypatch.chdir(machine.home)
    assert machine_finding(machine, "files")["cure"] == f"chmod 600 {file}"


def test_the_first_token_of_a_slow_model_is_a_warning(examine, monkeypatch):
    monkeypatch.setattr("ccp_core.cli.doctor.providers.SLOW_SECONDS", 0.0)
    assert findings(examine(healthy), "own/test-model")["first token"]["status"] == "warning"
