"""The guard: nothing inside is reached, however the address is written and whatever names and redirects
do."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import aiohttp
import pytest
from aiohttp import web
from ccp_web_tools import guard
from ccp_web_tools.domains import DomainRules
from ccp_web_tools.failure import ToolFailure
from ccp_web_tools.fetch import Fetcher, Limits
from ccp_web_tools.guard import Guard
from ccp_web_tools.threads import Threads
from yarl import URL

PUBLIC_V4, PUBLIC_V6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

# {port} is a port on which this machine listens.
HOSTILE_ADDRESSES = [
    # loopback, by number
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1./",
    "http://127.1.2.3:{port}/",
    "http://127.255.255.254/",
    "http://0.0.0.0:{port}/",
    "http://0.1.2.3/",
    # loopback, by other numbers
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0x7f000001:{port}/",
    "http://0X7F000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1/",
    "http://0:{port}/",
    "http://00000177.0.0.01/",
    "http://127.0.0.1.0x1/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://4294967297/",
    # loopback, by other digits and dots
    "http://１２７.０.０.１:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    # private networks, link-local, carrier-grade NAT, metadata services
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.254/",
    "http://192.168.0.1/",
    "http://192.168.1.254:8080/",
    "http://169.254.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://100.127.255.255/",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/opc/v2/",
    "http://2852039166/latest/meta-data/",
    # multicast, broadcast, reserved, documentation
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://198.51.100.7/",
    "http://203.0.113.7/",
    "http://192.88.99.1/",
    # IPv6, plain and wrapping IPv4
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:93.184.215.14]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[100::1]/",
    "http://[2606:2800:21f:cb07:0:5efe:7f00:1]/",
    "http://[::ffff:127.0.0.1%25lo]:{port}/",
    "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c%25eth0]/",
    "http://[5f00::1]/",
    "http://[2001:1::1]/",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "http://[0:0:0:0:0:ffff:169.254.169.254]/latest/meta-data/",
    "http://[2002:a9fe:a9fe::]/latest/meta-data/",
    # escapes and digits that a second reader may undo
    "http://127%2e0%2e0%2e1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://%6c%6f%63%61%6c%68%6f%73%74:{port}/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1#@www.example.com/",
    "http://127.0.0.1?@www.example.com/",
    "http://www.example.com:80@127.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0300.0250.0.1/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://localhost\u200b/",
    "http://127.0.0.1\u3000/",
    "http://[::１]:{port}/",
    "http://０x7f000001/",
    # names that stand for the inside
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://localhost。:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://a.localhost:{port}/",
    "http://printer/",
    "http://printer.local/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://nas.home.arpa/",
    "http://www.example.com./",
    "http://-a.example.com/",
    "http://a..example.com/",
    "http://ex%61mple.com/",
    "http://example.com%2f@127.0.0.1/",
    # user names, and addresses that two readers read differently
    "http://www.example.com@127.0.0.1:{port}/",
    "http://user:secret@www.example.com/",
    "http://@www.example.com/",
    "http://:@www.example.com/",
    "http://127.0.0.1:{port}\\@www.example.com/",
    "http://www.example.com\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\t/",
    "http://127.0.0.1:{port}/\r\nHost: www.example.com",
    "http://www.example.com/\r\nHost: 127.0.0.1",
    "http://www.example.com/\\..\\",
    "http://www.example.com\x00.127.0.0.1/",
    "http://www.example .com/",
    # other schemes
    "file:///etc/hosts",
    "file://localhost/etc/hosts",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "dict://127.0.0.1:{port}/info",
    "ldap://127.0.0.1/",
    "unix:///var/run/docker.sock",
    "data:text/html,hello",
    "javascript:alert(1)",
    "ws://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    # ports and hosts that are none
    "http://www.example.com:22/",
    "http://www.example.com:25/",
    "http://www.example.com:0/",
    "http://www.example.com:65536/",
    "http://www.example.com:-1/",
    "http://www.example.com:x/",
    "http:///path",
    "http://",
    "http:www.example.com",
    "http://[/",
    "http://[::1/",
    "",
    "http://www.example.com/" + "a" * 2000,
]

HOSTILE_ANSWERS = {
    "loopback": ["127.0.0.1"],
    "loopback in IPv6": ["::1"],
    "a private network": ["10.1.2.3"],
    "link-local": ["169.254.169.254"],
    "carrier-grade NAT": ["100.64.9.9"],
    "unique local": ["fd00::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1"],
    "6to4": ["2002:7f00:1::"],
    "Teredo": ["2001:0:7f00:1::1"],
    "unspecified": ["0.0.0.0"],
    "multicast": ["224.0.0.251"],
    "a scope": ["fe80::1%1"],
    "public, then private": [PUBLIC_V4, "192.168.1.1"],
    "private, then public": ["192.168.1.1", PUBLIC_V4],
    "public in one family only": [PUBLIC_V6, "127.0.0.1"],
}


def fetcher(resolver=None, **guard):
    return Fetcher(Guard(**guard), Threads(), Limits(total=5), resolver)


def test_the_list_of_hostile_addresses_is_long():
    assert len(set(HOSTILE_ADDRESSES)) + len(HOSTILE_ANSWERS) > 100


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
async def test_a_hostile_address_is_refused_before_anything_is_sent(address, silent_port, connections, names):
    resolver = names({"www.example.com": [PUBLIC_V4], "localhost": ["127.0.0.1"], "printer": [PUBLIC_V4]})
    with pytest.raises(ToolFailure) as refused:
        await fetcher(resolver).fetch(address.format(port=silent_port.port), DomainRules())
    assert refused.value.code in ("url_not_allowed", "invalid_tool_input", "url_too_long")
    assert connections == []
    assert not silent_port()


@pytest.mark.parametrize("answer", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(
    answer, silent_port, connections, names
):
    with pytest.raises(ToolFailure) as refused:
        await fetcher(names({"www.example.com": answer})).fetch(
            f"http://www.example.com:{silent_port.port}/", DomainRules()
        )
    assert refused.value.code == "url_not_allowed"
    assert connections == []
    assert not silent_port()


async def test_the_silent_port_would_have_noticed(silent_port):
    address = f"http://127.0.0.1:{silent_port.port}/"
    fetching = asyncio.create_task(fetcher(allow_private=True).fetch(address, DomainRules()))
    while not silent_port():
        assert not fetching.done()
        await asyncio.sleep(0)
    fetching.cancel()


async def test_a_name_that_changes_its_answer_between_two_connections_is_refused(
    pages, names, connections, silent_port
):
    async def to_itself(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://www.example.com:{silent_port.port}/")

    server = await pages({"/": to_itself})
    rebinding = names({"www.example.com": [["127.0.0.1"], ["127.0.0.1"]]})
    with pytest.raises(ToolFailure) as refused:
        await fetcher(rebinding, exempt=frozenset({("127.0.0.1", server.port)})).fetch(
            f"http://www.example.com:{server.port}/", DomainRules()
        )
    assert refused.value.code == "url_not_allowed"
    assert connections == [("127.0.0.1", server.port)]
    assert not silent_port()


class TwoFaced(dict):
    """A look-up's answer that is public when it is judged and loopback when it is used."""

    def __init__(self, entry):
        super().__init__(entry)
        self.reads = 0

    def __getitem__(self, key):
        if key == "host":
            self.reads += 1
            return PUBLIC_V4 if self.reads == 1 else "127.0.0.1"
        return super().__getitem__(key)


async def test_a_name_that_rebinds_between_look_up_and_connect_is_refused(names, connections, silent_port):
    class Rebinding(type(names({}))):
        async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
            return [TwoFaced(entry) for entry in await super().resolve(host, port, family)]

    with pytest.raises(ToolFailure) as refused:
        await fetcher(Rebinding({"www.example.com": ["127.0.0.1"]})).fetch(
            f"http://www.example.com:{silent_port.port}/", DomainRules()
        )
    assert refused.value.code == "url_not_allowed"
    assert connections == []
    assert not silent_port()


async def test_the_connector_judges_an_address_that_no_resolver_saw(connections, silent_port):
    async with aiohttp.ClientSession(connector=Guard().connector()) as session:
        with pytest.raises((ToolFailure, aiohttp.ClientError)):
            await session.get(f"http://127.0.0.1:{silent_port.port}/")
    assert connections == []
    assert not silent_port()


@pytest.mark.parametrize(
    ("own", "address"),
    [
        (PUBLIC_V4, PUBLIC_V4),
        (PUBLIC_V6, PUBLIC_V6),
        ("2a00:1450:4001:82a::200e", "2a00:1450:4001:82a::1"),
    ],
    ids=["this machine", "this machine in IPv6", "a neighbour behind the same router"],
)
async def test_a_public_address_of_the_own_network_is_refused(own, address, names, connections, monkeypatch):
    """It need not be reachable from outside: a firewall may stand before it."""
    monkeypatch.setattr(guard, "own_address_towards", lambda target: ip_address(own))
    with pytest.raises(ToolFailure) as refused:
        await fetcher(names({"www.example.com": [address]})).fetch("http://www.example.com/", DomainRules())
    assert refused.value.code == "url_not_allowed"
    assert connections == []
    guard.Guard().check_address("2a00:1450:4001:82b::1", 80)


def test_the_machine_knows_its_own_address_on_the_way_to_another():
    assert guard.own_address_towards(ip_address("127.0.0.1")) == ip_address("127.0.0.1")
    assert guard.own_address_towards(ip_address("ff0e::1%nowhere")) is None


REDIRECTS_INSIDE = [
    "http://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://localhost:{port}/",
    "http://2130706433:{port}/",
    "http://inside.example.com:{port}/",
    "http://www.example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@www.example.com/",
    "\\\\127.0.0.1:{port}\\",
    "http://user:secret@www.example.com:{here}/2",
    "http://www.example.com\t:{here}/2",
    "HTTP://www.example.com.:{here}/2",
    "file:///etc/hosts",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "http://169.254.169.254/latest/meta-data/",
    "http://[64:ff9b::7f00:1]:{port}/",
]


@pytest.mark.parametrize("location", REDIRECTS_INSIDE)
@pytest.mark.parametrize("hops", [1, 4])
async def test_a_redirect_inside_is_refused_at_every_hop(
    location, hops, pages, names, connections, silent_port
):
    seen = []

    async def onward(request: web.Request) -> web.Response:
        hop = int(request.match_info["hop"])
        seen.append(hop)
        inside = location.format(port=silent_port.port, here=request.url.port)
        target = inside if hop == hops else f"/{hop + 1}"
        return web.Response(status=302, headers={"Location": target})

    server = await pages({"/{hop}": onward})
    resolver = names({"www.example.com": ["127.0.0.1"], "inside.example.com": ["127.0.0.1"]})
    with pytest.raises(ToolFailure) as refused:
        await fetcher(resolver, exempt=frozenset({("127.0.0.1", server.port)})).fetch(
            f"http://www.example.com:{server.port}/1", DomainRules()
        )
    assert refused.value.code in ("url_not_allowed", "url_not_accessible", "invalid_tool_input")
    assert seen == list(range(1, hops + 1))
    assert set(connections) == {("127.0.0.1", server.port)}
    assert not silent_port()


@pytest.mark.parametrize(
    "address",
    [
        "http://www.example.com/",
        "https://docs.example.com/a/b?c=d#e",
        "https://example.co.uk:8443/",
        "http://example.com:8080/",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "https://a-b.c-d.example.com/",
        "https://a_b.example.com/",
        "https://example.com/@user",
        "https://example.com/?next=http://127.0.0.1/",
        "https://10.example.com/",
        "https://3com.example/",
        "https://localhost.example.com/",
        "HTTPS://WWW.EXAMPLE.COM/",
        f"http://{PUBLIC_V4}/",
        f"https://[{PUBLIC_V6}]/",
        "http://1.1.1.1/",
        "http://100.63.255.255/",
        "http://172.32.0.1/",
        "http://[2a00:1450:4001:82a::200e]/",
    ],
)
def test_an_ordinary_address_passes(address):
    assert Guard().check_url(address).scheme in ("http", "https")


async def test_an_ordinary_name_is_connected_to_at_all_its_public_addresses(names, connections):
    resolver = names({"www.example.com": [PUBLIC_V4, PUBLIC_V6]})
    with pytest.raises(ToolFailure) as unreachable:
        await fetcher(resolver).fetch("http://www.example.com/", DomainRules())
    assert unreachable.value.code == "url_not_accessible"
    assert set(connections) == {(PUBLIC_V4, 80), (PUBLIC_V6, 80)}


def test_private_networks_can_be_opened_for_a_lab():
    guard = Guard(allow_private=True)
    for address in ("http://127.0.0.1:8000/", "http://[::1]/", "http://printer/", "http://nas.local/"):
        assert guard.check_url(address) == URL(address)
    guard.check_address("10.0.0.1", 80)
    with pytest.raises(ToolFailure):
        guard.check_url("file:///etc/hosts")


def test_the_schemes_can_be_narrowed_but_not_widened():
    guard = Guard(frozenset(("https", "file", "ftp")))
    assert guard.check_url("https://www.example.com/")
    for address in ("http://www.example.com/", "file:///etc/hosts", "ftp://www.example.com/"):
        with pytest.raises(ToolFailure):
            guard.check_url(address)


async def test_a_proxy_of_the_environment_is_not_used(pages, names, connections, silent_port, monkeypatch):
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="direct")

    server = await pages({"/": page})
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{silent_port.port}")
    fetched = await fetcher(
        names({"www.example.com": ["127.0.0.1"]}), exempt=frozenset({("127.0.0.1", server.port)})
    ).fetch(f"http://www.example.com:{server.port}/", DomainRules())
    assert fetched.text == "direct"
    assert connections == [("127.0.0.1", server.port)]
    assert not silent_port()
