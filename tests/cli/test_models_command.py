"""``ccp models``: what the configured providers list."""

from __future__ import annotations

import sys

import pytest

from ccp_core.testing import Answer, chat_error, models_list

from .conftest import KEY, endpoint, hosted, local

LIST = Answer.json(
    {
        "data": [
            {
                "id": "z-ai/glm-4.7",
                "context_length": 202_752,
                "supports_tools": True,
                "pricing": {"prompt": "0.0000004", "completion": "0.0000015"},
            },
            {"id": "Kimi:free", "context_length": 1_048_576, "pricing": {"prompt": "0", "completion": "0"}},
            {"id": "tiny"},
        ]
    }
)


def test_each_line_begins_with_what_settings_take_and_tells_window_price_and_abilities(
    machine, threaded_upstream
):
    upstream = threaded_upstream(routes={"GET /models": LIST})
    machine.install()
    machine.configure(endpoint(upstream.base_url))
    result = machine.ccp("models")
    assert result.status == 0
    assert [line.split() for line in result.out.splitlines()[1:]] == [
        ["own/Kimi:free", "1M", "free"],
        ["own/tiny"],
        ["own/z-ai/glm-4.7", "202k", "0.40/1.50", "tools"],
    ]
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_versions_stand_in_their_order(machine, threaded_upstream):
    upstream = threaded_upstream(
        routes={"GET /models": models_list(["GLM-4.10", "glm-4.9", "glm", "4-k", "a"])}
    )
    machine.configure(endpoint(upstream.base_url))
    listed = [model["id"] for model in machine.ccp("models", "own", "--json").json]
    assert listed == ["4-k", "a", "glm", "glm-4.9", "GLM-4.10"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals in Python")
def test_lines_fit_the_terminal_and_names_stay_whole(machine, threaded_upstream):
    from .terminal import Terminal

    card = {
        "context_length": 1_048_576,
        "supports_tools": True,
        "pricing": {"prompt": "0", "completion": "0"},
    }
    long = "a-vendor-with-a-name/a-model-whose-name-leaves-no-room-for-what-it-can-do"
    upstream = threaded_upstream(
        routes={"GET /models": Answer.json({"data": [{"id": long, **card}, {"id": "b", **card}]})}
    )
    machine.configure(endpoint(upstream.base_url))
    with Terminal("models") as screen:
        assert screen.end() == 0
    heading, name, below, short = screen.text.splitlines()
    assert name == f"own/{long}"
    column = heading.index("CONTEXT")
    assert below.strip() == "1M       free      tools"
    assert [line.index("1M") for line in (below, short)] == [column, column]


def test_programs_get_json(machine, threaded_upstream):
    upstream = threaded_upstream(routes={"GET /models": LIST})
    machine.configure(endpoint(upstream.base_url))
    models = {model["route"]: model for model in machine.ccp("models", "--json").json}
    assert models["own/z-ai/glm-4.7"]["context_window"] == 202_752
    assert models["own/z-ai/glm-4.7"]["provider"] == "own"


def test_what_the_settings_say_of_a_window_is_shown(machine, threaded_upstream):
    upstream = threaded_upstream(routes={"GET /models": LIST})
    machine.configure(endpoint(upstream.base_url, context_windows={"tiny": 4096}))
    assert ["own/tiny", "4k"] in [line.split() for line in machine.ccp("models").out.splitlines()]


def test_a_list_that_cannot_be_had_is_told_with_its_cure_and_the_others_are_shown(machine, threaded_upstream):
    good = threaded_upstream(routes={"GET /models": LIST})
    bad = threaded_upstream(routes={"GET /models": chat_error(401, f"no such key: {KEY}")})
    machine.install(hosted("acme", bad.base_url))
    config = endpoint(good.base_url)
    config["providers"]["acme"] = {"api_key": KEY}
    machine.configure(config)
    result = machine.ccp("models")
    assert "own/tiny" in result.out
    assert result.status == 1
    place = "ACME_API_KEY (providers.acme.api_key)"
    assert result.problems[0].startswith(f"ccp: acme: Acme did not accept the API key in {place}.")
    assert KEY not in result.err


def test_one_provider_can_be_asked_alone(machine, threaded_upstream):
    upstream = threaded_upstream(routes={"GET /models": LIST})
    machine.install(local("near", upstream.base_url), local("far", "http://127.0.0.1:9/v1"))
    assert "near/tiny" in machine.ccp("models", "near").out
    result = machine.ccp("models", "far")
    assert (result.status, result.out) == (1, "")
    assert "Is it running? Run it." in result.err


def test_local_servers_that_nobody_has_configured_are_not_missed(machine, threaded_upstream):
    upstream = threaded_upstream(routes={"GET /models": LIST})
    machine.install(local("near", upstream.base_url), local("far", "http://127.0.0.1:9/v1"))
    result = machine.ccp("models")
    assert (result.status, result.err) == (0, "")


def test_hosted_providers_without_a_key_are_not_asked(machine, threaded_upstream):
    upstream = threaded_upstream(routes={"GET /models": LIST})
    machine.install(hosted("acme", upstream.base_url))
    result = machine.ccp("models")
    assert "ccp init" in result.err
    assert upstream.requests == []


def test_an_unknown_provider_is_told_with_the_one_that_is_meant(machine):
    machine.install(hosted("acme", "http://127.0.0.1:9/v1"))
    result = machine.ccp("models", "acmee")
    assert (result.status, result.problems) == (2, ['ccp: there is no provider "acmee". Did you mean acme?'])
    assert "pip install ccp-groq" in machine.ccp("models", "groq").err
