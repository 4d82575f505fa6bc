"""The settings, as types. A field's metadata says what it means: documentation and example file come from it.

A value is looked for in flags, environment, ``.env`` files and ``ccp.toml``, in this order (config.sources);
config.names has the names of the environment variables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import Factory, field, frozen

from ccp_core.config import validators as v


def _setting(
    default: Any,
    help: str,
    allowed: v.Allowed | None = None,
    *,
    secret: bool = False,
    converter: Callable[[Any], Any] | None = None,
    **metadata: Any,
) -> Any:
    """Make a field. Metadata: ``help``; ``secret``; ``example``, shown where the default is absent or blank;
    ``off``, the value that 0, none, null, off and disabled stand for.
    """
    return field(
        default=default,
        kw_only=True,
        repr=not secret,
        validator=allowed,
        converter=converter,
        metadata={"help": help, "secret": secret, **metadata},
    )


def _without_slash(url: str | None) -> str | None:
    return url.rstrip("/") if url else None


def _path(text: str | None) -> str | None:
    return os.path.expanduser(text) if text else text


@frozen
class ServerSettings:
    """``[server]``: where the proxy listens, and for whom."""

    host: str = _setting("127.0.0.1", "Address to listen on.", v.host)
    port: int = _setting(8082, "Port to listen on; 0 takes a free one.", v.port)
    auth_token: str = _setting(
        "",
        "Token that clients must send; blank means that nobody is asked.",
        v.key,
        secret=True,
        example="a-secret-of-your-own",
    )
    insecure: bool = _setting(False, "Allow listening on a public address without a token.")
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "Further Host headers to accept on a loopback address (a tunnel's or a reverse proxy's name).",
        v.host,
        example=("proxy.example.org",),
    )
    workers: int = _setting(1, "Processes that share the port.", v.at_least(1))
    drain_seconds: float = _setting(
        30.0, "Seconds that open answers are given to end when the proxy is stopped.", v.at_least(0)
    )
    max_body_bytes: int = _setting(
        32 * 1024 * 1024, "Largest request that is accepted, in bytes.", v.at_least(1)
    )


def _route(default: Any, help: str, example: Any) -> Any:
    return _setting(default, help, v.route, example=example)


@frozen
class ModelSettings:
    """``[models]``: which upstream model stands for which Claude model; values are `provider/model`."""

    default: str = _route("", "Route of every model that no tier below matches.", "nvidia_nim/z-ai/glm4.7")
    opus: str = _route(
        "",
        "Route of model ids that contain 'opus'; blank inherits the default.",
        "nvidia_nim/moonshotai/kimi-k2.5",
    )
    sonnet: str = _route(
        "",
        "Route of model ids that contain 'sonnet'; blank inherits the default.",
        "open_router/deepseek/deepseek-r1-0528:free",
    )
    haiku: str = _route(
        "",
        "Route of model ids that contain 'haiku'; blank inherits the default.",
        "lmstudio/unsloth/GLM-4.7-Flash-GGUF",
    )
    fable: str = _route(
        "", "Route of model ids that contain 'fable'; blank inherits the default.", "nvidia_nim/z-ai/glm5"
    )
    vision: str = _route(
        "",
        "Route of turns with images, from the image to the end of the turn, when the chosen model takes none.",
        "ollama/qwen3-vl:8b",
    )


@frozen
class FallbackSettings:
    """``[fallbacks]``: further routes of a tier, tried in order when its own gives up before the answer."""

    default: tuple[str, ...] = _route(
        (), "Fallbacks of the default route.", ("open_router/z-ai/glm-4.7", "ollama/llama3.1:8b")
    )
    opus: tuple[str, ...] | None = _route(
        None, "Fallbacks of the opus route; absent inherits the default's.", ()
    )
    sonnet: tuple[str, ...] | None = _route(
        None, "Fallbacks of the sonnet route; absent inherits the default's.", ()
    )
    haiku: tuple[str, ...] | None = _route(
        None, "Fallbacks of the haiku route; absent inherits the default's.", ()
    )
    fable: tuple[str, ...] | None = _route(
        None, "Fallbacks of the fable route; absent inherits the default's.", ()
    )


@frozen
class ThinkingSettings:
    """``[thinking]``: whether reasoning is asked for and shown."""

    default: bool = _setting(True, "Thinking of every tier that says nothing else.")
    opus: bool | None = _setting(
        None, "Thinking of the opus tier; absent inherits the default.", example=True
    )
    sonnet: bool | None = _setting(
        None, "Thinking of the sonnet tier; absent inherits the default.", example=True
    )
    haiku: bool | None = _setting(
        None, "Thinking of the haiku tier; absent inherits the default.", example=False
    )
    fable: bool | None = _setting(
        None, "Thinking of the fable tier; absent inherits the default.", example=True
    )


@frozen
class ProviderSettings:
    """``[providers.NAME]``: one upstream. What is absent is as the plugin or ``[limits]`` says.

    A NAME without a plugin makes a provider of its own out of ``transport`` and ``base_url``.
    """

    base_url: str | None = _setting(
        None,
        "Address of the upstream's API; a trailing slash does not matter.",
        v.base_url,
        converter=_without_slash,
        example="https://gateway.example.org/v1",
    )
    api_key: str = _setting("", "The key.", v.key, secret=True, example="the-key")
    api_keys: tuple[str, ...] = _setting(
        (), "Further keys, used in turn.", v.key, secret=True, example=("second-key", "third-key")
    )
    key_usage_limit: int = _setting(
        0, "Change the key after this many successful requests; 0 never.", v.at_least(0)
    )
    proxy: str | None = _setting(
        None,
        "Proxy to this upstream, with credentials where it wants them.",
        v.proxy,
        secret=True,
        example="socks5://user:password@127.0.0.1:1080",
    )
    transport: Literal["openai", "anthropic"] | None = _setting(
        None, "Protocol to speak: openai (chat completions) or anthropic (Messages).", example="openai"
    )
    auth: Literal["bearer", "x-api-key", "none"] | None = _setting(
        None, "How the key is sent.", example="bearer"
    )
    headers: Mapping[str, str] = _setting(
        Factory(dict),
        "Further headers for every request.",
        v.headers,
        secret=True,
        example={"X-Team": "compilers"},
    )
    rate: int | None = _setting(None, "Requests in one window; 0 means no limit.", v.at_least(0), example=40)
    window: float | None = _setting(None, "Length of the window in seconds.", v.positive, example=60.0)
    concurrency: int | None = _setting(
        None, "Requests in flight at once; 0 means no limit.", v.at_least(0), example=5
    )
    commit_after: float | None = _setting(
        None,
        "Seconds of silence after which the answer is begun without content.",
        v.at_least(0),
        example=20.0,
    )
    rescue_tool_calls: bool = _setting(True, "Turn tool calls that the model wrote as text into real ones.")
    max_tokens: int | None = _setting(None, "Cap on the tokens of one answer.", v.at_least(1), example=32000)
    context_windows: Mapping[str, int] = _setting(
        Factory(dict),
        "Context window in tokens by model id, where the upstream does not tell.",
        v.token_counts,
        example={"some/model": 131072},
    )
    vision: Mapping[str, bool] = _setting(
        Factory(dict), "Whether a model takes images, by model id.", example={"some/model": False}
    )
    ca_file: str | None = _setting(
        None,
        "File with the certificate authority to trust for this upstream.",
        converter=_path,
        example="/etc/ssl/company-ca.pem",
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys in their order, without blanks and duplicates."""
        return tuple(dict.fromkeys(key for key in (self.api_key, *self.api_keys) if key))


@frozen
class LimitSettings:
    """``[limits]``: rates, concurrency and retries of every provider that does not say otherwise."""

    rate: int | None = _setting(
        None,
        "Requests in one window per provider; absent: 1, for local ones no limit; 0: no limit.",
        v.at_least(0),
        example=1,
    )
    window: float = _setting(3.0, "Length of the window in seconds.", v.positive)
    concurrency: int = _setting(5, "Requests in flight per provider; 0 means no limit.", v.at_least(0))
    queue: int = _setting(
        100, "Requests that may wait for a place per provider; further ones get a 529.", v.at_least(0)
    )
    retries: int = _setting(
        8, "Further tries after a failure that may pass, before the answer began.", v.at_least(0)
    )
    retry_base: float = _setting(
        2.0, "Seconds to wait before the first retry; doubled for each further one.", v.at_least(0)
    )
    retry_max: float = _setting(120.0, "Longest wait before a retry, in seconds.", v.at_least(0))
    retry_total: float = _setting(
        60.0, "Seconds spent on all tries of a request before the client is told.", v.at_least(0)
    )
    storage: str = _setting(
        "memory",
        "Where windows and cool-downs are kept: memory, or a Redis shared by several processes.",
        v.storage,
        secret=True,
    )
    recovery: bool = _setting(False, "Ask the model to go on when its answer was cut in the middle of text.")


@frozen
class TimeoutSettings:
    """``[timeouts]``: how long to wait, in seconds."""

    connect: float = _setting(10.0, "Seconds to reach an upstream.", v.positive)
    write: float = _setting(10.0, "Seconds without progress while the request is sent.", v.positive)
    read: float | None = _setting(
        None,
        "Seconds of silence between two reads; absent waits without end.",
        v.positive,
        off=None,
        example=300.0,
    )
    commit_after: float = _setting(
        20.0, "Seconds of silence after which the answer is begun without content.", v.at_least(0)
    )
    commit_after_local: float = _setting(5.0, "The same, for servers on this machine.", v.at_least(0))
    ping: float = _setting(10.0, "Seconds between signs of life to the client.", v.positive)


@frozen
class LoggingSettings:
    """``[logging]``: what is written, and where."""

    level: Literal["debug", "info", "warning", "error"] = _setting("info", "Least level that is written.")
    file: str | None = _setting(
        None,
        "The log file; absent: server.log in the platform's log folder.",
        converter=_path,
        off="",
        example="server.log",
    )
    raw_payloads: bool = _setting(False, "Write requests and answers whole: prompts, paths and all.")
    raw_sse_events: bool = _setting(False, "Write every event of a stream.")
    api_error_tracebacks: bool = _setting(False, "Write tracebacks of failed requests.")


@frozen
class WebToolSettings:
    """``[web_tools]``: the tools `web_search` and `web_fetch`, run by the proxy itself."""

    enabled: bool = _setting(False, "Run web_search and web_fetch for the client.")
    schemes: tuple[str, ...] = _setting(("http", "https"), "Schemes that may be fetched.", v.web_scheme)
    allow_private: bool = _setting(
        False,
        "Allow addresses of private networks. Opens the inside of the network to web pages: lab use only.",
    )


@frozen
class LocalAnswerSettings:
    """``[local_answers]``: small requests of the client that are answered without an upstream."""

    quota: bool = _setting(True, "Quota checks.")
    prefix: bool = _setting(True, "Prefixes of shell commands.")
    title: bool = _setting(True, "Titles of conversations.")
    suggestion: bool = _setting(True, "Suggestions of a next prompt (answered with none).")
    filepaths: bool = _setting(True, "File paths in the output of shell commands.")


@frozen
class Settings:
    """All settings."""

    server: ServerSettings = ServerSettings()
    models: ModelSettings = ModelSettings()
    fallbacks: FallbackSettings = FallbackSettings()
    thinking: ThinkingSettings = ThinkingSettings()
    limits: LimitSettings = LimitSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    logging: LoggingSettings = LoggingSettings()
    web_tools: WebToolSettings = WebToolSettings()
    local_answers: LocalAnswerSettings = LocalAnswerSettings()
    providers: Mapping[str, ProviderSettings] = Factory(dict)

    @property
    def is_blank(self) -> bool:
        """Whether neither a provider nor a model is configured; then the demo model answers."""
        return not self.providers and self.models == ModelSettings()
