"""``ccp init``: from nothing, or from an old .env, to a configuration that works."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from ccp_core.config.names import KnownProvider
from ccp_core.testing import chat_error, chat_stream, models_list

from .conftest import KEY, hosted, local

if sys.platform != "win32":
    from .terminal import Terminal

DOWN, ENTER, SPACE = "\x1b[B", "\r", " "

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")


@pytest.fixture
def upstream(threaded_upstream):
    """A model server that wants a key."""

    def models(request):
        wanted = f"Bearer {KEY}"
        good = request.headers.get("authorization") == wanted
        return models_list(["glm-4.7", "kimi-k2.5", "tiny"]) if good else chat_error(401, "no such key")

    return threaded_upstream(
        lambda _: chat_stream(text="hello from the model"), routes={"GET /models": models}
    )


@pytest.fixture
def acme(machine, upstream):
    """The machine with one hosted provider installed."""
    machine.install(hosted("acme", upstream.base_url))
    return machine


def written(machine) -> dict:
    return tomllib.loads((machine.home / ".config" / "claude-code-proxy" / "ccp.toml").read_text())


def init(machine, *options, **more):
    return machine.ccp("init", "--non-interactive", *options, **more)


def test_options_make_a_configuration_that_only_its_owner_can_read(acme):
    result = init(
        acme, "--model", "acme/glm-4.7", "--haiku", "acme/tiny", "--api-key", f"acme={KEY}", "--port", "9000"
    )
    assert result.status == 0, result.err
    config = written(acme)
    token = config["server"].pop("auth_token")
    assert config == {
        "server": {"port": 9000},
        "models": {"default": "acme/glm-4.7", "haiku": "acme/tiny"},
        "providers": {"acme": {"api_key": KEY}},
    }
    assert len(token) > 20
    file = acme.home / ".config" / "claude-code-proxy" / "ccp.toml"
    assert sys.platform == "win32" or file.stat().st_mode & 0o077 == 0


def test_the_end_tells_the_next_steps_for_terminal_vs_code_and_jetbrains(acme):
    result = init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}")
    for words in (
        "ccp run",
        "ccp env --shell vscode --write",
        "ccp env --shell jetbrains --write",
        "ccp doctor",
    ):
        assert words in result.out
    assert result.out.index("ccp serve") < result.out.index("ccp env")  # which asks the proxy for the window
    assert KEY not in result.out + result.err


def test_each_next_step_names_a_configuration_that_is_at_a_place_of_its_own(acme):
    result = init(acme, "--config", "mine.toml", "--model", "acme/tiny", "--api-key", f"acme={KEY}")
    steps = result.out.partition("What to do next:")[2]
    assert steps.count(" ccp ") == steps.count(" --config ") == 5


def test_in_the_home_folder_the_new_file_is_not_taken_for_another_one(acme, monkeypatch):
    monkeypatch.chdir(acme.home)
    assert init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}").err == ""


def test_every_token_is_another_one(acme):
    tokens = set()
    for _ in range(2):
        init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}", "--force")
        tokens.add(written(acme)["server"]["auth_token"])
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("options", "section"), [(["--token", "mine"], {"auth_token": "mine"}), (["--token", ""], {})]
)
def test_a_token_of_ones_own_or_none(options, section, acme):
    init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}", *options)
    assert written(acme).get("server", {}) == section


def test_a_key_can_come_from_standard_input(acme):
    result = init(acme, "--model", "acme/tiny", "--api-key", "acme=-", input=f"{KEY}\n")
    assert result.status == 0
    assert written(acme)["providers"]["acme"]["api_key"] == KEY


def test_a_key_of_the_environment_is_used_and_not_written(acme):
    acme.set(ACME_API_KEY=KEY)
    result = init(acme, "--model", "acme/tiny")
    assert result.status == 0
    assert "ACME_API_KEY is taken from the environment" in result.err
    assert "providers" not in written(acme)


def test_an_endpoint_without_a_plugin_can_be_set_up(machine, upstream):
    machine.install()
    options = [
        "--base-url",
        f"own={upstream.base_url}",
        "--transport",
        "own=openai",
        "--api-key",
        f"own={KEY}",
    ]
    assert init(machine, "--model", "own/tiny", *options).status == 0
    assert written(machine)["providers"]["own"] == {
        "base_url": upstream.base_url,
        "transport": "openai",
        "api_key": KEY,
    }


PROBLEMS = {
    "no_model": ([], "--model PROVIDER/MODEL is missing"),
    "not_a_route": (["--model", "tiny"], "--model tiny must be provider/model"),
    "unknown_provider": (["--model", "gork/x"], 'there is no provider "gork"'),
    "not_installed": (["--model", "groq/x"], "pip install ccp-groq"),
    "no_key": (["--model", "acme/tiny"], "set ACME_API_KEY"),
    "wrong_key": (["--model", "acme/tiny", "--api-key", "acme=wrong"], "did not accept the API key"),
    "bad_url": (
        ["--model", "acme/tiny", "--base-url", "acme=here"],
        "--base-url acme=here must be an http:// or https:// address",
    ),
    "bad_token": (
        ["--model", "acme/tiny", "--api-key", f"acme={KEY}", "--token", "two words"],
        "--token *** must be printable ASCII without blanks",
    ),
    "bad_key": (
        ["--model", "acme/tiny", "--api-key", f"acme={KEY} {KEY}"],
        "--api-key acme=*** must be printable ASCII without blanks",
    ),
    "no_pair": (["--model", "acme/tiny", "--api-key", "acme"], "--api-key wants PROVIDER=VALUE"),
    "bad_port": (["--model", "acme/tiny", "--api-key", f"acme={KEY}", "--port", "99999"], "from 0 to 65535"),
    "public": (
        ["--model", "acme/tiny", "--api-key", f"acme={KEY}", "--host", "0.0.0.0", "--token", ""],
        "no token is set",
    ),
}


@pytest.mark.parametrize(("options", "words"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_cannot_work_is_one_line_and_nothing_is_written(options, words, acme):
    result = init(acme, *options)
    assert (result.status, len(result.problems)) == (2, 1)
    assert words in result.err
    assert KEY not in result.err
    assert not (acme.home / ".config").exists()


def test_a_key_that_cannot_be_checked_is_written_when_told_so(acme):
    assert init(acme, "--model", "acme/tiny", "--api-key", "acme=wrong", "--no-check").status == 0


def test_a_model_that_the_list_does_not_have_is_worth_a_word(acme):
    result = init(acme, "--model", "acme/unheard-of", "--api-key", f"acme={KEY}")
    assert result.status == 0
    assert "acme/unheard-of is not in the provider's list" in result.err


def test_nothing_is_overwritten_without_being_asked(acme):
    file = acme.configure("# mine\n")
    result = init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}")
    assert (result.status, len(result.problems)) == (2, 1)
    assert "--force" in result.err
    assert file.read_text() == "# mine\n"


def test_what_is_replaced_is_kept(acme):
    file = acme.configure("# mine\n")
    result = init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}", "--force")
    assert result.status == 0
    assert "ccp.toml.bak" in result.out
    assert file.with_name("ccp.toml.bak").read_text() == "# mine\n"
    assert "acme/tiny" in file.read_text()


def test_a_file_that_cannot_be_replaced_stays(acme, monkeypatch):
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    file = acme.configure("# mine\n")
    monkeypatch.setattr("ccp_core.cli.init.target.write_settings", full_disk)
    result = init(acme, "--model", "acme/tiny", "--api-key", f"acme={KEY}", "--force")
    assert (result.status, len(result.problems)) == (2, 1)
    assert file.read_text() == "# mine\n"


def test_a_file_can_be_named_and_the_next_steps_name_it_too(acme):
    file = acme.work / "deep" / "team.toml"
    result = init(acme, "--config", str(file), "--model", "acme/tiny", "--api-key", f"acme={KEY}")
    assert file.exists()
    assert f"ccp run --config {file}" in result.out


def test_a_folder_that_cannot_be_written_is_one_line(acme):
    (acme.work / "file").write_text("")
    result = init(acme, "--config", "file/ccp.toml", "--model", "acme/tiny", "--api-key", f"acme={KEY}")
    assert (result.status, len(result.problems)) == (2, 1)
    assert "cannot be written" in result.err


def test_without_a_terminal_the_way_without_questions_is_told(acme):
    result = acme.ccp("init")
    assert (result.status, len(result.problems)) == (2, 1)
    assert "--non-interactive" in result.err


OLD_ENV = """
# the old proxy
ACME_API_KEY="{key}"
ACME_API_KEYS="{key} second, third"
MODEL="acme/glm-4.7"
MODEL_HAIKU="acme/tiny"
MODEL_OPUS=
ENABLE_MODEL_THINKING=false
ANTHROPIC_AUTH_TOKEN="freecc"
PROVIDER_RATE_LIMIT=40
PROVIDER_RATE_WINDOW=60
HTTP_READ_TIMEOUT=
NIM_ENABLE_THINKING=true
GROQ_API_KEY=gsk_of_nobody_12345678
GROQ_PROXY=""
CEREBRAS_API_KEY=***
LM_STUDIO_BASE_URL="http://localhost:1234/v1"
NEAR_BASE_URL="http://localhost:9/v1/"
"""


def old_env(machine) -> Path:
    file = machine.work / "old.env"
    file.write_text(OLD_ENV.format(key=KEY))
    return file


def test_an_old_env_becomes_a_configuration(machine):
    machine.install(hosted("acme", "http://127.0.0.1:9/v1"), local("near", "http://localhost:9/v1"))
    result = machine.ccp("init", "--from-env", str(old_env(machine)))
    assert result.status == 0
    assert written(machine) == {
        "server": {"auth_token": "freecc"},
        "models": {"default": "acme/glm-4.7", "haiku": "acme/tiny"},
        "thinking": {"default": False},
        "limits": {"rate": 40, "window": 60.0},
        "providers": {"acme": {"api_key": KEY, "api_keys": [KEY, "second", "third"]}},
    }


def test_what_is_not_taken_over_from_an_old_env_is_told(machine):
    machine.install(hosted("acme", "http://127.0.0.1:9/v1"))
    told = machine.ccp("init", "--from-env", str(old_env(machine))).err
    assert "NIM_ENABLE_THINKING is not read any more. Use ENABLE_MODEL_THINKING." in told
    assert "the keys of Groq were left out: pip install ccp-groq, and run this again" in told
    assert "gsk_of_nobody" not in told
    assert "LM Studio" not in told


def test_a_provider_that_the_routes_need_and_that_is_not_installed_is_kept_and_told(machine):
    machine.install()
    file = machine.work / "old.env"
    file.write_text("MODEL=groq/x\nGROQ_API_KEY=gsk_of_nobody_12345678\n")
    result = machine.ccp("init", "--from-env", str(file))
    assert result.status == 0
    assert written(machine)["providers"]["groq"] == {"api_key": "gsk_of_nobody_12345678"}
    assert "pip install ccp-groq" in result.err
    assert "Before you start it:" in result.out


def test_an_env_file_that_goes_on_being_read_is_told(machine):
    machine.install(hosted("acme", "http://127.0.0.1:9/v1"))
    file = machine.work / ".env"
    file.write_text(f"MODEL=acme/tiny\nACME_API_KEY={KEY}\n")
    result = machine.ccp("init", "--from-env", str(file))
    assert ".env holds some of these settings, too, and counts more" in result.err


@pytest.mark.parametrize(
    ("text", "words"), [("MODEL=nonsense\n", "must be provider/model"), (None, "There is no such file")]
)
def test_an_old_env_that_cannot_be_read_is_one_line(text, words, machine):
    file = machine.work / "old.env"
    if text is not None:
        file.write_text(text)
    result = machine.ccp("init", "--from-env", str(file))
    assert (result.status, len(result.problems)) == (2, 1)
    assert words in result.err


def test_an_old_env_replaces_nothing_without_being_asked(machine):
    file = machine.configure("# mine\n")
    result = machine.ccp("init", "--from-env", str(old_env(machine)))
    assert result.status == 2
    assert file.read_text() == "# mine\n"


@posix
def test_the_questions_lead_from_nothing_to_a_working_session(machine, upstream):
    """With the keys that a person presses; then one command, and an answer."""
    machine.add_client(ASKS)
    machine.set(CCP_LOG_FILE="off", PORT="0")
    for name in ("LM_STUDIO", "LLAMACPP", "OLLAMA", "VLLM", "CLIPROXYAPI"):  # whatever runs on this machine
        machine.set(**{f"{name}_BASE_URL": "http://127.0.0.1:9/v1"})
    with Terminal("init") as screen:
        screen.wait_for("Which providers do you want to use?")
        screen.press("\x1b[A", SPACE, ENTER)  # the last one: another endpoint
        screen.wait_for("Address of the endpoint")
        screen.press("here", ENTER)
        screen.wait_for("It begins with http:// or https://")
        screen.press("\x7f" * 4, upstream.base_url, ENTER)
        screen.wait_for("A short name for it")
        screen.press(ENTER)
        screen.wait_for("What does it speak?")
        screen.press(ENTER)
        screen.wait_for("Its key")
        screen.press("wrong", ENTER)
        screen.wait_for("did not accept the API key")
        screen.wait_for("Answer these again?")
        screen.press("y")
        screen.wait_for("Address of the endpoint")
        screen.press(ENTER)
        screen.wait_for("What does it speak?")
        screen.press(ENTER)
        screen.wait_for("Its key")
        screen.press(KEY, ENTER)
        screen.wait_for("it works: 3 models")
        screen.wait_for("Which model should answer?")
        screen.press("kim", ENTER)
        screen.wait_for("Model: own/kimi-k2.5")
        screen.wait_for("tiers?")
        screen.press(DOWN, DOWN, SPACE, ENTER)
        screen.wait_for("Model for haiku?")
        screen.press(DOWN, DOWN, ENTER)
        screen.wait_for("haiku: own/tiny")
        screen.wait_for("Protect the proxy with a token")
        screen.press(ENTER)
        screen.wait_for("What to do next")
        assert screen.end() == 0
        assert KEY not in screen.text
    config = written(machine)
    assert config["models"] == {"default": "own/kimi-k2.5", "haiku": "own/tiny"}
    assert config["providers"]["own"]["api_key"] == KEY
    assert config["server"]["auth_token"]
    result = machine.process("run", "--", "-p", "hello")
    assert (result.status, result.out) == (0, "hello from the model\n")


ASKS = """
import json, os, urllib.request
body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", json.dumps(body).encode(),
    {"authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]})
with urllib.request.urlopen(request, timeout=20) as response:
    print(json.load(response)["content"][0]["text"])
"""


@posix
def test_leaving_the_questions_writes_nothing(machine):
    with Terminal("init") as screen:
        screen.wait_for("Which providers")
        screen.press("\x03")
        screen.wait_for("nothing was written")
        assert screen.end() == 130
    assert not (machine.home / ".config").exists()


@posix
def test_a_configuration_that_exists_can_be_left_as_it_is(machine):
    file = machine.configure("# mine\n")
    with Terminal("init") as screen:
        screen.wait_for("There is a configuration already")
        screen.press(DOWN, DOWN, ENTER)
        screen.wait_for("nothing was written")
        screen.end()
    assert file.read_text() == "# mine\n"


@posix
def test_settings_of_an_earlier_version_are_offered(machine):
    file = machine.home / ".config" / "free-claude-code" / ".env"
    file.parent.mkdir(parents=True)
    file.write_text("MODEL=own/tiny\nENABLE_MODEL_THINKING=false\n")
    with Terminal("init") as screen:
        screen.wait_for("settings of an earlier version")
        screen.press(ENTER)
        screen.wait_for("Wrote")
        assert screen.end() == 0
    assert written(machine)["thinking"] == {"default": False}


@pytest.fixture
def interview(machine):
    """Answer the questions in this process: ``interview(keys)`` gives the draft."""
    from ccp_core.cli.init.draft import Draft
    from ccp_core.cli.init.questions import Interview
    from ccp_core.cli.start import load_plugins
    from ccp_core.config.settings import Settings

    def answer(*keys: str, settings: Settings | None = None) -> Draft:
        draft = Draft.begin(settings or Settings(), load_plugins(), os.environ)
        with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
            keyboard.send_text("".join(keys))
            Interview(draft).run()
        return draft

    return answer


def test_a_key_is_asked_again_until_it_works(acme, interview, capsys):
    draft = interview(ENTER, "wrong", ENTER, "y", KEY, ENTER, "glm", ENTER, ENTER, "n")
    assert draft.settings.providers["acme"].api_key == KEY
    assert draft.settings.models.default == "acme/glm-4.7"
    assert draft.settings.server.auth_token == ""
    told = capsys.readouterr().out
    assert "did not accept the API key" in told
    assert "it works: 3 models" in told
    assert KEY not in told


def test_a_list_that_everybody_gets_is_not_taken_for_a_good_key(
    machine, interview, threaded_upstream, capsys
):
    public = threaded_upstream(routes={"GET /models": models_list(["glm-4.7"])})
    machine.install(hosted("acme", public.base_url))
    interview(ENTER, KEY, ENTER, ENTER, ENTER, "n")
    told = " ".join(capsys.readouterr().out.split())
    assert "everybody gets this list, so it does not tell whether the key is right; ccp doctor does" in told
    assert "it works" not in told


def test_a_key_that_is_there_already_can_stay(acme, interview):
    from ccp_core.config.settings import ProviderSettings, Settings

    before = Settings(providers={"acme": ProviderSettings(api_key=KEY, rate=7)})
    draft = interview(ENTER, ENTER, "tiny", ENTER, ENTER, "n", settings=before)
    assert draft.settings.providers["acme"] == before.providers["acme"]


def test_an_endpoint_that_is_there_already_stays_chosen(machine, interview, upstream):
    from ccp_core.config.settings import ProviderSettings, Settings

    machine.install()
    own = ProviderSettings(transport="openai", base_url=upstream.base_url, api_key=KEY)
    draft = interview(ENTER, "tiny", ENTER, ENTER, "n", settings=Settings(providers={"own": own}))
    assert draft.settings.models.default == "own/tiny"
    assert draft.settings.providers == {"own": own}


def test_the_only_provider_that_is_installed_is_marked_already_and_others_are_named(acme, interview, capsys):
    draft = interview(ENTER, KEY, ENTER, "tiny", ENTER, ENTER, "n")
    assert list(draft.settings.providers) == ["acme"]
    told = capsys.readouterr().out
    assert "Further providers can be added with pip install: ccp-nim, ccp-openrouter" in told


def test_an_address_of_the_environment_is_the_one_that_is_asked_and_not_written_down(
    machine, interview, upstream
):
    machine.install(hosted("acme", "http://127.0.0.1:9/v1"))
    machine.set(ACME_BASE_URL=upstream.base_url)
    draft = interview(ENTER, KEY, ENTER, "tiny", ENTER, ENTER, "n")
    assert draft.settings.models.default == "acme/tiny"
    assert draft.settings.providers["acme"].base_url is None


def test_a_key_of_the_environment_is_offered_and_not_written_down(acme, interview):
    acme.set(ACME_API_KEY=KEY)
    draft = interview(ENTER, "y", "tiny", ENTER, ENTER, "y")
    assert draft.settings.providers["acme"].keys == ()
    assert draft.settings.models.default == "acme/tiny"
    assert draft.settings.server.auth_token


def test_a_server_that_runs_here_is_found_and_chosen_already(machine, interview, threaded_upstream, capsys):
    here = threaded_upstream(routes={"GET /models": models_list(["qwen"])})
    machine.install(hosted("acme", "http://127.0.0.1:9/v1"), local("near", here.base_url))
    draft = interview(ENTER, ENTER, ENTER, "n")
    assert draft.settings.models.default == "near/qwen"
    assert list(draft.settings.providers) == ["near"]


def test_a_server_that_runs_here_without_its_plugin_is_told(
    machine, interview, threaded_upstream, monkeypatch, capsys
):
    here = threaded_upstream(routes={"GET /models": models_list(["a", "b"])})
    known = KnownProvider("Near", "ccp-near", ("NEAR",), f"{here.base_url}/models")
    monkeypatch.setattr("ccp_core.cli.init.draft.KNOWN_PROVIDERS", {"near": known})
    machine.install()
    with pytest.raises(KeyboardInterrupt):
        interview("\x03")
    assert "Near runs here; to use it: pip install ccp-near" in capsys.readouterr().out


def test_a_server_at_another_address_can_be_named(machine, interview, threaded_upstream):
    elsewhere = threaded_upstream(routes={"GET /models": models_list(["qwen"])})
    machine.install(local("near", "http://127.0.0.1:9/v1"))
    draft = interview(ENTER, elsewhere.base_url, ENTER, ENTER, ENTER, "n")
    assert draft.settings.providers["near"].base_url == elsewhere.base_url
    assert draft.settings.models.default == "near/qwen"


def test_a_provider_without_a_list_is_asked_for_the_models_name(machine, interview, threaded_upstream):
    bare = threaded_upstream(routes={"GET /models": chat_error(404, "no list")})
    machine.install(hosted("acme", bare.base_url))
    draft = interview(
        ENTER, KEY, ENTER, "n", "wrong", ENTER, "\x7f" * 5, "acme/some/model", ENTER, ENTER, "n"
    )
    assert draft.settings.models.default == "acme/some/model"
    assert draft.settings.providers["acme"].api_key == KEY
