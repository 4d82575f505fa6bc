"""Where the proxy may connect for a web tool: the guard against requests that reach inside (SSRF).

An address comes from a model's words or from a web page, so it is hostile. The rules:

1. The text is judged as the HTTP client will read it: one parser (yarl), and whatever two parsers could read
   differently (backslashes, user info, numbers in place of a host, trailing dots) is refused.
2. What counts is the address of the socket. A name is looked up once, all its addresses must be public, and the
   address is judged again when the socket for it is made; so a name that changes its address, and an address written
   as a number, gain nothing.
3. Of public addresses those of this machine and its neighbours are refused as well: a firewall may stand before them.
4. A redirect is a new address, judged from the beginning.
5. No proxy, whose own look-ups nobody could judge; no cookies, no credentials.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import AddrInfoType, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from attrs import frozen
from yarl import URL

from ccp_web_tools.failure import ToolFailure

_MAX_URL = 2000  # characters
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_AUTHORITY = re.compile(r"//([^/?#]*)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
)
_INSIDE_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet", ".corp")

_NOT_PUBLIC_V4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and a cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on a public number
        "169.254.0.0/16",  # link-local, and most clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, and a cloud's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_V6 = ip_network("2000::/3")
"""Outside it: loopback, mapped, NAT64, unique local, link-local, multicast …"""
_NOT_PUBLIC_V6 = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which wraps an IPv4 address
        "3fff::/20",  # documentation
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)  # upper half of an interface identifier that wraps an IPv4 address


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether ``address`` is one host of the public internet, and wraps no other address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return (
        address.scope_id is None
        and address in _PUBLIC_V6
        and not any(address in network for network in _NOT_PUBLIC_V6)
        and (int(address) >> 32) & 0xFFFFFFFF not in _ISATAP
    )


def own_address_towards(target: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """The address that this machine has on the way to ``target``; None without a way. Nothing is sent."""
    family = socket.AF_INET if isinstance(target, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(target), 9))
            return ip_address(probe.getsockname()[0])
    except OSError:
        return None


def is_near(address: IPv4Address | IPv6Address) -> bool:
    """Whether ``address`` is this machine's own, or in IPv6 one of its network, whose hosts all have public ones."""
    own = own_address_towards(address)
    if isinstance(own, IPv6Address) and isinstance(address, IPv6Address):
        return int(own) >> 64 == int(address) >> 64
    return own == address


@frozen
class Guard:
    """What may be fetched. ``exempt`` holds (address, port) pairs that pass whatever they are, for tests."""

    schemes: frozenset[str] = frozenset(("http", "https"))
    allow_private: bool = False
    exempt: frozenset[tuple[str, int]] = frozenset()

    def check_url(self, text: str) -> URL:
        """``text`` as the address to fetch. Raises ToolFailure."""
        if len(text) > _MAX_URL:
            raise ToolFailure("url_too_long", f"An address may have {_MAX_URL} characters.")
        if _AMBIGUOUS.search(text):
            raise ToolFailure("invalid_tool_input", "The address has characters that do not belong in one.")
        try:
            url = URL(text)
            host, port = url.raw_host, url.port
        except ValueError:
            raise ToolFailure("invalid_tool_input", "The address cannot be read.") from None
        if url.scheme not in self.schemes or url.scheme not in ("http", "https"):
            raise ToolFailure(
                "url_not_allowed", f"Addresses must begin with {' or '.join(sorted(self.schemes))}."
            )
        authority = _AUTHORITY.search(text)
        if (
            authority is None
            or "@" in authority[1]
            or url.raw_user is not None
            or url.raw_password is not None
        ):
            raise ToolFailure("url_not_allowed", "The address must not hold a user name or a password.")
        if not host or port is None:
            raise ToolFailure("invalid_tool_input", "The address has no host.")
        if (host, port) not in self.exempt:
            self._check_port(port)
            self._check_host(host, port)
        return url

    def follow(self, url: URL, location: str) -> URL:
        """The address that a redirect from ``url`` leads to. Raises ToolFailure."""
        if _AMBIGUOUS.search(location):
            raise ToolFailure("url_not_accessible", "The page redirects to an address that cannot be read.")
        try:
            target = url.join(URL(location))
        except ValueError:
            raise ToolFailure(
                "url_not_accessible", "The page redirects to an address that cannot be read."
            ) from None
        return self.check_url(str(target))

    def check_address(self, host: str, port: int) -> None:
        """Judge the numeric address that a socket is to be connected to. Raises ToolFailure."""
        if self.allow_private or (host, port) in self.exempt:
            return
        try:
            address = ip_address(host)
            outside = is_public(address) and not is_near(address)
        except ValueError:
            outside = False
        if not outside:
            raise ToolFailure("url_not_allowed", "The address leads to a network that is not public.")

    def connector(self, resolver: AbstractResolver | None = None) -> TCPConnector:
        """A connector that makes sockets for allowed addresses only; ``resolver`` looks names up."""
        return TCPConnector(
            resolver=_GuardedResolver(self, resolver or ThreadedResolver()),
            socket_factory=self._socket,
            use_dns_cache=False,
            force_close=True,
        )

    def _check_port(self, port: int) -> None:
        # Below 1024 everything but the web's own ports is some other service (mail, shells, directories).
        if port not in (80, 443) and port < 1024:
            raise ToolFailure("url_not_allowed", f"Port {port} is not fetched.")

    def _check_host(self, host: str, port: int) -> None:
        last_label = host.rpartition(".")[2]
        if ":" in host or _NUMBER.fullmatch(last_label):
            try:
                ip_address(host)  # takes canonical forms only
            except ValueError:
                raise ToolFailure("url_not_allowed", "The host is a number in an unusual form.") from None
            self.check_address(host, port)
        elif not self.allow_private:
            name = host.lower()
            if not _NAME.fullmatch(name) or name.endswith(_INSIDE_NAMES):
                raise ToolFailure("url_not_allowed", "The host is not a public name.")

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        self.check_address(str(address[0]), int(address[1]))
        return socket.socket(family, kind, protocol)


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for entry in found:  # one inside address among public ones is enough: the name is up to something
            self._guard.check_address(entry["host"], port)
        return found

    async def close(self) -> None:
        await self._inner.close()
