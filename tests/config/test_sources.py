"""Which source of a setting counts, and which files are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ccp_core.config.names import KNOWN_PROVIDERS
from ccp_core.config.problems import ConfigError
from ccp_core.config.settings import Settings
from ccp_core.config.sources import load_env_file, load_settings

from .conftest import ACME, GROQ, OLLAMA, Place

InHome = Callable[[str, str], Path]
USER_TOML = ".config/claude-code-proxy/ccp.toml"
USER_ENV = ".config/claude-code-proxy/.env"
OLD_ENV = ".config/free-claude-code/.env"


def test_nothing_given_is_the_defaults(place: Place) -> None:
    """An empty folder and an empty environment load without a complaint."""
    loaded = place.load()
    assert loaded.settings == Settings()
    assert (loaded.files, loaded.origins, loaded.warnings) == ((), {}, ())


def test_later_sources_count_more(place: Place) -> None:
    """Defaults < ccp.toml < .env < environment < flags, each beaten by the next."""
    toml, dotenv, environ = "[server]\nport = 1\n", "PORT=2\n", {"PORT": "3"}
    assert place.load().settings.server.port == 8082
    assert place.load(toml).settings.server.port == 1
    assert place.load(toml, dotenv=dotenv).settings.server.port == 2
    assert place.load(toml, environ, dotenv=dotenv).settings.server.port == 3
    assert place.load(toml, environ, {"server.port": 4}, dotenv=dotenv).settings.server.port == 4


def test_a_flag_that_is_not_given_says_nothing(place: Place) -> None:
    """None leaves what the other sources say."""
    flags = {"server.port": None, "logging.level": None}
    assert place.load("[server]\nport = 1\n", flags=flags).settings.server.port == 1


def test_a_flag_of_text_is_typed(place: Place) -> None:
    """The command line may hand on a level in capitals."""
    assert place.load(flags={"logging.level": "DEBUG"}).settings.logging.level == "debug"


def test_a_flag_cures_what_the_environment_holds(place: Place) -> None:
    """A value that is not allowed stops nobody when a higher source replaces it."""
    assert place.problems(None, {"PORT": "x"}) != []
    assert place.problems(None, {"PORT": "x"}, {"server.port": 4}) == []


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_variable_is_not_set(place: Place, blank: str) -> None:
    """A blank in a higher source leaves what a lower one says."""
    toml = '[models]\nopus = "groq/a"\n[timeouts]\nread = 5\n'
    settings = place.load(
        toml,
        {"MODEL_OPUS": blank, "HTTP_READ_TIMEOUT": blank, "PORT": blank},
        dotenv="MODEL_OPUS=\nHOST=''\n",
    ).settings
    assert settings.models.opus == "groq/a"
    assert settings.timeouts.read == 5.0
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8082)


def test_a_blank_in_the_file_is_not_set(place: Place) -> None:
    """``key = ""`` is the default, whatever the type."""
    loaded = place.load(
        '[server]\nhost = ""\n[providers.groq]\nbase_url = ""\nproxy = ""\n[logging]\nlevel = ""\n'
    )
    assert loaded.settings.server.host == "127.0.0.1"
    assert loaded.settings.providers["groq"].base_url is None
    assert loaded.settings.logging.level == "info"


@pytest.mark.parametrize("word", ["0", "none", "None", "null", "off", "disabled"])
def test_words_that_wait_without_end(place: Place, word: str) -> None:
    """HTTP_READ_TIMEOUT can be switched off, also against a file that sets it, and in the file itself."""
    assert place.load("[timeouts]\nread = 5\n", {"HTTP_READ_TIMEOUT": word}).settings.timeouts.read is None
    assert place.load(f'[timeouts]\nread = "{word}"\n').settings.timeouts.read is None


def test_zero_in_the_file_waits_without_end(place: Place) -> None:
    """A number 0 is the same as the word."""
    assert place.load("[timeouts]\nread = 0\n").settings.timeouts.read is None


def test_the_log_file_can_be_switched_off(place: Place) -> None:
    """Blank in the file, a word in the environment: no log file; nothing said: the platform's."""
    assert place.load().settings.logging.file is None
    assert place.load('[logging]\nfile = ""\n').settings.logging.file == ""
    assert place.load('[logging]\nfile = "x.log"\n', {"CCP_LOG_FILE": "none"}).settings.logging.file == ""


def test_the_first_configuration_file_counts(place: Place, in_home: InHome) -> None:
    """--config, then CCP_CONFIG, then ./ccp.toml, then the user's; the others are not read."""
    for name, port in (("a.toml", 1), ("b.toml", 2)):
        (place.cwd / name).write_text(f"[server]\nport = {port}\n")
    user = in_home(USER_TOML, "[server]\nport = 4\n")
    assert (place.load().settings.server.port, place.load().files) == (4, (user,))
    assert place.load("[server]\nport = 3\n").settings.server.port == 3
    assert place.load(environ={"CCP_CONFIG": "b.toml"}).settings.server.port == 2
    loaded = place.load(environ={"CCP_CONFIG": "b.toml"}, config=Path("a.toml"))
    assert (loaded.settings.server.port, loaded.files) == (1, (place.cwd / "a.toml",))


def test_of_dotenv_files_the_first_that_has_a_name_counts(place: Place, in_home: InHome) -> None:
    """All three are read; ./.env, then the user's, then the one of the old name."""
    in_home(USER_ENV, "PORT=2\nMODEL=groq/b\n")
    in_home(OLD_ENV, "PORT=3\nMODEL=groq/c\nMODEL_OPUS=groq/c\n")
    loaded = place.load(dotenv="PORT=1\nMODEL=\n")
    assert loaded.settings.server.port == 1
    assert loaded.settings.models.default == "groq/b"
    assert loaded.settings.models.opus == "groq/c"
    assert loaded.files == (place.cwd / ".env", place.home / USER_ENV, place.home / OLD_ENV)


def test_a_token_may_hold_a_colon(place: Place) -> None:
    """What follows a colon in a client's token is a route only behind the whole token."""
    assert place.load(environ={"ANTHROPIC_AUTH_TOKEN": "a:b"}).settings.server.auth_token == "a:b"


def test_dotenv_values_are_taken_as_they_are(place: Place) -> None:
    """Comments, ``export``, quotes and a byte order mark are understood; a dollar sign fills nothing in."""
    dotenv = (
        "\ufeffANTHROPIC_AUTH_TOKEN='a$HOME${PATH}b'\nexport PORT=7 # why not\nMODEL=\"groq/x\"\nlonely\n"
    )
    settings = place.load(dotenv=dotenv).settings
    assert settings.server.auth_token == "a$HOME${PATH}b"
    assert settings.server.port == 7
    assert settings.models.default == "groq/x"


def test_a_file_with_a_byte_order_mark_is_read(place: Place) -> None:
    """Some editors put one in front."""
    assert place.load("\ufeff[server]\nport = 7\n").settings.server.port == 7


def test_both_spellings_of_lm_studio_work(place: Place) -> None:
    """LM_STUDIO counts more than LMSTUDIO in one source; a higher source counts more than a spelling."""
    both = "LMSTUDIO_BASE_URL=http://localhost:2/v1\nLM_STUDIO_BASE_URL=http://localhost:1/v1\n"
    load = place.load
    assert load(dotenv=both).settings.providers["lmstudio"].base_url == "http://localhost:1/v1"
    environ = {"LMSTUDIO_BASE_URL": "http://localhost:3/v1"}
    assert load(None, environ, dotenv=both).settings.providers["lmstudio"].base_url == "http://localhost:3/v1"


def test_keys_keep_their_order_without_duplicates(place: Place) -> None:
    """API_KEY comes first, then API_KEYS by commas or white space."""
    environ = {"GROQ_API_KEY": "b", "GROQ_API_KEYS": "a, b,,c\n d"}
    assert place.load(environ=environ).settings.providers["groq"].keys == ("b", "a", "c", "d")


def test_a_key_of_asterisks_is_blank(place: Place) -> None:
    """What example files show in the place of a key is none."""
    environ = {"GROQ_API_KEY": "***", "GROQ_API_KEYS": "***, ***", "ANTHROPIC_AUTH_TOKEN": "***"}
    assert place.load(environ=environ).settings == Settings()


def test_toml_tables_of_a_provider(place: Place) -> None:
    """A table has types of its own: lists, tables, and whole numbers where a number is asked for."""
    provider = place.load(
        "[providers.groq]\n"
        'api_keys = ["a", "", "b"]\nwindow = 60\nheaders = { X-Team = "a" }\n'
        '[providers.groq.context_windows]\n"a/b:c" = 1000\n'
    ).settings.providers["groq"]
    assert provider.keys == ("a", "b")
    assert provider.window == 60.0
    assert provider.headers == {"X-Team": "a"}
    assert provider.context_windows == {"a/b:c": 1000}


def test_a_slash_behind_the_base_url_does_not_matter(place: Place) -> None:
    """It is taken off, wherever the address was given."""
    loaded = place.load(
        '[providers.groq]\nbase_url = "https://a.example/v1/"\n', {"OLLAMA_BASE_URL": "http://localhost:1//"}
    )
    assert loaded.settings.providers["groq"].base_url == "https://a.example/v1"
    assert loaded.settings.providers["ollama"].base_url == "http://localhost:1"


def test_plugins_bring_their_own_prefixes(place: Place) -> None:
    """Variables of a third party's provider work, by its spec or by ``extra_prefixes``."""
    environ = {"ACME_AI_API_KEY": "k"}
    assert place.load(environ=environ).settings.providers == {}
    by_spec = place.load(environ=environ, installed={"acme": ACME})
    by_prefix = place.load(environ=environ, extra_prefixes={"acme": ("ACME_AI",)})
    assert by_spec.settings.providers["acme"].keys == ("k",)
    assert by_prefix.settings.providers["acme"].keys == ("k",)


def test_an_endpoint_without_a_plugin_has_variables_too(place: Place) -> None:
    """The table's name in capitals is the prefix, so that its key can stay out of the file."""
    toml = '[providers.my-gateway]\ntransport = "openai"\nbase_url = "https://a.example"\n'
    loaded = place.load(toml, {"MY_GATEWAY_API_KEY": "k"}, installed={})
    assert loaded.settings.providers["my-gateway"].keys == ("k",)


def test_variables_of_absent_providers_are_left_out(place: Place) -> None:
    """An old .env names all providers; of those not installed nothing is kept, and nothing is wrong."""
    dotenv = "".join(f"{known.prefixes[0]}_API_KEY=k\n" for known in KNOWN_PROVIDERS.values())
    loaded = place.load(dotenv=dotenv, installed={"groq": GROQ, "ollama": OLLAMA})
    assert set(loaded.settings.providers) == {"groq", "ollama"}
    assert set(loaded.origins) == {"providers.groq.api_key", "providers.ollama.api_key"}


def test_a_variable_that_says_what_is_so_anyway_configures_no_provider(place: Place) -> None:
    """An old .env has the usual address of every local server, and limits of zero for the others."""
    installed = {"groq": GROQ, "ollama": OLLAMA}
    dotenv = "OLLAMA_BASE_URL=http://localhost:11434/\nGROQ_KEY_USAGE_LIMIT=0\nGROQ_RESCUE_TOOL_CALLS=true\n"
    assert place.load(dotenv=dotenv, installed=installed).settings == Settings()
    dotenv = "OLLAMA_BASE_URL=http://localhost:11500\nGROQ_KEY_USAGE_LIMIT=3\n"
    assert set(place.load(dotenv=dotenv, installed=installed).settings.providers) == {"groq", "ollama"}


def test_a_variable_that_says_what_is_usual_overrules_the_file(place: Place) -> None:
    toml = '[providers.ollama]\nbase_url = "http://elsewhere:1"\nkey_usage_limit = 3\n'
    environ = {"OLLAMA_BASE_URL": "http://localhost:11434", "OLLAMA_KEY_USAGE_LIMIT": "0"}
    own = place.load(toml, environ, installed={"ollama": OLLAMA}).settings.providers["ollama"]
    assert (own.base_url, own.key_usage_limit) == (None, 0)


def test_variables_alone_make_an_endpoint(place: Place) -> None:
    """With transport and base URL a known provider works without its plugin."""
    environ = {"VLLM_TRANSPORT": "openai", "VLLM_BASE_URL": "http://localhost:8000/v1"}
    assert set(place.load(environ=environ, installed={}).settings.providers) == {"vllm"}


def test_each_value_knows_where_it_came_from(place: Place) -> None:
    """Origins name file and line, the variable, or the option."""
    loaded = place.load(
        '\n[models]\n# a comment\ndefault = "groq/a"\n[providers.groq]\nheaders.X-A = "b"\n',
        {"MODEL_OPUS": "groq/b"},
        {"server.port": 5},
        dotenv="\n# a comment\n\nMODEL_HAIKU=groq/c\n",
    )
    assert {key: str(origin) for key, origin in loaded.origins.items()} == {
        "models.default": "ccp.toml, line 4 (models.default)",
        "models.opus": "environment (MODEL_OPUS)",
        "models.haiku": ".env, line 4 (MODEL_HAIKU)",
        "server.port": "command line (--port)",
        "providers.groq": "ccp.toml, line 5 (providers.groq)",
        "providers.groq.headers": "ccp.toml, line 6 (providers.groq.headers)",
    }


def test_replaced_names_say_what_to_use(place: Place) -> None:
    """A variable that is gone warns, wherever it is set."""
    assert place.load(environ={"NIM_ENABLE_THINKING": "true"}).warnings == (
        "environment: NIM_ENABLE_THINKING is not read any more. Use ENABLE_MODEL_THINKING.",
    )
    assert place.load(dotenv="PORT=1\nMESSAGING_PLATFORM=discord\nLOG_LEVEL=INFO\n").warnings == (
        ".env, line 2: MESSAGING_PLATFORM is not read any more. "
        "There is no chat bot in ccp; delete the line.",
        ".env, line 3: LOG_LEVEL is not read any more. Use CCP_LOG_LEVEL.",
    )


def test_names_that_other_programs_use_are_left_alone(place: Place) -> None:
    """In the environment, which is everybody's, LOG_LEVEL and unknown names are nobody's business."""
    assert place.load(environ={"LOG_LEVEL": "x", "MODELS": "y", "CCP_CONFIG": ""}).warnings == ()


def test_misspelled_variables_are_pointed_out(place: Place) -> None:
    """Of our own prefix in the environment, and of all in .env, a near miss gets the name that is meant."""
    assert place.load(environ={"CCP_LIMIT_QUEUE": "3"}).warnings == (
        "environment: CCP_LIMIT_QUEUE is not the name of a setting. Did you mean CCP_LIMITS_QUEUE?",
    )
    assert place.load(dotenv="MODEL_SONET=groq/x\nSOMETHING_ELSE=1\nMODEL_OPSU=\n").warnings == (
        ".env, line 1: MODEL_SONET is not the name of a setting. Did you mean MODEL_SONNET?",
    )


def test_broken_dotenv_lines_warn(place: Place) -> None:
    """A line that is none is skipped, and said so."""
    loaded = place.load(dotenv="PORT=7\n\nset HOST to ::2\nHOST=::1\n")
    assert (loaded.settings.server.port, loaded.settings.server.host) == (7, "::1")
    assert loaded.warnings == (".env, line 3: This is not NAME=value, and is not read.",)


def test_one_env_file_alone(place: Place, in_home: InHome) -> None:
    """To make a ccp.toml of it, nothing else is read, and its providers need not be installed."""
    in_home(USER_ENV, "PORT=2\n")
    (place.cwd / "ccp.toml").write_text("[server]\nport = 3\n")
    old = place.home / "old.env"
    old.write_text("MODEL=nvidia_nim/a\nNVIDIA_NIM_API_KEY=k\nACME_AI_RATE_LIMIT=5\nENABLE_THINKING=true\n")
    loaded = load_env_file(old, {"acme": ACME})
    assert loaded.settings.models.default == "nvidia_nim/a"
    assert loaded.settings.server.port == 8082
    assert {name: p.rate or p.keys for name, p in loaded.settings.providers.items()} == {
        "acme": 5,
        "nvidia_nim": ("k",),
    }
    assert loaded.files == (old,)
    assert "ENABLE_MODEL_THINKING" in loaded.warnings[0]
    with pytest.raises(ConfigError, match="There is no such file"):
        load_env_file(place.home / "no.env")


def test_an_account_without_a_home_folder_starts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service user may have none; the files of the current folder still count."""

    def no_home(cls: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(no_home))
    (place.cwd / "ccp.toml").write_text("[server]\nport = 7\n")
    assert load_settings(None, {}, {}, cwd=place.cwd).settings.server.port == 7
