"""Reads the environment: plain values, values from files, generated secrets, database addresses."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """The variable ``name``, or the content of the file that ``name_FILE`` points to, or ``default``."""
    value = os.environ.get(name)
    if value:
        return value.strip()
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE points to {path}, which cannot be read: {error}") from error
    return default


def flag(name: str) -> bool:
    """True for 1, true, yes or on."""
    return text(name).lower() in {"1", "true", "yes", "on"}


def number(name: str, default: float, *, least: float, most: float) -> float:
    """A number between ``least`` and ``most``; anything else is refused with a sentence."""
    raw = text(name, str(default))
    try:
        value = float(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {raw!r}.") from error
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} must be between {least:g} and {most:g}, not {raw}.")
    return value


def words(name: str) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def secret(name: str, path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
    """The variable ``name``; else the secret kept in ``path``, which is made on first use with mode 0600."""
    value = text(name)
    if value:
        return value
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # O_EXCL: of two processes that start together, one makes the file and the other reads it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _settled_content(path)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        value = make()
        file.write(value)
    return value


def _settled_content(path: Path) -> str:
    # The other process may stand between creating the file and filling it: that gap is microseconds.
    for _ in range(10_000):
        value = path.read_text(encoding="utf-8").strip()
        if value:
            return value
    raise ImproperlyConfigured(f"{path} is empty. Remove it, or put the secret into it.")


def database(url: str, data_dir: Path) -> dict[str, object]:
    """Django's settings for ``url`` (``postgres://…`` or ``sqlite:///path``); SQLite in ``data_dir`` when empty."""
    parts = urlsplit(url)
    if not url or parts.scheme == "sqlite":
        return _sqlite(Path(parts.path) if parts.path else data_dir / "zerg.sqlite3")
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must begin with postgres://, not {parts.scheme}://.")
    query = dict(parse_qsl(parts.query))
    host = query.pop("host", parts.hostname or "")
    threshold = query.pop("prepare_threshold", "1")
    if threshold != "none" and not threshold.isdecimal():
        raise ImproperlyConfigured(f"DATABASE_URL: prepare_threshold is a number or “none”, not “{threshold}”.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **query,
            # Statements that come again and again are planned once (common/prepared.py). A pooler that gives each
            # transaction another connection, and knows nothing of prepared statements, needs "none".
            "prepare_threshold": None if threshold == "none" else int(threshold),
            # Requests and sockets run in many short-lived threads: they borrow connections instead of making them.
            "pool": {"min_size": 1, "max_size": 32, "timeout": 20},
            "options": "-c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000",
        },
    }


def _sqlite(path: Path) -> dict[str, object]:
    return {
        "ENGINE": "common.sqlite",
        "NAME": path,
        # By its name for Django's own backend alone, pytest-django knows that each of several processes has its own.
        "TEST": {"NAME": ":memory:"},
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # A deferred transaction that turns to writing fails at once, whatever the timeout: take the lock first.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
                "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16000;"
            ),
        },
    }


@dataclass(frozen=True)
class Mail:
    """How e-mail is sent, in the words of Django's settings. Without a ``backend`` none is sent."""

    backend: str = ""
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    tls: bool = False
    ssl: bool = False
    folder: str = ""


BACKENDS = {"smtp": "smtp", "smtps": "smtp", "console": "console", "file": "filebased"}


def mail(url: str) -> Mail:
    """What ``smtp://user:password@host:587/?tls=1``, ``smtps://…``, ``console:`` or ``file:///folder`` means."""
    if not url:
        return Mail()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_smtp = parts.scheme in {"smtp", "smtps"}
    if parts.scheme not in BACKENDS or (is_smtp and not parts.hostname) or (parts.scheme == "file" and not parts.path):
        # Without the text itself: there is a password in it.
        raise ImproperlyConfigured("ZERG_EMAIL_URL must look like smtp://user:password@host:587/?tls=1.")
    tls = parse_qs(parts.query).get("tls", ["0"])[-1].lower() in {"1", "true", "yes", "on"}
    return Mail(
        backend=f"django.core.mail.backends.{BACKENDS[parts.scheme]}.EmailBackend",
        host=parts.hostname or "",
        port=port or (465 if parts.scheme == "smtps" else 587 if tls else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls and parts.scheme == "smtp",
        ssl=parts.scheme == "smtps",
        folder=unquote(parts.path),
    )
