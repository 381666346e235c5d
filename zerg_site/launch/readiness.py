"""Asks the web whether everything is ready, and which part is down when it is not."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

ASK_TIMEOUT = 2.0  # seconds
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Readiness:
    ready: bool
    why: str = ""


def ask(host: str, port: int, origin: str) -> Readiness:
    """One question to /readyz, in the words of the origin that people use."""
    status, body = _get(host, port, "/readyz", urlsplit(origin).netloc)
    if status == 200:
        return Readiness(True)
    return Readiness(False, _parts_down(status, body) if status else "web does not answer yet")


def model_is_loaded(port: int) -> bool:
    status, _ = _get(LOOPBACK, port, "/health", LOOPBACK)
    return status == 200


def _get(host: str, port: int, path: str, name: str) -> tuple[int, bytes]:
    """(status, body); the status is 0 when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": name})
        response = connection.getresponse()
        return response.status, response.read(20_000)
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _parts_down(status: int, body: bytes) -> str:
    try:
        parts = json.loads(body)["parts"]
        down = [f"{name} is {state}" for name, state in parts.items() if state != "ok"]
    except (ValueError, TypeError, LookupError, AttributeError):
        down = []  # not our own words: a middleware's, or an error page
    return "; ".join(down) or f"web answers {status} to /readyz"
