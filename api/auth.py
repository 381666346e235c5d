"""Who calls, and what the call may do. It reads a bearer token, or else the session with its CSRF token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.http import HttpRequest
from ninja.utils import check_csrf

from accounts.models import SCOPES, User
from accounts.services import authenticate_token
from accounts.sockets import Credential
from common.errors import ZergError
from runs.models import Run


@dataclass(frozen=True)
class Caller:
    """The person on whose behalf a request acts, and what its credential allows."""

    user: User
    scopes: frozenset[str]
    by_token: bool
    credential: Credential
    """What the call came with. An answer that streams looks it up again and again."""

    def require(self, scope: str) -> None:
        """Raises ZergError(``forbidden``, 403), which names the scope that the token lacks."""
        if scope not in self.scopes:
            raise ZergError(
                "forbidden", f"This token may not do that: it lacks the scope “{scope}”. Make a token that has it."
            )

    @property
    def trigger(self) -> Run.Trigger:
        """What a message that the caller sends is triggered by."""
        return Run.Trigger.API if self.by_token else Run.Trigger.CHAT

    @property
    def run_trigger(self) -> Run.Trigger:
        """What a run without a message of the caller's is triggered by."""
        return Run.Trigger.API if self.by_token else Run.Trigger.MANUAL


class Needs:
    """The authenticator of an operation: who calls has ``scopes``, all of them.

    ``maybe`` are scopes that the operation asks for by itself, depending on the body; they are named in the documents.
    """

    def __init__(self, *scopes: str, maybe: tuple[str, ...] = ()) -> None:
        if unknown := {*scopes, *maybe} - set(SCOPES):
            raise ValueError(f"no such scope: {unknown}")
        self.scopes = scopes
        self.maybe = maybe

    def __call__(self, request: HttpRequest) -> Caller:
        """Raises ZergError(``not_signed_in``, 401) or (``forbidden``, 403)."""
        found = _by_token(request) if "Authorization" in request.headers else _by_session(request)
        for scope in self.scopes:
            found.require(scope)
        return found


def _by_token(request: HttpRequest) -> Caller:
    """A wrong header is refused even where a session would do: a program must not act as the person by accident."""
    scheme, _, text = request.headers["Authorization"].partition(" ")
    found = authenticate_token(text.strip()) if scheme.lower() == "bearer" and text.strip() else None
    if found is None:
        raise ZergError(
            "not_signed_in", "The token is wrong or was revoked. Send “Authorization: Bearer <token>” with a valid one."
        )
    user, token = found
    credential = Credential(text.strip(), "")
    credential.prove()
    return Caller(user, frozenset(token.scopes), by_token=True, credential=credential)


def _by_session(request: HttpRequest) -> Caller:
    user = request.user
    if not user.is_authenticated:
        raise ZergError("not_signed_in", "Sign in, or send a token: “Authorization: Bearer <token>”.")
    if check_csrf(request) is not None:
        raise ZergError(
            "forbidden", "The CSRF token is missing or wrong. Send it in the header X-CSRFToken, or use an API token."
        )
    credential = Credential("", request.session.session_key or "")
    return Caller(user, frozenset(SCOPES), by_token=False, credential=credential)


def caller(request: HttpRequest) -> Caller:
    """Who calls, after the operation's authenticator has let them in."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]
