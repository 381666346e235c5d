"""The one client for what is sent to addresses that people give: once, signed by its caller, by the rules of egress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from common.egress import AddressRefused, guarded_connector, open_connector

SECONDS = 10
ANSWER_BYTES = 64 * 1024
"""As much as anybody needs of what a server says about its refusal."""


@dataclass(frozen=True)
class Answer:
    """What a server said, from its beginning, whatever the status."""

    status: int
    said: bytes


class NotSent(Exception):
    """There was no answer; the text is for people. ``is_final``: it will be the same another time."""

    def __init__(self, words: str, *, is_final: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.is_final = is_final


async def post(url: str, *, body: bytes, headers: Mapping[str, str], private_allowed: bool) -> Answer:
    """POSTs ``body``. No redirect is followed, no cookie and no proxy of the machine's goes along. Raises NotSent."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=open_connector() if private_allowed else guarded_connector(),
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session,
            session.post(url, data=body, headers=dict(headers), allow_redirects=False) as answer,
        ):
            return Answer(answer.status, await _beginning(answer))
    except TimeoutError as error:
        raise NotSent(f"No answer within {SECONDS} seconds.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _unreached(error) from error


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    said = bytearray()
    async for part in answer.content.iter_any():
        said += part
        if len(said) >= ANSWER_BYTES:
            break
    return bytes(said[:ANSWER_BYTES])


def _unreached(error: BaseException) -> NotSent:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, AddressRefused):
        cause = getattr(cause, "os_error", None) or cause.__cause__
    if cause is not None:
        return NotSent(str(cause), is_final=True)
    # By kind only: an error's own words may hold the address, and that may hold a key.
    if isinstance(error, aiohttp.ClientSSLError):
        return NotSent("No secure connection: its certificate cannot be trusted, or it speaks no TLS.")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotSent("Its name leads to no address.")
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionError):
        return NotSent("No connection: nothing answers at its address.")
    return NotSent(f"The connection broke off ({type(error).__name__}).")
