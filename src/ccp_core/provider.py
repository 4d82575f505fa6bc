"""Providers as data: what a plugin registers, and what the core makes of it with the person's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from attrs import Factory, evolve, field, fields, frozen

T = TypeVar("T")

Auth = Literal["bearer", "x-api-key", "both", "none"]
"""How the core sends a key: as ``Authorization: Bearer``, as ``x-api-key``, as both (for a service whose parts differ
in what they read), or never."""

Transport = Literal["openai", "anthropic"]
"""The wire protocol of an upstream: OpenAI chat completions or Anthropic Messages."""

IMAGES = "messages.image"
"""In ``Adjustment.omit``: the model refuses images. Transports see it as ``BuildOptions.vision``."""


@frozen(kw_only=True)
class ProviderSpec:
    """What a plugin tells about its provider; everything that is the same for all its users.

    ``dialects`` maps a transport to the options object of that transport's library (``ChatDialect`` of
    ccp-openai-compat, ``MessagesDialect`` of ccp-anthropic-compat); a transport without an entry uses its defaults.
    The first transport of ``transports`` is the default one.
    """

    id: str
    """Prefix in model strings (``groq/llama-3.3-70b``) and name of the entry point."""
    name: str
    """The name that people know, for messages."""
    base_url: str
    """With ``/v1`` where all paths are below it; a local server's is added where a person leaves it out."""
    transports: tuple[Transport, ...]
    env_prefixes: tuple[str, ...]
    """Prefixes of its environment variables: ``("GROQ",)`` gives GROQ_API_KEY, GROQ_BASE_URL …"""
    auth: Auth = "bearer"
    needs_key: bool = True
    local: bool = False
    """A server on the person's own machine: no rate limit by default, and an early commit of the answer."""
    headers: Mapping[str, str] = Factory(dict)
    """Sent with every request."""
    paths_hold_v1: bool = False
    """Its paths begin with ``/v1`` where they need it; one at the end of a person's base URL is taken away."""
    models_paths: tuple[str, ...] = ("/models",)
    """Paths (below the base URL; ``../`` and absolute URLs too) whose payloads go to ccp_list_models; merged by id."""
    count_tokens_path: str | None = None
    """Path of an upstream counter that takes a Messages body and answers ``{"input_tokens": N}``."""
    dialects: Mapping[Transport, Any] = Factory(dict)
    start_hint: str = ""
    """One sentence for a refused connection: how a local server is started."""
    messages_since: str = ""
    """The version from which on a local server has a Messages endpoint."""
    keys_url: str = ""
    """Where a person gets a key."""
    silent_truncation: bool = False
    """The server cuts long prompts without a word, so the core compares with the loaded context before it sends: a
    ModelCard of its list has a ``context_window`` only while the model is loaded."""
    vision: Callable[[str], bool | None] | None = None
    """Whether a model takes images, by its id, where the list does not say; None: nobody knows."""
    default_max_tokens: int | None = None
    """Cap on ``max_tokens`` where the provider reserves them in advance; None for no cap."""


@frozen(kw_only=True)
class Provider:
    """A provider as configured: the spec, with base URL and transport as this person uses them. Holds no key."""

    spec: ProviderSpec
    base_url: str
    """Without a trailing slash."""
    transport: Transport
    rescue_tool_calls: bool = True
    """Whether tool calls that a model wrote as text are turned into real ones."""
    models: dict[str, ModelCard] = Factory(dict)
    """What is known of its models so far (context windows, abilities), by the upstream's model id. To be read: the
    core brings it up to date.
    """

    @property
    def id(self) -> str:
        """The provider id."""
        return self.spec.id

    @property
    def name(self) -> str:
        """The name that people know."""
        return self.spec.name

    def dialect(self, default: T) -> T:
        """The options object of the transport in use, or ``default``."""
        dialect: T = self.spec.dialects.get(self.transport, default)
        return dialect

    def card(self, model: str) -> ModelCard:
        """What is known of a model: the upstream's list, completed by the spec."""
        card = self.models.get(model) or ModelCard(id=model)
        if card.vision is None and self.spec.vision is not None:
            return evolve(card, vision=self.spec.vision(model))
        return card


@frozen(kw_only=True)
class ModelCard:
    """What an upstream tells about one of its models. None means that it does not say."""

    id: str
    name: str = ""
    context_window: int | None = None
    """Tokens that prompt and answer may have together (for a local server: as loaded)."""
    max_output: int | None = None
    """Tokens."""
    tools: bool | None = None
    vision: bool | None = None
    thinking: bool | None = None
    thinking_mandatory: bool = False
    price_in: float | None = None
    """US dollars for a million prompt tokens."""
    price_out: float | None = None
    """US dollars for a million answer tokens."""

    def merged(self, later: ModelCard) -> ModelCard:
        """This card, completed and overruled by what ``later`` says."""
        changes = {
            a.name: value
            for a in fields(ModelCard)
            if a.name != "id" and (value := getattr(later, a.name)) != a.default
        }
        return evolve(self, **changes)


@frozen(kw_only=True)
class UpstreamRequest:
    """A request for an upstream, without any secret: the core adds the key, and encodes the body once.

    ``path`` is appended to the base URL. ``memo`` is private to the transport that built it; it comes back as
    ``StreamContext.upstream_request.memo``.
    """

    path: str
    body: dict[str, Any] = field(repr=False)
    """Its members may be replaced; what they hold is shared with other requests and must not be changed in place."""
    headers: Mapping[str, str] = Factory(dict)
    memo: Any = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    """What was dropped, renamed or repaired and why, one sentence each; names of fields, nothing of the content."""


@frozen(kw_only=True)
class BuildOptions:
    """How to build a request, apart from what the client asked for."""

    thinking: bool = True
    """False: the tier's thinking is off; ask the model not to think, where it can be asked."""
    omit: frozenset[str] = frozenset()
    """Body members that this provider and model refused before (dotted for nested ones): leave them out."""
    replace: Mapping[str, Any] = Factory(dict)
    """Body members that this provider and model accept only with these values; a function makes one of what would be
    sent, or None to leave it out."""
    max_tokens: int | None = None
    """Cap on the answer in tokens, learned or configured."""
    vision: bool | None = None
    """Whether the model takes images, where known; None: assume that it does."""


@frozen(kw_only=True)
class UpstreamHead:
    """Status and headers of an upstream's answer whose body begins."""

    status: int
    headers: Mapping[str, str]
