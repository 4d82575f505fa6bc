"""What a single value may be. Each rule says in words what it allows, for errors and documentation."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from ccp_core.route import split_model

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_PRINTABLE = re.compile(r"[\x21-\x7e]*")


@frozen
class Allowed:
    """An attrs validator. None passes (it means absent); of a list, each item is tested.

    Raises ValueError with ``text``, never with the value, which may be a secret.
    """

    text: str
    test: Callable[[Any], bool]

    def __call__(self, instance: Any, attribute: Any, value: Any) -> None:
        """Test one value, as attrs asks for it."""
        if value is None:
            return
        items = value if isinstance(value, tuple) else (value,)
        if not all(self.test(item) for item in items):
            raise ValueError(f"{attribute.name} must be {self.text}")


def at_least(least: int) -> Allowed:
    """A finite number that is not below ``least``."""
    return Allowed(f"{least} or more", lambda value: math.isfinite(value) and value >= least)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
    return True


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in schemes and bool(url.hostname) and url.port != 0 and not re.search(r"\s", text)
    except ValueError:  # a port that is no port, a bracket that is not closed
        return False


def _is_base_url(text: str) -> bool:
    return _is_url(text, ("http", "https")) and not any(mark in text for mark in "@?#")


def _is_headers(headers: Mapping[str, str]) -> bool:
    # A line break in a value would let it add headers of its own.
    return all(
        _HEADER_NAME.fullmatch(name) and not re.search(r"[^\t\x20-\x7e]", value)
        for name, value in headers.items()
    )


port = Allowed("from 0 to 65535", lambda value: 0 <= value <= 65535)
positive = Allowed("more than 0", lambda value: math.isfinite(value) and value > 0)
route = Allowed(
    "provider/model, for example nvidia_nim/z-ai/glm4.7",
    lambda text: not text or split_model(text) is not None,
)
host = Allowed("an address or a name without scheme and port, for example 127.0.0.1", _is_host)
base_url = Allowed(
    "an http:// or https:// address without user, query and fragment, for example https://host.example/v1",
    _is_base_url,
)
proxy = Allowed(
    "an address that starts with http://, https://, socks5:// or socks5h://",
    lambda text: _is_url(text, ("http", "https", "socks5", "socks5h")),
)
key = Allowed("printable ASCII without blanks", lambda text: _PRINTABLE.fullmatch(text) is not None)
headers = Allowed("header names with values of printable ASCII", _is_headers)
storage = Allowed(
    "memory, or redis://host:port (rediss:// with TLS)",
    lambda text: text == "memory" or _is_url(text, ("redis", "rediss")),
)
web_scheme = Allowed("http or https", lambda text: text in ("http", "https"))
token_counts = Allowed(
    "model ids with 1 token or more", lambda counts: all(count >= 1 for count in counts.values())
)
