"""Fetching one page for a web tool: guarded, bounded in redirects, time and size, and reduced to its text."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver
from attrs import frozen
from yarl import URL

from ccp_web_tools.domains import DomainRules
from ccp_web_tools.failure import ToolFailure
from ccp_web_tools.guard import Guard
from ccp_web_tools.readable import Readable, is_readable, readable
from ccp_web_tools.threads import Threads

_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.8, */*;q=0.1",
    "User-Agent": "Mozilla/5.0 (compatible; ccp-web-tools)",
}


@frozen(kw_only=True)
class Limits:
    """Bounds of one fetch, redirects included. Times are in seconds."""

    redirects: int = 10
    total: float = 25.0
    connect: float = 10.0
    silence: float = 15.0
    body: int = 3_000_000
    """Bytes, after decompression."""


@frozen
class Page:
    """A fetched page: the address it was found at in the end, its title and its text."""

    url: str
    title: str
    text: str


class Fetcher:
    """Fetches pages. ``resolver`` looks names up; None takes the system's."""

    def __init__(
        self, guard: Guard, threads: Threads, limits: Limits, resolver: AbstractResolver | None = None
    ) -> None:
        self._guard = guard
        self._threads = threads
        self._limits = limits
        self._resolver = resolver

    async def fetch(self, address: str, rules: DomainRules) -> Page:
        """The page at ``address``. Raises ToolFailure."""
        try:
            async with asyncio.timeout(self._limits.total):
                return await self._fetch(address, rules)
        except TimeoutError:
            raise ToolFailure("url_not_accessible", "The page took too long.") from None
        except (ClientError, OSError) as error:
            raise ToolFailure(
                "url_not_accessible", f"The page could not be fetched ({type(error).__name__})."
            ) from None

    async def _fetch(self, address: str, rules: DomainRules) -> Page:
        url = self._guard.check_url(address)
        async with ClientSession(
            connector=self._guard.connector(self._resolver),
            cookie_jar=DummyCookieJar(),
            headers=_HEADERS,
            timeout=ClientTimeout(
                total=None, sock_connect=self._limits.connect, sock_read=self._limits.silence
            ),
            trust_env=False,
        ) as session:
            for _ in range(self._limits.redirects + 1):
                if not rules.permits(url):
                    raise ToolFailure("url_not_allowed", "The domain is not allowed for this tool.")
                async with session.get(url, allow_redirects=False) as response:
                    location = response.headers.get("Location")
                    if response.status not in _REDIRECTS or location is None:
                        document = await self._read(response)
                        return Page(str(url), document.title, document.text)
                url = self._guard.follow(url, location)
        raise ToolFailure(
            "url_not_accessible", f"The page redirects more than {self._limits.redirects} times."
        )

    async def _read(self, response: ClientResponse) -> Readable:
        if response.status != 200:
            raise ToolFailure("url_not_accessible", f"The server answered with status {response.status}.")
        media_type = response.content_type
        if not is_readable(media_type):
            raise ToolFailure("unsupported_content_type", f"Documents of type {media_type} are not read.")
        body = bytearray()
        async for piece in response.content.iter_chunked(65536):
            body += piece
            if len(body) > self._limits.body:
                raise ToolFailure("content_too_large", f"The page has more than {self._limits.body} bytes.")
        arguments = (bytes(body), media_type, response.charset, _shown(response.url))
        try:
            return await self._threads.run(readable, *arguments, timeout=self._limits.total)
        except (ToolFailure, TimeoutError):
            raise
        except Exception:  # the library was not made for hostile pages
            raise ToolFailure("unavailable", "The page's text could not be found.") from None


def _shown(url: URL) -> str:
    return str(url.with_fragment(None))
