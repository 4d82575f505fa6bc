"""The settings in effect, as ``ccp config show`` has them."""

from __future__ import annotations

from ccp_core.config.catalog import SETTINGS
from ccp_core.config.show import Row, rows

from .conftest import ACME, Place


def test_every_setting_has_a_row(place: Place) -> None:
    """With nothing set, all are defaults, and no provider is shown."""
    shown = rows(place.load())
    assert [row.key for row in shown] == [setting.name for setting in SETTINGS.values()]
    assert {row.origin for row in shown} == {"default"}
    assert shown[:3] == [
        Row("server.host", "HOST", '"127.0.0.1"', "default"),
        Row("server.port", "PORT", "8082", "default"),
        Row("server.auth_token", "ANTHROPIC_AUTH_TOKEN", '""', "default"),
    ]


def test_a_row_tells_value_and_place(place: Place) -> None:
    """File and line, the variable that was used, or the command line; of providers, what was set."""
    loaded = place.load(
        "[server]\nport = 1\n[providers.ollama]\nrate = 0\n",
        {"LMSTUDIO_BASE_URL": "http://h:1/"},
        {"server.host": "::1"},
        dotenv="LM_STUDIO_TRANSPORT=openai\n",
    )
    assert [row for row in rows(loaded) if not row.is_default] == [
        Row("server.host", "HOST", '"::1"', "command line"),
        Row("server.port", "PORT", "1", "ccp.toml, line 2"),
        Row("providers.ollama.rate", "OLLAMA_RATE_LIMIT", "0", "ccp.toml, line 4"),
        Row("providers.lmstudio.base_url", "LMSTUDIO_BASE_URL", '"http://h:1"', "environment"),
        Row("providers.lmstudio.transport", "LM_STUDIO_TRANSPORT", '"openai"', ".env, line 1"),
    ]


def test_what_somebody_switched_off_is_shown_as_off(place: Place) -> None:
    """And not as if nothing had been said of it."""
    loaded = place.load('[logging]\nfile = "off"\n', {"HTTP_READ_TIMEOUT": "none"})
    values = {row.key: row.value for row in rows(loaded)}
    assert (values["timeouts.read"], values["logging.file"]) == ('"off"', '"off"')
    assert {row.key: row.value for row in rows(place.load())}["timeouts.read"] == ""


def test_a_plugin_tells_its_prefix(place: Place) -> None:
    """The variable of a third party's provider is the one of its spec."""
    installed = {"acme": ACME}
    loaded = place.load("[providers.acme]\nrate = 1\n", installed=installed)
    assert rows(loaded, installed)[-1] == Row(
        "providers.acme.rate", "ACME_AI_RATE_LIMIT", "1", "ccp.toml, line 2"
    )
