"""Encryption of secrets at rest, with keys that can be rotated: the first key encrypts, all of them decrypt."""

from __future__ import annotations

import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from common.errors import ZergError


def new_key() -> str:
    """A fresh encryption key (URL-safe base64 of 32 random bytes)."""
    return Fernet.generate_key().decode("ascii")


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


def encrypt(text: str) -> str:
    """``text`` as an opaque token for the database; the empty text stays empty."""
    return _box().encrypt(text.encode()).decode("ascii") if text else ""


def decrypt(token: str) -> str:
    """The text behind ``token``. Raises ZergError(``key_unreadable``) when no key at hand opens it."""
    if not token:
        return ""
    try:
        return _box().decrypt(token.encode("ascii")).decode()
    except InvalidToken as error:
        raise ZergError(
            "key_unreadable",
            "This key was encrypted with another encryption key. Enter it again, or put the old "
            "encryption key back into ZERG_ENCRYPTION_KEYS.",
        ) from error


def new_token(prefix: str) -> str:
    """A random credential with 256 bits, recognisable by its prefix in leak scanners."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    """What is stored of a token. A plain hash is enough: a token has 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
