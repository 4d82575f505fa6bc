"""What is checked once plugins are known: routes, keys, transports, endpoints, who may reach the port."""

from __future__ import annotations

import pytest

from ccp_core.config.checks import check
from ccp_core.config.settings import ModelSettings, ServerSettings, Settings
from ccp_core.provider import ProviderSpec

from .conftest import GROQ, Place

KEY = {"GROQ_API_KEY": "k"}


def test_a_usable_configuration_has_no_problem(place: Place) -> None:
    """Hosted with a key, local without, an endpoint of one's own, and a model name with slash and colon."""
    toml = (
        '[models]\ndefault = "groq/a/b:c"\nhaiku = "ollama/llama3.1:8b"\nopus = "my-gw/m"\n'
        '[fallbacks]\ndefault = ["ollama/x"]\n'
        '[providers.my-gw]\ntransport = "openai"\nbase_url = "https://gw.example"\n'
        '[providers.ollama]\ntransport = "openai"\n'
    )
    assert place.checked(toml, environ=KEY, transports={"openai", "anthropic"}) == []


def test_a_known_provider_names_its_package(place: Place) -> None:
    """A route to a provider whose plugin is absent says what to install."""
    assert place.checked('[models]\ndefault = "nvidia_nim/z-ai/glm4.7"\n') == [
        'ccp.toml, line 2: models.default = "nvidia_nim/z-ai/glm4.7": '
        "the plugin of NVIDIA NIM is not installed: pip install ccp-nim"
    ]


@pytest.mark.parametrize(
    ("route", "meant"),
    [
        ("grok/a", "Did you mean groq?"),
        ("acmee/a", "Did you mean acme?"),
        ("nim/a", "Did you mean nvidia_nim (pip install ccp-nim)?"),
        ("openrouter/a", "Did you mean open_router (pip install ccp-openrouter)?"),
        ("lm_studio/a", "Did you mean lmstudio (pip install ccp-lmstudio)?"),
        ("Groq/a", "Did you mean groq?"),
    ],
)
def test_an_unknown_provider_gets_the_one_that_is_meant(place: Place, route: str, meant: str) -> None:
    """Misspelled ids and other usual names lead to the id."""
    assert place.checked(environ={"MODEL": route}) == [
        f'environment: MODEL = "{route}": there is no provider "{route.partition("/")[0]}". {meant}'
    ]


def test_an_unknown_provider_like_none_lists_what_there_is(place: Place) -> None:
    """And how an endpoint of one's own is made."""
    [problem] = place.checked(environ={"MODEL": "zzzz/a"})
    assert problem.endswith(
        'there is no provider "zzzz". Those that exist: acme, groq, ollama. An endpoint without a plugin '
        "needs a table [providers.zzzz] with transport and base_url."
    )


def test_without_any_provider_nothing_is_listed(place: Place) -> None:
    """The built-in demo speaks no transport, and is none to choose."""
    demo = ProviderSpec(id="demo", name="Demo", base_url="", transports=(), env_prefixes=(), needs_key=False)
    [problem] = place.checked(None, demo, environ={"MODEL": "zzzz/a"})
    assert "Those that exist: none." in problem


def test_each_route_is_checked(place: Place) -> None:
    """Tiers, vision and fallbacks."""
    models = '[models]\nopus = "x1/a"\nvision = "x2/a"\n'
    toml = models + '[fallbacks]\ndefault = ["x3/a", "x4/a"]\nhaiku = ["x5/a"]\n'
    problems = place.checked(toml)
    assert [f'"x{number}"' in problem for number, problem in enumerate(problems, 1)] == [True] * 5


def test_a_missing_key_names_variable_and_page(place: Place) -> None:
    """Once for a provider, however many routes lead there."""
    assert place.checked('[models]\ndefault = "groq/a"\nopus = "groq/b"\n') == [
        'ccp.toml, line 2: models.default = "groq/a": Groq needs a key: set GROQ_API_KEY or '
        "providers.groq.api_key. A key is to be had at https://console.groq.com/keys."
    ]


def test_a_missing_key_of_a_third_party_names_its_prefix(place: Place) -> None:
    """The variable is the plugin's."""
    [problem] = place.checked(environ={"MODEL": "acme/a"})
    assert problem.endswith("Acme needs a key: set ACME_AI_API_KEY or providers.acme.api_key.")


@pytest.mark.parametrize(
    "table", ['api_keys = ["k"]', 'auth = "none"', 'headers = { authorization = "Bearer k" }']
)
def test_other_ways_to_be_let_in(place: Place, table: str) -> None:
    """A list of keys, an upstream that asks for none, or a header of one's own are as good as a key."""
    assert place.checked(f'[models]\ndefault = "groq/a"\n[providers.groq]\n{table}\n') == []


def test_a_header_that_holds_no_key_is_none(place: Place) -> None:
    """Further headers alone do not let anybody in."""
    toml = '[models]\ndefault = "groq/a"\n[providers.groq]\nheaders = { X-Team = "a" }\n'
    assert "needs a key" in place.checked(toml)[0]


def test_a_key_is_only_missed_where_it_is_used(place: Place) -> None:
    """An installed provider without a key, to which nothing is routed, is no problem."""
    assert place.checked('[models]\ndefault = "ollama/a"\n[providers.groq]\nrate = 5\n') == []


def test_a_transport_that_the_provider_does_not_speak(place: Place) -> None:
    """The line says what it speaks."""
    assert place.checked(environ={"GROQ_TRANSPORT": "anthropic"}) == [
        'environment: GROQ_TRANSPORT = "anthropic" is not possible: Groq speaks openai.'
    ]


def test_an_endpoint_needs_transport_and_address(place: Place) -> None:
    """A table without a plugin is an endpoint; what it lacks is named, and the plugin that may be meant."""
    assert place.checked(
        '[providers.my-gateway]\nbase_url = "https://gw.example"\n[providers.openrouter]\n'
    ) == [
        "ccp.toml, line 1: providers.my-gateway has no plugin of this name, so it needs "
        "providers.my-gateway.transport.",
        "ccp.toml, line 3: providers.openrouter has no plugin of this name, so it needs "
        "providers.openrouter.transport and providers.openrouter.base_url. "
        "Did you mean open_router (pip install ccp-openrouter)?",
    ]


def test_a_table_of_a_known_provider_names_its_package(place: Place) -> None:
    """Its settings are for the plugin."""
    assert place.checked('[providers.kimi]\napi_key = "k"\n') == [
        "ccp.toml, line 1: providers.kimi needs the plugin of Kimi: pip install ccp-kimi"
    ]


def test_an_endpoint_needs_the_transport_library(place: Place) -> None:
    """Where the host says which are installed."""
    toml = '[providers.gw]\ntransport = "anthropic"\nbase_url = "https://gw.example"\n'
    assert place.checked(toml, transports={"openai"}) == [
        'ccp.toml, line 2: providers.gw.transport = "anthropic": pip install ccp-anthropic-compat'
    ]


def test_a_name_that_no_route_can_have(place: Place) -> None:
    """A slash would end the provider's id."""
    toml = '[providers."a/b"]\ntransport = "openai"\nbase_url = "https://gw.example"\n'
    assert place.checked(toml) == [
        "ccp.toml, line 1: providers.a/b is no name for a provider: letters, digits, - and _ are allowed."
    ]


def test_a_certificate_file_must_exist(place: Place) -> None:
    """Before the first request finds out."""
    (place.cwd / "ca.pem").write_text("")
    assert place.checked(environ={"GROQ_CA_FILE": str(place.cwd / "ca.pem")}) == []
    assert place.checked(environ={"GROQ_CA_FILE": "no.pem"}) == [
        'environment: GROQ_CA_FILE = "no.pem" is not a file that can be read.'
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "my-machine"])
def test_a_public_address_needs_a_token(place: Place, host: str) -> None:
    """Whoever reaches the port spends the keys, so an open one has to be asked for."""
    assert place.checked(environ={"HOST": host}) == [
        f'environment: HOST = "{host}" lets other machines in, but no token is set: set ANTHROPIC_AUTH_TOKEN '
        "(server.auth_token), or listen on 127.0.0.1, or start with --insecure."
    ]
    assert place.checked(environ={"HOST": host, "ANTHROPIC_AUTH_TOKEN": "freecc"}) == []
    assert place.checked(environ={"HOST": host}, flags={"server.insecure": True}) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_this_machine_needs_no_token(place: Place, host: str) -> None:
    """Loopback in all its spellings."""
    assert place.checked(environ={"HOST": host}) == []


def test_one_mistake_is_told_once(place: Place) -> None:
    """A value that is not allowed does not count as missing too."""
    toml = '[models]\ndefault = "groq/a"\n[providers.gw]\ntransport = "x"\nbase_url = "y"\n'
    problems = place.checked(
        toml, environ={"HOST": "::", "ANTHROPIC_AUTH_TOKEN": "a b", "GROQ_API_KEY": "a b"}
    )
    assert len(problems) == 4
    assert all(" must be " in problem for problem in problems)


def test_settings_made_in_code_can_be_checked() -> None:
    """Without files, the keys are named."""
    settings = Settings(server=ServerSettings(host="::"), models=ModelSettings(default="groq/a"))
    problems = check(settings, {"groq": GROQ})
    assert [str(problem).partition(" = ")[0] for problem in problems] == [
        "settings: server.host",
        "settings: models.default",
    ]


def test_settings_made_in_code_are_tested_too() -> None:
    """The classes themselves refuse what is not allowed."""
    with pytest.raises(ValueError, match="port must be from 0 to 65535"):
        ServerSettings(port=70000)
