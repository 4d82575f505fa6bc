"""Fetching a page that may be fetched: redirects, bounds, kinds of documents, and what is sent along."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web
from ccp_web_tools.domains import DomainRules
from ccp_web_tools.failure import ToolFailure
from ccp_web_tools.fetch import Fetcher, Limits
from ccp_web_tools.guard import Guard
from ccp_web_tools.threads import Threads

ARTICLE = """<!doctype html><html>
<head><meta charset="utf-8"><title> Release
 4.2 </title><script>var hidden = 1</script></head>
<body><nav><a href="/">Home</a></nav><main><article><h1>Release 4.2</h1>
<p>The scheduler is twice as fast, and thirty-one bugs are gone. See the <a href="/guide">guide</a> for all
else that changed since spring.</p>
<table><tr><th>Version</th></tr><tr><td>4.2</td></tr></table>
<pre><code>pip install example</code></pre></article></main><footer>Cookie settings</footer></body></html>"""


@pytest.fixture
def fetch(pages, names):
    """``await fetch(handlers, "/path")`` fetches from a server of these handlers, by a public-looking
    name."""

    async def fetch(handlers, path="/", *, rules=None, **limits):
        server = await pages(handlers)
        fetcher = Fetcher(
            Guard(exempt=frozenset({("127.0.0.1", server.port)})),
            Threads(),
            Limits(**{"total": 10, **limits}),
            names({"www.example.com": ["127.0.0.1"], "docs.example.com": ["127.0.0.1"]}),
        )
        return await fetcher.fetch(f"http://www.example.com:{server.port}{path}", rules or DomainRules())

    return fetch


def answering(**response):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(**response)

    return handler


async def test_a_page_becomes_its_title_and_its_readable_text(fetch):
    page = await fetch({"/news": answering(text=ARTICLE, content_type="text/html")}, "/news")
    assert page.title == "Release 4.2"
    assert "The scheduler is twice as fast" in page.text
    assert "pip install example" in page.text
    assert "Version" in page.text
    assert "/guide)" in page.text
    for noise in ("hidden", "Cookie settings", "<p>"):
        assert noise not in page.text


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"text": "plain\n  words", "content_type": "text/plain"}, "plain\n  words"),
        ({"text": '{"a": 1}', "content_type": "application/json"}, '{"a": 1}'),
        ({"text": '{"a": 1}', "content_type": "application/ld+json"}, '{"a": 1}'),
        ({"text": "# Title", "content_type": "text/markdown"}, "# Title"),
        (
            {"body": "grün".encode("latin-1"), "headers": {"Content-Type": "text/plain; charset=latin-1"}},
            "grün",
        ),
        ({"body": "grün".encode(), "headers": {"Content-Type": "text/plain; charset=no-such"}}, "grün"),
        ({"body": b"\xff\xfe?", "content_type": "text/plain"}, "\ufffd\ufffd?"),
        *(
            ({"body": b"words", "headers": {"Content-Type": f"text/plain; charset={charset}"}}, "words")
            for charset in ("idna", "undefined", "zlib")
        ),
        ({"body": b"", "content_type": "text/html"}, ""),
        ({"body": b"<p>short", "content_type": "text/html"}, "<p>short"),
    ],
)
async def test_other_texts_are_shown_as_they_are(fetch, response, text):
    assert (await fetch({"/": answering(**response)})).text == text


async def test_a_page_of_very_many_elements_is_shown_as_its_bare_text(fetch):
    """To find the article in it would take gigabytes and minutes."""
    page = await fetch(
        {"/": answering(text="<title>Many</title><p>" + "<b>word</b> " * 60_000, content_type="text/html")}
    )
    assert page.title == "Many"
    assert page.text.split() == ["word"] * 60_000


async def test_a_page_that_the_library_fails_on_is_an_error(fetch, monkeypatch):
    def fail(*arguments: object, **options: object) -> str:
        raise RecursionError

    monkeypatch.setattr("trafilatura.extract", fail)
    with pytest.raises(ToolFailure) as failure:
        await fetch({"/": answering(text=ARTICLE, content_type="text/html")})
    assert failure.value.code == "unavailable"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ({"body": b"%PDF-1.7", "content_type": "application/pdf"}, "unsupported_content_type"),
        ({"body": b"\x89PNG", "content_type": "image/png"}, "unsupported_content_type"),
        ({"body": b"?", "content_type": "application/octet-stream"}, "unsupported_content_type"),
        ({"status": 404, "text": "gone"}, "url_not_accessible"),
        ({"status": 503, "text": "later"}, "url_not_accessible"),
        ({"status": 302, "text": "a redirect without a target"}, "url_not_accessible"),
        ({"status": 304}, "url_not_accessible"),
    ],
)
async def test_what_has_no_text_is_an_error_with_its_code(fetch, response, code):
    with pytest.raises(ToolFailure) as failure:
        await fetch({"/": answering(**response)})
    assert failure.value.code == code


def chain(length, status=302):
    async def hop(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number == length:
            return web.Response(text=f"after {length}")
        return web.Response(status=status, headers={"Location": f"../hop/{number + 1}?from={number}"})

    return {"/hop/{number}": hop}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_ten_redirects_are_followed(fetch, status):
    page = await fetch(chain(10, status), "/hop/0")
    assert page.text == "after 10"
    assert page.url.endswith("/hop/10?from=9")


async def test_an_eleventh_redirect_is_not(fetch):
    with pytest.raises(ToolFailure, match="redirects more than 10 times") as failure:
        await fetch(chain(11), "/hop/0")
    assert failure.value.code == "url_not_accessible"


async def test_a_redirect_must_stay_within_the_allowed_domains(fetch):
    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://docs.example.com:{request.url.port}/there")

    handlers = {"/": away, "/there": answering(text="there")}
    assert (await fetch(handlers)).text == "there"
    with pytest.raises(ToolFailure) as failure:
        await fetch(handlers, rules=DomainRules.of({"allowed_domains": ["www.example.com"]}))
    assert failure.value.code == "url_not_allowed"


async def test_a_page_that_is_too_large_is_given_up_while_it_comes(fetch):
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        try:
            for _ in range(2000):
                await response.write(b"x" * 10_000)
                written += 10_000
        except ConnectionError:
            pass
        return response

    with pytest.raises(ToolFailure) as failure:
        await fetch({"/": endless}, body=100_000)
    assert failure.value.code == "content_too_large"
    assert written < 20_000_000


async def test_a_small_page_that_unpacks_to_a_large_one_is_too_large(fetch):
    packed = gzip.compress(b"x" * 2_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    with pytest.raises(ToolFailure) as failure:
        await fetch({"/": answering(body=packed, headers=headers)}, body=100_000)
    assert failure.value.code == "content_too_large"


async def test_a_server_that_says_nothing_is_given_up(fetch):
    async def silent(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(ToolFailure) as failure:
        await fetch({"/": silent}, total=0.2)
    assert failure.value.code == "url_not_accessible"


async def test_a_name_that_nobody_knows_is_not_accessible(names):
    fetcher = Fetcher(Guard(), Threads(), Limits(), names({}))
    with pytest.raises(ToolFailure) as failure:
        await fetcher.fetch("http://www.example.com/", DomainRules())
    assert failure.value.code == "url_not_accessible"
    assert "www.example.com" not in failure.value.reason


async def test_no_cookie_and_no_credential_is_sent(fetch, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine www.example.com login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen = []

    async def first(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        response = web.Response(status=302, headers={"Location": "/second"})
        response.set_cookie("session", "1")
        return response

    async def second(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(text="ok")

    await fetch({"/": first, "/second": second})
    assert len(seen) == 2
    for headers in seen:
        assert not {"Cookie", "Authorization", "Referer"} & headers.keys()
