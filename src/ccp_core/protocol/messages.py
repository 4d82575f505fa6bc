"""A Messages request, read leniently: known members are checked for their type, unknown ones pass."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import orjson
from attrs import field, frozen

from ccp_core.protocol import known_tools
from ccp_core.protocol.events import Json
from ccp_core.protocol.lenient_json import clean


class InvalidRequest(ValueError):
    """The client's request cannot be understood; the text names the field and what it must be."""


@frozen
class MessagesRequest:
    """What the client asked for.

    ``body`` is the parsed JSON, the single copy of it, whose tools other requests share: hooks read it and build new
    objects, they never change it.
    ``size`` is the length of the body in bytes, ``betas`` the value of the ``anthropic-beta`` header, ``nested`` has
    the messages that hold images, documents or lists inside of blocks: no others need be searched for these.
    """

    body: Json = field(repr=False)
    size: int = 0
    betas: str = ""
    nested: list[Json] = field(repr=False, kw_only=True)

    @nested.default
    def _nested(self) -> list[Json]:
        return [message for message in self.messages if not _is_plain(message)]

    @property
    def model(self) -> str:
        """The model id the client named."""
        model = self.body.get("model")
        return model if isinstance(model, str) else ""

    @property
    def messages(self) -> list[Json]:
        """The conversation; each message has ``role`` and ``content``."""
        return self.body.get("messages") or []

    @property
    def tools(self) -> list[Json]:
        """The tools of the request, server tools among them; empty when there are none."""
        return self.body.get("tools") or []

    @property
    def stream(self) -> bool:
        """Whether the client wants server-sent events."""
        return self.body.get("stream") is True

    @property
    def max_tokens(self) -> int | None:
        """The bound on the answer in tokens, where the client gave one."""
        value = self.body.get("max_tokens")
        return value if type(value) is int else None

    @property
    def thinking(self) -> Json:
        """The ``thinking`` object; empty when absent."""
        return self.body.get("thinking") or {}

    @property
    def wants_thinking(self) -> bool:
        """Whether the client asks for thinking, in whichever shape; one that says nothing gets none."""
        return self.thinking.get("type") not in (None, "disabled")

    @property
    def effort(self) -> str | None:
        """``output_config.effort``: low, medium, high, xhigh or max."""
        config = self.body.get("output_config")
        effort = config.get("effort") if isinstance(config, dict) else None
        return effort if isinstance(effort, str) else None

    @property
    def output_schema(self) -> Json | None:
        """The JSON schema of ``output_config.format``, when the client asks for structured output."""
        config = self.body.get("output_config")
        wanted = config.get("format") if isinstance(config, dict) else None
        schema = wanted.get("schema") if isinstance(wanted, dict) else None
        return schema if isinstance(schema, dict) else None


class UnreadRequest(MessagesRequest):
    """A request whose JSON is known to be valid, and which is parsed when somebody needs more of it than its model."""

    _data: bytes

    @classmethod
    def of(cls, data: bytes, betas: str, model: str) -> UnreadRequest:
        """The request whose JSON is ``data``."""
        request = cls.__new__(cls)
        object.__setattr__(request, "size", len(data))
        object.__setattr__(request, "betas", betas)
        vars(request).update(model=model, _data=data)
        return request

    @cached_property
    def _read(self) -> MessagesRequest:
        return parse_request(self._data, self.betas)

    @cached_property
    def body(self) -> Json:
        """The parsed JSON."""
        return self._read.body

    @cached_property
    def nested(self) -> list[Json]:
        """The messages that hold more than texts."""
        return self._read.nested

    @cached_property
    def model(self) -> str:
        """The model id the client named."""
        return super().model


_MEDIA = frozenset({"image", "document"})

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((str,), "a string"),
    "system": ((str, list), "a string or a list of text blocks"),
    "tools": ((list,), "a list"),
    "tool_choice": ((dict,), "an object"),
    "thinking": ((dict,), "an object"),
    "output_config": ((dict,), "an object"),
    "stop_sequences": ((list,), "a list of strings"),
    "stream": ((bool,), "true or false"),
    "max_tokens": ((int,), "a whole number"),
    "metadata": ((dict,), "an object"),
}


def parse_request(data: bytes, betas: str = "") -> MessagesRequest:
    """Parse a request body. Raises InvalidRequest with a text that names the field."""
    return _checked(_loads(data), len(data), betas)


def _loads(data: bytes) -> Any:
    try:
        return known_tools.loads(data)
    except orjson.JSONDecodeError as error:
        body = _with_whole_characters(data)
        if body is None:
            raise InvalidRequest(
                f"The request body is not valid JSON: {error.msg} (at character {error.pos})"
            ) from None
        return body


def _checked(body: Any, size: int, betas: str) -> MessagesRequest:
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object")
    if "messages" not in body:
        raise InvalidRequest("messages: Field required")
    for name, (types, wanted) in _TYPES.items():
        value = body.get(name)
        if value is not None and (
            not isinstance(value, types) or (type(value) is bool and bool not in types)
        ):
            raise InvalidRequest(f"{name}: must be {wanted}, not {_json_type(value)}")
    for name in ("thinking", "tool_choice"):
        _check_type(name, body.get(name) or {})
    messages = body["messages"]
    if not isinstance(messages, list):
        raise InvalidRequest(f"messages: must be a list, not {_json_type(messages)}")
    if not messages:
        raise InvalidRequest("messages: at least one message is required")
    nested: list[Json] = []
    for index, message in enumerate(messages):
        if not _is_plain(message):  # what is wrong with it, if anything is, is found out slowly
            _check_message(f"messages.{index}", message)
            nested.append(message)
    for index, tool in enumerate(body.get("tools") or ()):
        if not isinstance(tool, dict) or not isinstance(tool.get("name", ""), str):
            raise InvalidRequest(f"tools.{index}: must be an object with a name")
    return MessagesRequest(body, size, betas, nested=nested)


def _is_plain(message: Any) -> bool:
    """Whether a message has the form that nearly all have: a role, and a text or blocks that say and hold text."""
    if type(message) is not dict or type(message.get("role")) is not str:
        return False
    content = message.get("content")
    if type(content) is not list:
        return type(content) is str
    for block in content:
        if type(block) is not dict or type(block.get("content")) is list:
            return False
        kind = block.get("type")
        if type(kind) is not str or kind in _MEDIA:
            return False
    return True


def _with_whole_characters(data: bytes) -> Any:
    """The JSON of a client that cuts texts between the two halves of a character; None for any other data.

    JavaScript counts such halves, so where it shortens a text it may leave one, and writes it as ``\\ud83d``.
    """
    if b"\\ud" not in data.lower():
        return None
    try:
        return known_tools.loads(clean(json.dumps(json.loads(data), ensure_ascii=False)).encode())
    except (ValueError, RecursionError):
        return None


def _check_message(where: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise InvalidRequest(f"{where}: must be an object, not {_json_type(message)}")
    if not isinstance(message.get("role"), str):
        raise InvalidRequest(f"{where}.role: must be a string, not {_json_type(message.get('role'))}")
    content = message.get("content")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise InvalidRequest(
            f"{where}.content: must be a string or a list of blocks, not {_json_type(content)}"
        )
    for number, block in enumerate(content):
        if not isinstance(block, dict):
            raise InvalidRequest(f"{where}.content.{number}: must be an object, not {_json_type(block)}")
        _check_type(f"{where}.content.{number}", block)


def _check_type(where: str, value: Json) -> None:
    kind = value.get("type", "")
    if type(kind) is not str:
        raise InvalidRequest(f"{where}.type: must be a string, not {_json_type(kind)}")


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
