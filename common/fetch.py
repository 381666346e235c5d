"""The one client for addresses that people give: what is there is read once, within limits, by the rules of egress.

Nothing of ours goes along: no cookie, no credential, no proxy of the machine's. Each redirect is a new request that is
checked like the first. ``fetch`` is for GET; whoever calls it has stored first what it is for.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from django.db import connections
from yarl import URL

from common.egress import WEB_PORTS, AddressRefused, guarded_connector
from common.errors import ZergError

MOST_BYTES = 2 * 1024 * 1024
MOST_REDIRECTS = 3
LONGEST_URL = 2000
REDIRECTS = {301, 302, 303, 307, 308}
CHUNK = 64 * 1024
GZIP_OR_ZLIB = 47
"""The window that has zlib tell the two apart by their first bytes."""
OURS = {"User-Agent": "Zerg", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True)
class Limits:
    """Seconds to connect and for all of it, redirects included; bytes are counted unpacked."""

    connect: float = 5
    total: float = 30
    most_bytes: int = MOST_BYTES


USUAL = Limits()


@dataclass(frozen=True)
class Fetched:
    """An answer, whatever its status: ``url`` is where the last redirect led, names of headers are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Such as ``text/html``; empty when the server did not say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body in the charset that the server named, else in UTF-8; what cannot be read is marked as such."""
        _, _, charset = self.headers.get("content-type", "").lower().partition("charset=")
        try:
            return self.body.decode(charset.partition(";")[0].strip(" \"'") or "utf-8", errors="replace")
        except (LookupError, ValueError):
            return self.body.decode(errors="replace")


def check_url(url: str) -> str:
    """The address as it is to be stored. Raises ZergError(``bad_url``) for one that is never fetched."""
    return str(_checked(url.strip()))


def fetch(
    url: str, *, headers: Mapping[str, str] | None = None, limits: Limits = USUAL, with_body: bool = True
) -> Coroutine[Any, Any, Fetched]:
    """GETs ``url``; await what it gives. Without ``with_body`` the body stays unread, and empty.

    Raises ZergError: ``bad_url``, ``refused_address``, ``unreachable``, ``too_slow``, ``too_large``, ``bad_answer``,
    ``too_many_redirects``, each with a sentence for people. RuntimeError inside a database transaction.
    """
    if any(_is_in_transaction(connection) for connection in connections.all(initialized_only=True)):
        raise RuntimeError("A request to the network inside a database transaction would hold its locks")
    return _fetch(url, dict(headers or {}), limits, with_body)


def _is_in_transaction(connection: Any) -> bool:
    """Leaves out the transaction that a test case puts around everything, as Django does for durable ones."""
    return any(not block._from_testcase for block in connection.atomic_blocks)


async def _fetch(url: str, headers: dict[str, str], limits: Limits, with_body: bool) -> Fetched:
    at = _checked(url)
    try:
        async with asyncio.timeout(limits.total), _session(limits) as session:
            for _ in range(MOST_REDIRECTS + 1):
                async with session.get(at, headers=headers, allow_redirects=False) as answer:
                    target = answer.headers.get("Location")
                    if answer.status not in REDIRECTS or target is None:
                        return await _read(answer, limits, with_body)
                at = _checked(_joined(at, target))
    except AddressRefused as error:
        raise ZergError("refused_address", str(error)) from error
    except TimeoutError as error:
        raise ZergError("too_slow", f"{at.host} did not answer in time: within {limits.total:g} seconds.") from error
    except aiohttp.InvalidURL as error:
        raise ZergError("bad_url", f"{at.host} is no address: write it as people do, with a name.") from error
    except aiohttp.ClientConnectorError as error:
        refused = error.os_error
        if isinstance(refused, AddressRefused):
            raise ZergError("refused_address", str(refused)) from error
        raise ZergError("unreachable", f"{at.host} cannot be reached: {refused.strerror or refused}.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ZergError("bad_answer", f"{at.host} did not answer as a web server does.") from error
    raise ZergError("too_many_redirects", f"{at.host} sends from address to address; {MOST_REDIRECTS} are followed.")


def _session(limits: Limits) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=guarded_connector(ports=WEB_PORTS),
        headers=OURS,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=limits.total, connect=limits.connect),
        auto_decompress=False,  # it would unpack a whole chunk before anybody could count
        trust_env=False,
        max_line_size=8190,
        max_field_size=8190,
    )


async def _read(answer: aiohttp.ClientResponse, limits: Limits, with_body: bool) -> Fetched:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    body = bytearray()
    if with_body:
        async for part in _unpacked(answer, headers.get("content-encoding", "").strip().lower(), limits.most_bytes):
            body += part
            if len(body) > limits.most_bytes:
                _refuse_size(answer, limits.most_bytes)
    return Fetched(str(answer.url), answer.status, headers, bytes(body))


async def _unpacked(answer: aiohttp.ClientResponse, coding: str, most: int) -> AsyncIterator[bytes]:
    """The body in pieces of a bounded size, however much one packed byte stands for."""
    if coding in ("", "identity"):
        async for chunk in answer.content.iter_chunked(CHUNK):
            yield chunk
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise ZergError("bad_answer", f"{answer.url.host} packs its answer in a way that was not asked for.")
    unpack, received = zlib.decompressobj(GZIP_OR_ZLIB), 0
    try:
        async for chunk in answer.content.iter_chunked(CHUNK):
            received += len(chunk)
            if received > most:
                _refuse_size(answer, most)
            while chunk:
                if unpack.eof:  # one packed part may follow another
                    unpack = zlib.decompressobj(GZIP_OR_ZLIB)
                yield unpack.decompress(chunk, CHUNK)
                chunk = unpack.unconsumed_tail or unpack.unused_data
    except zlib.error as error:
        raise ZergError("bad_answer", f"{answer.url.host} sent a damaged answer.") from error
    if not unpack.eof and received:
        raise ZergError("bad_answer", f"{answer.url.host} sent only a part of its answer.")


def _refuse_size(answer: aiohttp.ClientResponse, most: int) -> None:
    raise ZergError("too_large", f"{answer.url.host} sends more than {most / 1024 / 1024:g} MiB, which is the most.")


def _joined(at: URL, target: str) -> str:
    try:
        return str(at.join(URL(target)))
    except ValueError as error:
        raise ZergError("bad_answer", f"{at.host} sends to an address that cannot be read.") from error


def _checked(text: str) -> URL:
    """``text`` as an address of the web. What it leads to is judged where it is connected to."""
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        host, port = None, None
    if host is None and "://" not in text:
        raise ZergError("bad_url", "Give the whole address, such as https://example.com/page.")
    if host is None or port is None or url.scheme not in ("http", "https"):
        raise ZergError("bad_url", "Only addresses that begin with http:// or https:// are fetched.")
    if url.user is not None or url.password is not None:
        raise ZergError("bad_url", "An address with a name or a password in it is not fetched. Leave them out.")
    if len(text) > LONGEST_URL:
        raise ZergError("bad_url", f"An address has at most {LONGEST_URL} characters.")
    return url.with_fragment(None)
