"""What is fetched for people: by the web's rules, within limits, and never from where it must not reach."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from django.db import transaction
from pytest_django.fixtures import Settings

from common.egress import is_public
from common.errors import ZergError
from common.fetch import MOST_BYTES, Fetched, Limits, check_url, fetch

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]

QUICK = Limits(connect=0.3, total=0.6)

INWARD = [
    "127.0.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1",
    "localhost", "localhost.", "LOCALHOST", "127.0.0.1.", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2001:0:7f00:1::80ff:fffe]", "[2a00::5efe:7f00:1]", "[2a00::200:5efe:7f00:1]", "[fe80::1]", "[fc00::1]",
    "[ff02::1]", "[2001:db8::1]", "10.0.0.5", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254",
    "198.18.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "①②⑦.⓪.⓪.①", "127。0。0。1",
]  # fmt: skip


@pytest.fixture
async def serve(settings: Settings) -> AsyncIterator[Serve]:
    """Starts real servers, one for each handler, which the operator allows by host and port."""
    runners = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_get("/{tail:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        settings.EGRESS_ALLOW = [*settings.EGRESS_ALLOW, f"{host}:{port}"]
        return f"http://{host}:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def tripwire() -> Iterator[socket.socket]:
    """Listens at this machine; whoever connects can be seen."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        listener.setblocking(False)
        yield listener


def assert_silent(tripwire: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        tripwire.accept()


async def code_of(url: str, limits: Limits = QUICK) -> str:
    """The code of the refusal."""
    with pytest.raises(ZergError) as refusal:
        await fetch(url, limits=limits)
    assert refusal.value.message.endswith((".", "ZERG_EGRESS_ALLOW."))
    return refusal.value.code


@pytest.mark.parametrize("host", INWARD)
async def test_no_spelling_of_an_inward_address_is_connected_to(tripwire: socket.socket, host: str) -> None:
    port = tripwire.getsockname()[1]
    assert await code_of(f"http://{host}:{port}/") in {"refused_address", "bad_url", "unreachable"}
    assert_silent(tripwire)


async def test_the_tripwire_would_notice(tripwire: socket.socket, settings: Settings) -> None:
    port = tripwire.getsockname()[1]
    settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
    assert await code_of(f"http://127.0.0.1:{port}/") == "too_slow"
    tripwire.accept()[0].close()


async def test_exactly_the_pair_that_is_allowed_is_reached(serve: Serve, settings: Settings) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello", headers={"ETag": '"1"'})

    allowed, other = await serve(hello), await serve(hello)
    settings.EGRESS_ALLOW = [allowed.removeprefix("http://")]
    found = await fetch(f"{allowed}/page#part")
    assert (found.status, found.text, found.headers["etag"]) == (200, "hello", '"1"')
    assert (found.url, found.media_type) == (f"{allowed}/page", "text/plain")
    assert await code_of(other) == "refused_address"
    assert await code_of(allowed.replace("127.0.0.1", "127.0.0.2")) == "refused_address"


async def test_a_public_address_is_asked_at_the_ports_of_the_web_only() -> None:
    with pytest.raises(ZergError, match="only the web's own ports"):
        await fetch("http://8.8.8.8:6379/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.com/a", "dict://127.0.0.1:11211/stat",
        "ws://example.com/", "wss://example.com/", "data:text/plain,hello", "jar:http://example.com!/a", "unix:/a",
        "//example.com/", "example.com", "", "http://", "http:///path", "https://name@example.com/",
        "https://name:secret@example.com/", "https://:secret@example.com/", "http://[::1", "http://a:99999/",
        "https://example.com/" + "a" * 2000,
    ],
)  # fmt: skip
async def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    assert await code_of(url) == "bad_url"
    with pytest.raises(ZergError):
        check_url(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_inward_is_refused(serve: Serve, tripwire: socket.socket, status: int) -> None:
    target = f"http://127.0.0.1:{tripwire.getsockname()[1]}/"

    async def away(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": target})

    assert await code_of(await serve(away)) == "refused_address"
    assert_silent(tripwire)


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://a:b@127.0.0.1/", "http://[::1"]
)
async def test_a_redirect_to_what_is_no_address_of_the_web_is_refused(serve: Serve, target: str) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    assert await code_of(await serve(away)) in {"bad_url", "bad_answer"}


async def test_three_redirects_are_followed_and_no_more(serve: Serve) -> None:
    async def count_down(request: web.Request) -> web.Response:
        left = int(request.path.strip("/"))
        return (
            web.Response(text="there") if left == 0 else web.Response(status=302, headers={"Location": f"{left - 1}"})
        )

    base = await serve(count_down)
    found = await fetch(f"{base}/3")
    assert (found.text, found.url) == ("there", f"{base}/0")
    assert await code_of(f"{base}/4") == "too_many_redirects"


async def test_nothing_of_ours_goes_along_and_no_cookie_comes_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    asked = []

    async def set_cookie(request: web.Request) -> web.Response:
        asked.append(dict(request.headers))
        if request.path == "/end":
            return web.Response(text="there")
        return web.Response(status=302, headers={"Location": "/end", "Set-Cookie": "a=b"})

    await fetch(f"{await serve(set_cookie)}/", headers={"If-None-Match": '"1"'})
    assert len(asked) == 2
    assert {name for headers in asked for name in headers} == {
        "Host", "User-Agent", "Accept", "Accept-Encoding", "If-None-Match",
    }  # fmt: skip


async def test_more_than_two_mebibytes_are_refused_and_exactly_as_many_are_kept(serve: Serve) -> None:
    async def much(request: web.Request) -> web.Response:
        return web.Response(body=b"a" * int(request.path.strip("/")))

    base = await serve(much)
    assert len((await fetch(f"{base}/{MOST_BYTES}")).body) == MOST_BYTES
    assert await code_of(f"{base}/{MOST_BYTES + 1}", Limits()) == "too_large"


def zipped(size: int, coding: str) -> bytes:
    return gzip.compress(b"\0" * size) if coding == "gzip" else zlib.compress(b"\0" * size)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_not_unpacked(serve: Serve, coding: str) -> None:
    bomb = zipped(100 * 1024 * 1024, coding)

    async def explode(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": coding})

    assert await code_of(await serve(explode), Limits()) == "too_large"


async def test_what_is_packed_is_read_also_in_several_parts(serve: Serve) -> None:
    async def packed(_: web.Request) -> web.Response:
        body = gzip.compress(b"one " * 50_000) + gzip.compress(b"two")
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    assert (await fetch(await serve(packed))).body == b"one " * 50_000 + b"two"


@pytest.mark.parametrize(
    ("coding", "body"),
    [("br", b"abc"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"whole" * 100)[:-9])],
    ids=["unknown", "not packed", "cut off"],
)
async def test_what_cannot_be_unpacked_is_refused(serve: Serve, coding: str, body: bytes) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": coding})

    assert await code_of(await serve(odd)) == "bad_answer"


async def test_an_endless_body_ends(serve: Serve) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"a" * 65_536)

    assert await code_of(await serve(endless), Limits()) == "too_large"


async def test_a_body_that_drips_is_not_waited_for(serve: Serve) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"a")
            await asyncio.sleep(0.02)

    assert await code_of(await serve(drip)) == "too_slow"


async def test_what_speaks_no_http_is_no_answer(settings: Settings) -> None:
    async def growl(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-growl\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(growl, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        settings.EGRESS_ALLOW = [f"{host}:{port}"]
        assert await code_of(f"http://{host}:{port}/") == "bad_answer"


async def test_a_closed_port_cannot_be_reached(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
    assert await code_of(f"http://127.0.0.1:{port}/") == "unreachable"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ("text/plain", "café".encode(), "café"),
        ("text/plain; charset=no-such", "café".encode(), "café"),
        ("text/plain; charset=hex", b"ab", "ab"),
        ("text/plain; charset=utf-8", b"caf\xe9", "caf\ufffd"),
    ],
)
def test_a_wrong_charset_is_no_error(kind: str, body: bytes, text: str) -> None:
    assert Fetched("http://a/", 200, {"content-type": kind}, body).text == text


@pytest.mark.django_db(transaction=True)
def test_nothing_is_fetched_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a database transaction"):
        fetch("http://192.0.2.1/").close()
    fetch("http://192.0.2.1/").close()


def test_tunnels_to_private_networks_are_not_public() -> None:
    assert is_public(ipaddress.ip_address("2606:4700::1111"))
    assert not is_public(ipaddress.ip_address("2606:4700::5efe:a00:1"))
    assert not is_public(ipaddress.ip_address("3fff::1"))
