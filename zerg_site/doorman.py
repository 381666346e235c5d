"""Who may wait at the door, and for how long: connections without a request, and handshakes of strangers."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, Protocol

from accounts.sockets import Credential, WrongOrigin, credential_of

REQUEST_SECONDS = 30.0
MOST_UNFINISHED = 500
NOBODIES_AT_ONCE = 20
STRANGERS_AT_ONCE = 50
STRANGERS_PER_SECOND = 20.0
MOST_ADDRESSES = 10_000


class Dropped(Protocol):
    """A connection that can be ended."""

    def drop(self) -> None: ...


class Unfinished:
    """Connections that have not sent a whole request, the longest waiting first. Where there are too many it goes
    first, too: a request takes milliseconds, and who keeps connections open without one takes the places of all."""

    def __init__(self) -> None:
        self._since: OrderedDict[Dropped, float] = OrderedDict()

    def add(self, connection: Dropped) -> None:
        """Its time begins, if it has not yet."""
        self._since.setdefault(connection, time.monotonic())
        if len(self._since) > MOST_UNFINISHED:
            self._drop_first()

    def discard(self, connection: Dropped) -> None:
        """Its request is here, or it is gone."""
        self._since.pop(connection, None)

    def sweep(self) -> None:
        """Drops those whose time is over; to be called every few seconds."""
        over = time.monotonic() - REQUEST_SECONDS
        while self._since and next(iter(self._since.values())) < over:
            self._drop_first()

    def _drop_first(self) -> None:
        connection, _ = self._since.popitem(last=False)
        connection.drop()


class Doorman:
    """Lets strangers in at a pace: of each address ``at_once`` together, and then STRANGERS_PER_SECOND.

    A stranger has no credential that was found to be good a while ago. All who come through one proxy share its
    address; those who are known pass whatever the strangers do.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By address: how many may come at once now, and when that was so."""

    def lets_in(self, address: str) -> bool:
        """Whether one more stranger may come in from ``address``; if so, there is room for one less."""
        left = self._refilled(address)
        self._keep(address, left - 1 if left >= 1 else left)
        return left >= 1

    def thinks_better_of(self, address: str) -> None:
        """The stranger was none: their place is free again."""
        self._keep(address, self._refilled(address) + 1)

    def _refilled(self, address: str) -> float:
        now = time.monotonic()
        left, at = self._left.get(address, (self._at_once, now))
        return min(self._at_once, left + (now - at) * STRANGERS_PER_SECOND)

    def _keep(self, address: str, left: float) -> None:
        self._left[address] = (min(left, self._at_once), time.monotonic())
        self._left.move_to_end(address)
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)


# Who shows nothing will be sent away in any case. Who shows something may be one of all the people who come back at
# once when a web process was started anew.
_for_nobodies, _for_strangers = Doorman(NOBODIES_AT_ONCE), Doorman(STRANGERS_AT_ONCE)
Headers = list[tuple[bytes, bytes]]
"""Names in lower case, and values."""


class Visit:
    """A handshake at the door: from where, and with what."""

    def __init__(self, address: str, credential: Credential) -> None:
        self._address = address
        self._credential = credential
        self._is_strangers = not credential.is_proven

    def may_begin(self) -> bool:
        doorman = _for_strangers if self._credential else _for_nobodies
        return not self._is_strangers or doorman.lets_in(self._address)

    def accepted(self) -> None:
        """By now the credential was looked up."""
        if self._is_strangers and self._credential.is_proven:
            _for_strangers.thinks_better_of(self._address)


def come_in(peer: Any, headers: Headers) -> Visit | int:
    """The visit that begins with a handshake from ``peer``, twisted's address; or the HTTP status to refuse it with."""
    offered = dict(headers).get(b"sec-websocket-protocol", b"").decode("latin-1")
    subprotocols = [word.strip() for word in offered.split(",")] if offered else []
    try:
        credential, _ = credential_of({"headers": headers, "subprotocols": subprotocols})
    except WrongOrigin:
        return 403
    visit = Visit(getattr(peer, "host", ""), credential)
    return visit if visit.may_begin() else 429
