"""From the exceptions of HTTP, TLS and proxy libraries to the cause of a failure, with a few words for people.

Their own texts are not passed on: they name internals, and may quote an address with its credentials.
"""

from __future__ import annotations

import errno
import socket
import ssl
from functools import cache

import aiohttp
from attrs import frozen

from ccp_core.errors import Cause
from ccp_core.upstream.proxies import UnusableProxy, WebProxy


@cache
def network_errors() -> tuple[type[Exception], ...]:
    """What may be raised while a request is sent and its answer is read."""
    # Late: the library takes time to load, and nothing fails at the start.
    from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

    by_proxies = (ProxyError, ProxyConnectionError, ProxyTimeoutError, UnusableProxy)
    return (aiohttp.ClientError, *by_proxies, UnusableCertificates, OSError)


_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


class WriteTimeout(TimeoutError):
    """The upstream took nothing of the request for ``timeouts.write`` seconds."""


class UnusableCertificates(Exception):
    """The file of a custom certificate authority cannot be read; the text says why."""


@frozen
class Way:
    """How an upstream is reached, as far as an error may have to speak of it."""

    host: str
    proxy: WebProxy | None
    ca_setting: str
    """Where a custom certificate authority is set."""

    @property
    def _through(self) -> str:
        return f"{self.proxy.address} ({self.proxy.setting})" if self.proxy else "it"

    def explain(self, error: BaseException) -> tuple[Cause, str]:
        """The cause that ``error`` stands for, and words for people, without credentials."""
        from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

        for inner in _chain(error):
            if isinstance(inner, OSError) and inner.errno in _NO_DESCRIPTOR:
                return "exhausted", ""
            if isinstance(inner, ssl.SSLCertVerificationError) and hasattr(inner, "verify_message"):
                return "tls", self._untrusted(inner.verify_message)
        match error:
            case UnusableProxy():
                return "proxy", str(error)
            case aiohttp.ClientHttpProxyError(status=407):
                return "proxy", self.needs_credentials
            case aiohttp.ClientHttpProxyError():
                return "proxy", f"{self._through} answered with status {error.status}"
            case ProxyError():
                return "proxy", f"{self._through} says: {error}"
            case aiohttp.ClientProxyConnectionError() | ProxyConnectionError():
                return "proxy", f"no connection to {self._through}"
            case ProxyTimeoutError():
                return "proxy", f"{self._through} made no connection within timeouts.connect"
            case aiohttp.ClientConnectorDNSError():
                return "unknown_host", self.host
            case aiohttp.ClientSSLError() | ssl.SSLError():
                return (
                    "tls",
                    f"{_tls_reason(error)}; does the address begin with the right one of http and https?",
                )
            case WriteTimeout():
                return "write_timeout", ""
            case aiohttp.ConnectionTimeoutError():
                return "connect_timeout", ""
            case TimeoutError():
                return "read_timeout", ""
            case aiohttp.ClientConnectorError():
                return _unreachable(error.os_error)
            case aiohttp.ServerDisconnectedError():
                return "broken", "it closed the connection"
            case aiohttp.ClientPayloadError():
                return "broken", "its answer ended too early or was damaged"
            case aiohttp.ClientResponseError():
                return "broken", "it does not speak HTTP as it should"
            case OSError(errno=int(number)):
                return "broken", _words(number)
        return "broken", type(error).__name__

    @property
    def needs_credentials(self) -> str:
        """For a proxy that asks for credentials, or for others."""
        name = self.proxy.setting if self.proxy else "the proxy's address"
        return (
            f"{self._through} wants other credentials (407): set {name} to scheme://user:password@host:port"
        )

    def _untrusted(self, words: str) -> str:
        words = words.rstrip(".")
        if (
            "host" in words.lower() and "match" in words.lower()
        ):  # a name that differs, and no matter of trust
            return words
        return f"{words}; if this certificate is right, set {self.ca_setting} to a file with its certificate authority"


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and len(found) < 8:
        found.append(error)
        error = getattr(error, "os_error", None) or error.__cause__
    return found


def _unreachable(error: OSError) -> tuple[Cause, str]:
    if isinstance(error, socket.gaierror):
        return "unknown_host", ""
    if error.errno in (errno.ECONNREFUSED, None):
        return "refused", ""
    return "unreachable", _words(error.errno)


def _tls_reason(error: BaseException) -> str:
    for inner in _chain(error):
        if isinstance(inner, ssl.SSLError) and (reason := getattr(inner, "reason", None)):
            return str(reason).lower().replace("_", " ")
    return "the TLS handshake failed"


def _words(number: int) -> str:
    return errno.errorcode.get(number, str(number)).removeprefix("E").lower()
