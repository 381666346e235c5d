"""Who opens a socket: a program with a token, or a person with a session from exactly this origin."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest

from accounts.models import SCOPES, User
from accounts.services import authenticate_token

SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


PROVEN_SECONDS = 3600.0
MOST_PROVEN = 10_000
_proven: OrderedDict[int, float] = OrderedDict()
"""Hashes of the credentials that were found good here, and when, the oldest first."""


class WrongOrigin(Exception):
    """A browser opened the socket from another site, or says nothing of where it comes from."""


@dataclass(frozen=True)
class Credential:
    """What a socket was opened with. It is looked up again and again: a revoked one ends the socket."""

    token: str
    session_key: str

    def identify(self) -> tuple[User, tuple[str, ...]] | None:
        """The person behind it now, and what it may do; None when it is void."""
        found = self._look_up()
        if found is None:
            _proven.pop(hash(self), None)
        else:
            self.prove()
        return found

    def prove(self) -> None:
        """It was looked up, and is good."""
        _proven.pop(hash(self), None)
        _proven[hash(self)] = time.monotonic()
        if len(_proven) > MOST_PROVEN:
            _proven.popitem(last=False)

    @property
    def is_proven(self) -> bool:
        """Whether it was good when it was looked up last, within the hour. A hint about who comes, not a right."""
        at = _proven.get(hash(self))
        return at is not None and time.monotonic() - at < PROVEN_SECONDS

    def __bool__(self) -> bool:
        """False when there is nothing to look up."""
        return bool(self.token or self.session_key)

    def _look_up(self) -> tuple[User, tuple[str, ...]] | None:
        if self.token:
            found = authenticate_token(self.token)
            return (found[0], tuple(found[1].scopes)) if found else None
        if not self.session_key:
            return None
        request = HttpRequest()
        request.session = SessionStore(self.session_key)
        user = auth.get_user(request)
        return (user, SCOPES) if isinstance(user, User) and user.is_active else None


def credential_of(scope: dict[str, Any]) -> tuple[Credential, str | None]:
    """The credential of a handshake, and the subprotocol to answer with. Raises WrongOrigin.

    A token comes as ``Authorization: Bearer …``, or as the pair of subprotocols ``bearer, <token>`` from a browser.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if "authorization" in headers:
        kind, _, token = headers["authorization"].partition(" ")
        return Credential(token.strip() if kind.lower() == "bearer" else "", ""), None
    protocols = scope.get("subprotocols") or []
    if len(protocols) == 2 and protocols[0] == "bearer":
        return Credential(protocols[1], ""), "bearer"
    session_key = _cookie(headers.get("cookie", ""))
    if session_key and not is_our_origin(headers.get("origin", ""), headers.get("host", "")):
        raise WrongOrigin(headers.get("origin", "(none)"))
    return Credential("", session_key), None


def is_our_origin(origin: str, host: str) -> bool:
    """Scheme, host and port must be those of ``ZERG_PUBLIC_ORIGIN``, in capitals or not.

    On a laptop the same server answers to several loopback names: there a page may also speak to the very name and port
    that it was loaded from, which no other site can claim.
    """
    origin, host = origin.lower(), host.lower()
    if origin == settings.PUBLIC_ORIGIN.lower():
        return True
    public, theirs = urlsplit(settings.PUBLIC_ORIGIN), urlsplit(origin)
    loopback = {name.strip("[]") for name in settings.LOOPBACK_NAMES}
    return (
        theirs.scheme == public.scheme == "http"
        and public.hostname in loopback
        and theirs.hostname in loopback
        and theirs.netloc == host
        and origin == f"http://{host}"
    )


def _cookie(header: str) -> str:
    try:
        cookie = SimpleCookie(header)
    except CookieError:
        return ""
    return cookie[settings.SESSION_COOKIE_NAME].value if settings.SESSION_COOKIE_NAME in cookie else ""
