"""Asks the web whether everything is ready, and which part is down when it is not."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

ASK_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True)
class Readiness:
    ready: bool
    why: str = ""


def ask(host: str, port: int, origin: str) -> Readiness:
    """One question to /readyz, in the words of the origin that people use."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_TIMEOUT)
    try:
        connection.request("GET", "/readyz", headers={"Host": urlsplit(origin).netloc})
        response = connection.getresponse()
        body = response.read(20_000)
    except (OSError, http.client.HTTPException):
        return Readiness(False, "web does not answer yet")
    finally:
        connection.close()
    return Readiness(response.status == 200, "" if response.status == 200 else _parts_down(response.status, body))


def _parts_down(status: int, body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return f"web answers {status} to /readyz"
    parts = answer.get("parts", answer) if isinstance(answer, dict) else {}
    down = [f"{name}: {state}" for name, state in parts.items() if state not in ("ok", True)] if parts else []
    return "; ".join(down) or f"web answers {status} to /readyz"
