"""HTTP to one provider. Whatever can happen on the way becomes an UpstreamFailure here, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import aiohttp
import orjson
from aiohappyeyeballs import AddrInfoType
from yarl import URL

from ccp_core.config.settings import ProviderSettings, TimeoutSettings
from ccp_core.errors import UpstreamFailure
from ccp_core.provider import Provider, UpstreamRequest
from ccp_core.upstream.body import RequestBody, pack
from ccp_core.upstream.causes import UnusableCertificates, Way, network_errors
from ccp_core.upstream.proxies import WebProxy, proxy_for

MAX_ERROR_BODY = 64 * 1024
"""Bytes read of an error's body."""

ERROR_BODY_SECONDS = 5.0
"""How long an error's body may take; what has come by then counts."""

MAX_ANSWER_BODY = 64 * 1024 * 1024
"""Bytes read of a JSON answer: a model list, a counter's, or a model's that came in one piece."""

READ_BUFFER = 256 * 1024
"""Bytes that one stream may hold unread; past it the upstream is made to wait."""

MAX_HEADER = 32 * 1024
"""Bytes of one header line of an answer."""

_ACCEPT = "text/event-stream, application/json"

_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds and counts after which the system notices, under a silent connection, that the other side is gone."""


class AttemptFailed(Exception):
    """One attempt at an upstream failed; ``failure`` says how."""

    def __init__(self, failure: UpstreamFailure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


class UpstreamClient:
    """Connections to one provider's address, through its proxy if it has one."""

    def __init__(self, provider: Provider, settings: ProviderSettings, timeouts: TimeoutSettings) -> None:
        self._provider = provider
        self._settings = settings
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None
        self._proxy: WebProxy | None = None
        self._urls: dict[str, URL] = {}
        self._headers = {"content-type": "application/json", **provider.spec.headers, **settings.headers}

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def url(self, path: str) -> URL:
        """The address of a path: below the base URL, ``../`` for above it, or absolute."""
        url = self._urls.get(path)
        if url is None:
            if path.startswith(("http://", "https://")):
                url = URL(path)
            else:
                base = self._provider.base_url
                while path.startswith("../"):
                    base, path = _parent(base), path[3:]
                url = URL(f"{base}/{path.lstrip('/')}")
            self._urls[path] = url
        return url

    def headers(self, request: UpstreamRequest, key: str) -> dict[str, str]:
        """The headers with which a request is sent."""
        return {"accept": _ACCEPT, **self._headers, **request.headers, **self._auth(key)}

    @contextlib.asynccontextmanager
    async def post(self, request: UpstreamRequest, key: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its answer, whose status may be anything. Raises AttemptFailed.

        Failures while the body of the answer is read inside the ``async with`` become AttemptFailed too.
        """
        url, headers = self.url(request.path), self.headers(request, key)
        try:
            async with await self._send("POST", url, headers, pack(request.body)) as response:
                with _told_when_lost(response):
                    yield response
        except network_errors() as error:
            failure = self._failure(error, url)
            failure.model, failure.request = request.body.get("model", ""), request
            raise AttemptFailed(failure) from error

    async def get_json(self, path: str, key: str, timeout: float) -> Any:
        """The JSON that a path answers within ``timeout`` seconds. Raises AttemptFailed."""
        return await self._fetch_json("GET", path, key, timeout, None)

    async def post_json(self, path: str, body: Any, key: str, timeout: float) -> Any:
        """The JSON that a path answers to a JSON body within ``timeout`` seconds. Raises AttemptFailed."""
        return await self._fetch_json("POST", path, key, timeout, orjson.dumps(body))

    async def _fetch_json(self, method: str, path: str, key: str, timeout: float, data: bytes | None) -> Any:
        url, headers = self.url(path), {**self._headers, **self._auth(key)}
        body, limit = b"", asyncio.timeout(timeout)
        try:
            async with limit, await self._send(method, url, headers, data) as response:
                with _told_when_lost(response):
                    body = await read_bounded(response, MAX_ANSWER_BODY)
                if response.status != 200:
                    raise AttemptFailed(failure_of(response, body[:MAX_ERROR_BODY]))
                return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            failure = UpstreamFailure(cause="malformed", url=str(url), body=body[:MAX_ERROR_BODY])
            raise AttemptFailed(failure) from error
        except network_errors() as error:
            if limit.expired():  # which is no setting, unlike the timeouts that the others speak of
                failure = UpstreamFailure(cause="deadline", url=str(url), detail=f"{timeout:g} s")
                raise AttemptFailed(failure) from error
            raise AttemptFailed(self._failure(error, url)) from error

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], data: bytes | None
    ) -> aiohttp.ClientResponse:
        session = self._open()
        response = await session.request(
            method,
            url,
            data=None if data is None else RequestBody(data, self._timeouts.write),
            headers=headers,
            proxy=self._proxy.url if self._proxy is not None and not self._proxy.is_socks else None,
            allow_redirects=False,
        )
        if response.status == 407 and self._proxy is not None:  # of a plain http:// address the proxy itself
            response.close()
            failure = UpstreamFailure(cause="proxy", url=str(url), detail=self._way.needs_credentials)
            raise AttemptFailed(failure)
        return response

    def _failure(self, error: BaseException, url: URL) -> UpstreamFailure:
        if isinstance(error, UnusableCertificates):
            return UpstreamFailure(cause="tls", url=str(url), detail=str(error))
        cause, detail = self._way.explain(error)
        return UpstreamFailure(cause=cause, url=str(url), detail=detail)

    @property
    def _way(self) -> Way:
        prefixes = self._provider.spec.env_prefixes
        name = f"{prefixes[0]}_CA_FILE" if prefixes else f"providers.{self._provider.id}.ca_file"
        return Way(self.url("").host or "", self._proxy, name)

    def _auth(self, key: str) -> Mapping[str, str]:
        auth = self._settings.auth or self._provider.spec.auth
        if not key or auth == "none":
            return {}
        headers: dict[str, str] = {}
        if auth != "x-api-key":
            headers["authorization"] = f"Bearer {key}"
        if auth != "bearer":
            headers["x-api-key"] = key
        return headers

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connect = self._timeouts.connect
            connector = self._connector()
            timeout = aiohttp.ClientTimeout(
                total=None,
                # A SOCKS connector bounds all of it by sock_connect, and tells more.
                connect=None if self._proxy is not None and self._proxy.is_socks else connect,
                sock_connect=connect,
                sock_read=self._timeouts.read,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                read_bufsize=READ_BUFFER,
                max_line_size=MAX_HEADER,
                max_field_size=MAX_HEADER,
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": "ccp"},
            )
        return self._session

    def _connector(self) -> aiohttp.BaseConnector:
        # Our own throttle counts requests in flight; a limit here would only hide a queue.
        options: dict[str, Any] = {
            "limit": 0,
            "ttl_dns_cache": 60,
            "keepalive_timeout": 60,
            "ssl": self._certificates(),
        }
        self._proxy = proxy_for(self._provider, self._settings, self.url(""))
        if self._proxy is not None and self._proxy.is_socks:
            from aiohttp_socks import ProxyConnector

            # Without the h our side could resolve names. The proxy always does: it may see more than we do, and
            # nobody on the way learns them.
            return ProxyConnector.from_url(self._proxy.connector_url, rdns=True, **options)
        return aiohttp.TCPConnector(socket_factory=_socket, **options)

    def _certificates(self) -> ssl.SSLContext | bool:
        file = self._settings.ca_file
        if not file:
            return True
        try:
            return ssl.create_default_context(cafile=file)
        except ssl.SSLError:
            raise UnusableCertificates(f"{file} holds no certificate in PEM form") from None
        except OSError as error:
            raise UnusableCertificates(f"{file} cannot be read: {error.strerror}") from None


def _parent(base: str) -> str:
    """The address one level above; above a host there is nothing."""
    return base.rsplit("/", 1)[0] if URL(base).path != "/" else base


def _socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            with contextlib.suppress(OSError):
                made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


@contextlib.contextmanager
def _told_when_lost(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Let the reader of an answer learn that the connection is gone.

    aiohttp (3.14) closes it when the framing of HTTP is broken in the middle of a body, and tells nobody who reads.
    """
    protocol = response.connection.protocol if response.connection is not None else None
    closed = protocol.closed if protocol is not None else None
    if closed is None:
        yield
        return

    def tell(closed: asyncio.Future[None]) -> None:
        content = response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the answer is broken"))

    closed.remove_done_callback(_noted)  # of an earlier answer on the same connection
    closed.add_done_callback(_noted)
    closed.add_done_callback(tell)
    try:
        yield
    finally:
        closed.remove_done_callback(tell)


def _noted(closed: asyncio.Future[None]) -> None:
    if not closed.cancelled():
        closed.exception()  # asyncio complains of exceptions that nobody looks at


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, cut after ``limit`` bytes; an error's body also after ERROR_BODY_SECONDS, or where it breaks."""
    pieces: list[bytes] = []

    async def read() -> None:
        size = 0
        async for data in response.content.iter_any():
            pieces.append(data)
            size += len(data)
            if size >= limit:
                break

    if response.status == 200:
        await read()
    else:
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(ERROR_BODY_SECONDS):
                await read()
    return b"".join(pieces)[:limit]


def failure_of(
    response: aiohttp.ClientResponse, body: bytes, request: UpstreamRequest | None = None
) -> UpstreamFailure:
    """The failure that an error status means."""
    return UpstreamFailure(
        cause="status",
        model=request.body.get("model", "") if request is not None else "",
        url=str(response.url),
        status=response.status,
        headers=lower_case(response.headers),
        body=body,
        request=request,
    )


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with lower-case names; of repeated ones the last counts."""
    return {name.lower(): value for name, value in headers.items()}
