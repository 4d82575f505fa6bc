"""Each mistake gets one line that names the place, the value and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Place

ROUTE = "must be provider/model, for example nvidia_nim/z-ai/glm4.7."
BASE_URL = "must be an http:// or https:// address without user, query and fragment, for example https://host.example/v1."

IN_THE_FILE = {
    # unknown keys
    "[server]\nprot = 1": "2: server.prot is unknown. Did you mean server.port?",
    "port = 1": "1: port is unknown. Did you mean server.port?",
    "quota = false": "1: quota is unknown. Did you mean local_answers.quota?",
    'MODEL = "groq/a"': (
        "1: MODEL is unknown. It is an environment variable; in ccp.toml it is called models.default."
    ),
    "\n[modles]": "2: modles is unknown. Did you mean models?",
    "[zzz]": (
        "1: zzz is unknown. Allowed are server, models, fallbacks, thinking, limits, timeouts, "
        "logging, web_tools, local_answers, providers."
    ),
    "[models]\nqqq = 1": (
        "2: models.qqq is unknown. Allowed are default, opus, sonnet, haiku, fable, vision."
    ),
    "[providers.groq]\napikey = 1": (
        "2: providers.groq.apikey is unknown. Did you mean providers.groq.api_key?"
    ),
    # wrong types
    '[server]\nport = "80a"': '2: server.port = "80a" must be a whole number, from 0 to 65535.',
    "[server]\nport = true": "2: server.port = true must be a whole number, from 0 to 65535.",
    "[server]\nport = 1.5": "2: server.port = 1.5 must be a whole number, from 0 to 65535.",
    "[server]\nhost = 5": (
        "2: server.host = 5 must be an address or a name without scheme and port, for example 127.0.0.1."
    ),
    '[thinking]\nopus = "yes"': '2: thinking.opus = "yes" must be true or false.',
    '[limits]\nwindow = "3"': '2: limits.window = "3" must be a number, more than 0.',
    "[logging]\nlevel = 2020-01-01": ("2: logging.level = 2020-01-01 must be debug, info, warning or error."),
    '[logging]\nlevel = "warn"': (
        '2: logging.level = "warn" must be debug, info, warning or error. Did you mean warning?'
    ),
    '[web_tools]\nschemes = "http"': (
        '2: web_tools.schemes = "http" must be a list; each item http or https.'
    ),
    "[web_tools]\nschemes = [1]": "2: web_tools.schemes = [1] must be a list; each item http or https.",
    "[providers.groq]\nvision = 1": "2: providers.groq.vision = 1 must be a table of true or false.",
    '[providers.groq]\ncontext_windows = { a = "x" }': (
        '2: providers.groq.context_windows = {"a":"x"} must be model ids with 1 token or more.'
    ),
    "server = 1": "1: server must be a table: a line [server] with its keys below.",
    "[providers]\ngroq = 1": (
        "2: providers.groq must be a table: a line [providers.groq] with its keys below."
    ),
    # values that are not allowed
    "[server]\nport = 65536": "2: server.port = 65536 must be a whole number, from 0 to 65535.",
    "[server]\nport = -1": "2: server.port = -1 must be a whole number, from 0 to 65535.",
    "[server]\nworkers = 0": "2: server.workers = 0 must be a whole number, 1 or more.",
    '[server]\nhost = "http://localhost"': (
        '2: server.host = "http://localhost" must be an address or a name without scheme and port, '
        "for example 127.0.0.1."
    ),
    "[limits]\nretries = -1": "2: limits.retries = -1 must be a whole number, 0 or more.",
    "[limits]\nretry_max = inf": "2: limits.retry_max = inf must be a number, 0 or more.",
    '[limits]\nstorage = "disk"': (
        '2: limits.storage = "***" must be memory, or redis://host:port (rediss:// with TLS).'
    ),
    "[timeouts]\nread = -5": "2: timeouts.read = -5 must be a number, more than 0, or off.",
    "[timeouts]\nconnect = 0": "2: timeouts.connect = 0 must be a number, more than 0.",
    '[models]\ndefault = "glm4.7"': f'2: models.default = "glm4.7" {ROUTE}',
    '[models]\ndefault = "groq/"': f'2: models.default = "groq/" {ROUTE}',
    '[models]\ndefault = "/x"': f'2: models.default = "/x" {ROUTE}',
    '[fallbacks]\nopus = ["groq/a", "x"]': (
        f'2: fallbacks.opus = ["groq/a","x"] must be a list; each item {ROUTE[8:]}'
    ),
    '[providers.groq]\nbase_url = "localhost:80"': (
        f'2: providers.groq.base_url = "localhost:80" {BASE_URL}'
    ),
    '[providers.groq]\nbase_url = "http://h:99999"': (
        f'2: providers.groq.base_url = "http://h:99999" {BASE_URL}'
    ),
    '[providers.groq]\nbase_url = "https://h/?a=b"': (
        f'2: providers.groq.base_url = "https://h/?a=b" {BASE_URL}'
    ),
    '[providers.groq]\nproxy = "ftp://127.0.0.1:1"': (
        '2: providers.groq.proxy = "ftp://***" must be an address that starts with http://, https://, '
        "socks5:// or socks5h://."
    ),
    '[providers.groq]\ntransport = "anthropc"': (
        '2: providers.groq.transport = "anthropc" must be openai or anthropic. Did you mean anthropic?'
    ),
    '[providers.groq]\nauth = "basic"': (
        '2: providers.groq.auth = "basic" must be bearer, x-api-key or none.'
    ),
    '[providers.groq]\nheaders = { "a b" = "c" }': (
        '2: providers.groq.headers = {"a b":"***"} must be header names with values of printable ASCII.'
    ),
    "[providers.groq]\ncontext_windows = { a = 0 }": (
        '2: providers.groq.context_windows = {"a":0} must be model ids with 1 token or more.'
    ),
    # broken files
    "[server\nport = 1": ("1: This is not TOML: Expected ']' at the end of a table declaration."),
    "[server]\nhost = localhost": "2: This is not TOML: Invalid value. A text needs quotes.",
    "[server]\nport = 1\nport = 2": "3: This is not TOML: Cannot overwrite a value.",
}

IN_THE_ENVIRONMENT = {
    ("PORT", "80a"): 'environment: PORT = "80a" must be a whole number, from 0 to 65535.',
    ("ENABLE_OPUS_THINKING", "maybe"): 'environment: ENABLE_OPUS_THINKING = "maybe" must be true or false.',
    (
        "HTTP_READ_TIMEOUT",
        "long",
    ): 'environment: HTTP_READ_TIMEOUT = "long" must be a number, more than 0, or off.',
    ("HTTP_WRITE_TIMEOUT", "nan"): 'environment: HTTP_WRITE_TIMEOUT = "nan" must be a number, more than 0.',
    ("MODEL", "glm"): f'environment: MODEL = "glm" {ROUTE}',
    ("WEB_FETCH_ALLOWED_SCHEMES", "http,file"): (
        'environment: WEB_FETCH_ALLOWED_SCHEMES = "http,file" must be a list; each item http or https.'
    ),
    ("GROQ_HEADERS", "X-Team: a"): (
        'environment: GROQ_HEADERS = "***" must be JSON: header names with values of printable ASCII.'
    ),
    ("GROQ_VISION", "[1]"): 'environment: GROQ_VISION = "[1]" must be JSON: a table of true or false.',
    ("GROQ_RATE_LIMIT", "1.5"): 'environment: GROQ_RATE_LIMIT = "1.5" must be a whole number, 0 or more.',
    (
        "GROQ_API_KEY",
        "two words",
    ): 'environment: GROQ_API_KEY = "***" must be printable ASCII without blanks.',
    (
        "ANTHROPIC_AUTH_TOKEN",
        "two words",
    ): 'environment: ANTHROPIC_AUTH_TOKEN = "***" must be printable ASCII without blanks.',
}


@pytest.mark.parametrize("toml", IN_THE_FILE)
def test_a_mistake_in_the_file_is_one_line(place: Place, toml: str) -> None:
    """The line names file, line, key and value, what is allowed, and what may be meant."""
    [problem] = place.problems(toml + "\n")
    expected = f"ccp.toml, line {IN_THE_FILE[toml]}"
    before, broken, _ = expected.partition("This is not TOML: ")
    if broken:  # what follows are the words of Python's TOML reader, which differ between its versions
        assert problem.startswith(before + broken)
    else:
        assert problem == expected


@pytest.mark.parametrize(("variable", "text"), IN_THE_ENVIRONMENT)
def test_a_mistake_in_the_environment_is_one_line(place: Place, variable: str, text: str) -> None:
    """The line names the variable."""
    assert place.problems(environ={variable: text}) == [IN_THE_ENVIRONMENT[variable, text]]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[server]\nhost = 127.0.0.1", "A text needs quotes."),
        ("[server]\nport = 1\nport = 2", "The key stands there twice."),
        ("[providers.groq]\n[providers.groq]", "[providers.groq]"),
    ],
)
def test_a_broken_file_is_told_in_words_that_help(place: Place, toml: str, words: str) -> None:
    """The reader's reason is for programmers; the mistakes that people make get the cure."""
    [problem] = place.problems(toml + "\n")
    assert words in problem
    assert "('" not in problem


def test_a_mistake_in_a_dotenv_file_names_its_line(place: Place) -> None:
    """File and line of the name."""
    assert place.problems(dotenv="# a comment\n\nPORT=x\n") == [
        '.env, line 3: PORT = "x" must be a whole number, from 0 to 65535.'
    ]


def test_a_mistake_on_the_command_line_names_the_option(place: Place) -> None:
    """The option as it is typed."""
    assert place.problems(flags={"server.port": 70000, "logging.level": "loud"}) == [
        "command line: --port = 70000 must be a whole number, from 0 to 65535.",
        'command line: --log-level = "loud" must be debug, info, warning or error.',
    ]


def test_all_problems_are_told_at_once(place: Place) -> None:
    """Of every source and kind, in one error."""
    problems = place.problems(
        '[server]\nprot = 1\nport = "x"\n[models]\ndefault = "zzz/a"\n',
        {"PROVIDER_MAX_RETRIES": "-1"},
        installed={},
    )
    assert [problem.partition(" is ")[0].partition(" = ")[0] for problem in problems] == [
        "ccp.toml, line 2: server.prot",
        "ccp.toml, line 3: server.port",
        "environment: PROVIDER_MAX_RETRIES",
        "ccp.toml, line 5: models.default",
    ]


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        (f"[server]\nport = 1{'0' * 400}\n", {}),
        (f"[limits]\nwindow = 1{'0' * 400}\n", {}),
        (f"[limits]\nretries = 1{'0' * 5000}\n", {}),
        (f"[web_tools]\nschemes = {'[' * 5000}\n", {}),
        (None, {"PROVIDER_MAX_RETRIES": f"1{'0' * 400}"}),
        (None, {"PROVIDER_MAX_RETRIES": "9" * 5000}),
        (None, {"HTTP_WRITE_TIMEOUT": "1e999"}),
        (None, {"HOST": "caf\udce9"}),
        (None, {"GROQ_VISION": "[" * 100_000}),
    ],
)
def test_no_value_is_too_odd(place: Place, toml: str | None, environ: dict[str, str]) -> None:
    """Numbers beyond all bounds, nesting without end, bytes that are no text: one line, and printable."""
    [problem] = place.problems(toml, environ)
    assert problem.isascii()
    assert len(problem) < 300


def test_a_long_value_is_cut(place: Place) -> None:
    """A problem stays one readable line."""
    [problem] = place.problems(environ={"MODEL": "x" * 500})
    assert len(problem) < 200
    assert "xxx... must be" in problem


def test_a_line_break_in_a_value_stays_inside_the_line(place: Place) -> None:
    """A value cannot forge a line of its own."""
    [problem] = place.problems(environ={"MODEL": "a\nenvironment: all is well"})
    assert "\n" not in problem


def test_a_named_file_must_exist(place: Place) -> None:
    """The line says who named it."""
    assert place.problems(config=Path("no.toml")) == ["no.toml (named by --config): There is no such file."]
    assert place.problems(environ={"CCP_CONFIG": "no.toml"}) == [
        "no.toml (named by CCP_CONFIG): There is no such file."
    ]


def test_a_named_folder_is_no_file(place: Place) -> None:
    """A folder in the place of the file is a problem, not a traceback."""
    (place.cwd / "there").mkdir()
    [problem] = place.problems(config=Path("there"))
    assert problem.startswith("there (named by --config): ")


def test_a_folder_at_the_usual_place_is_no_file(place: Place) -> None:
    """It is not passed over in silence: what the person believes to be configured is not."""
    (place.cwd / "ccp.toml").mkdir()
    assert place.problems() == ["ccp.toml: This is a folder; name the file in it."]


@pytest.mark.parametrize("name", ["ccp.toml", ".env"])
def test_a_file_of_another_encoding(place: Place, name: str) -> None:
    """The cure is to save it as UTF-8."""
    (place.cwd / name).write_bytes(b"# \xff\xfe\n")
    assert place.problems() == [f"{name}: The file is not UTF-8 text; save it as UTF-8."]


@pytest.mark.parametrize("name", ["ccp.toml", ".env"])
def test_a_file_that_may_not_be_read(place: Place, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cure stands beside it; of other failures the operating system's reason is told."""
    path = place.cwd / name
    path.write_text("")
    number = 13
    read_text = Path.read_text

    def refuse(self: Path, encoding: str | None = None, errors: str | None = None) -> str:
        if self == path:
            raise OSError(number, os.strerror(number), str(self))
        return read_text(self, encoding, errors)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert place.problems() == [f"{name}: You may not read the file: change its permissions or its owner."]
    number = 5
    assert place.problems() == [f"{name}: The file cannot be read: {os.strerror(5)}."]


def test_a_file_elsewhere_is_named_in_full(place: Place) -> None:
    """Only what is in the current folder is named by its short name."""
    path = place.home / "other.toml"
    path.write_text("x = 1\n")
    [problem] = place.problems(config=path)
    assert problem.startswith(f"{path}, line 1: x is unknown.")
