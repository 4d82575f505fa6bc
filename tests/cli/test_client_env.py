"""What the client is given in its environment."""

from __future__ import annotations

import pytest

from ccp_core.cli.client_env import child_environment, client_variables, session_tiers, token_for

URL = "http://127.0.0.1:8082"


def test_the_client_gets_address_token_discovery_and_no_billing_block():
    assert client_variables(URL, "secret") == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "secret",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    }


@pytest.mark.parametrize(
    ("window", "percent"), [(200_000, None), (100_000, None), (40_000, "40"), (8_192, "8")]
)
def test_the_client_compacts_at_the_models_real_window(window, percent):
    """Below 100,000 tokens it takes no window, so a percentage of that makes it compact in time."""
    variables = client_variables(URL, "x", window)
    assert variables["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == str(max(window, 100_000))
    assert variables.get("CLAUDE_AUTOCOMPACT_PCT_OVERRIDE") == percent


@pytest.mark.parametrize(
    ("token", "route", "sent"),
    [
        ("secret", "", "secret"),
        ("secret", "open_router/google/gemma:free", "secret:open_router/google/gemma:free"),
        ("", "", "freecc"),
        ("", "groq/x", "freecc:groq/x"),
    ],
)
def test_the_token_carries_the_model_of_a_session(token, route, sent):
    assert token_for(token, route) == sent


def test_what_would_lead_past_the_proxy_is_taken_out_and_the_rest_stays():
    before = {
        "PATH": "/bin",
        "ANTHROPIC_API_KEY": "sk",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "ANTHROPIC_BASE_URL": "old",
    }
    assert child_environment(before, {"ANTHROPIC_BASE_URL": URL}) == {
        "PATH": "/bin",
        "ANTHROPIC_BASE_URL": URL,
    }


def test_a_window_that_the_person_has_set_stays():
    name = "CLAUDE_CODE_AUTO_COMPACT_WINDOW"
    assert child_environment({name: "150000"}, {name: "200000"})[name] == "150000"


@pytest.mark.parametrize("proxy", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_web_proxy_is_not_asked_for_this_machine(proxy):
    child = child_environment({proxy: "http://proxy.example:3128", "NO_PROXY": "intranet.example"}, {})
    assert child["NO_PROXY"] == child["no_proxy"] == "intranet.example,127.0.0.1,localhost,::1"
    assert "NO_PROXY" not in child_environment({}, {})


@pytest.mark.parametrize(
    ("arguments", "environ", "tiers"),
    [
        ((), {}, ("opus", "sonnet", "fable")),
        (("--model", "haiku"), {}, ("haiku",)),
        (("-p", "x", "--model=claude-sonnet-5-5"), {}, ("sonnet",)),
        ((), {"ANTHROPIC_MODEL": "opus"}, ("opus",)),
        (("--model", "some/model"), {"ANTHROPIC_MODEL": "opus"}, ("default",)),
    ],
)
def test_the_window_is_that_of_the_tiers_that_a_session_can_use(arguments, environ, tiers):
    assert session_tiers(arguments, environ) == tiers
