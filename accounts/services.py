"""How people and their programs prove who they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.models import SCOPES, ApiToken, SignInLink, SignInTry, User, all_scopes
from common.crypto import digest, new_token
from common.errors import ZergError
from common.prepared import prepared

LINK_LIFETIME = timedelta(hours=24)
TRIES = 10
TRIES_WINDOW = timedelta(minutes=15)
USE_IS_NOTED_EVERY = timedelta(minutes=1)
HINT_LENGTH = 12


def make_sign_in_link(user: User) -> str:
    """The path of a link that signs ``user`` in, once, within 24 hours. Only its digest is kept."""
    token = new_token("once")
    SignInLink.objects.create(user=user, digest=digest(token), expires_at=timezone.now() + LINK_LIFETIME)
    return reverse("sign_in_once", args=[token])


def redeem_sign_in_link(token: str) -> User:
    """The person whom a link signs in; the link is used up. Raises ZergError that says why it does not."""
    now = timezone.now()
    links = SignInLink.objects.filter(digest=digest(token))
    # Of two requests with the same link, the row count tells which one was first.
    if links.filter(used_at=None, expires_at__gt=now, user__is_active=True).update(used_at=now):
        return links.select_related("user").get().user
    link = links.first()
    if link is None:
        raise ZergError("link_unknown", "This sign-in link is not known here. Was it copied whole?")
    if link.used_at is not None:
        raise ZergError("link_used", "This sign-in link was already used. Each link works once.")
    if link.expires_at <= now:
        raise ZergError("link_expired", "This sign-in link is over: it worked for 24 hours.")
    raise ZergError("link_unknown", "This account is switched off. Ask an administrator.")


def note_try(email: str, address: str) -> None:
    """Notes that somebody tries to sign in. Raises ZergError(``rate_limited``) at the eleventh try in 15 minutes.

    The row is written before the tries are counted, so that tries sent at once cannot all be the tenth.
    """
    since = timezone.now() - TRIES_WINDOW
    SignInTry.objects.filter(tried_at__lt=since).delete()
    key = _key_of(email, address)
    this = SignInTry.objects.create(key=key)
    if SignInTry.objects.filter(key=key, tried_at__gte=since).count() > TRIES:
        this.delete()  # a refused try does not make the wait longer
        raise ZergError(
            "rate_limited",
            "Too many tries for this address. Wait 15 minutes, or use a sign-in link from an administrator.",
        )


def forget_tries(email: str, address: str) -> None:
    """After the right password the count begins anew."""
    SignInTry.objects.filter(key=_key_of(email, address)).delete()


def _key_of(email: str, address: str) -> str:
    return digest(f"{email.strip().lower()}\n{_network_of(address)}")


def _network_of(address: str) -> str:
    """The address; of IPv6 the network of 64 bits, because a single home has that many addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def create_token(user: User, name: str, scopes: Iterable[str] | None = None) -> tuple[ApiToken, str]:
    """A new API token and its text, which cannot be read again. ``scopes`` None means all of them.

    Raises ZergError for a scope that does not exist.
    """
    wanted = all_scopes() if scopes is None else list(dict.fromkeys(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        message = f"There is no scope “{unknown[0]}”. There are: {', '.join(SCOPES)}."
        raise ZergError("bad_scope", message, {"scopes": message})
    text = new_token("zerg")
    token = ApiToken.objects.create(
        user=user, name=name[:120], digest=digest(text), hint=text[:HINT_LENGTH], scopes=wanted
    )
    return token, text


def authenticate_token(text: str) -> tuple[User, ApiToken] | None:
    """The person and the token behind ``text``; None when it is unknown, revoked, or its person is switched off."""
    token = next(iter(_valid_tokens(digest(text))), None)
    if token is None:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk, last_used_at=token.last_used_at).update(last_used_at=now)
    return token.user, token


@prepared
def _valid_tokens(its_digest: Any) -> QuerySet[ApiToken]:
    tokens = ApiToken.objects.filter(digest=its_digest, revoked_at=None, user__is_active=True)
    return tokens.select_related("user")


def revoke_token(token: ApiToken) -> None:
    """The token stops working at once, and for good."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
