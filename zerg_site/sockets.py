"""What becomes of a handshake on an address without a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def closing_unknown_paths(application: Application) -> Application:
    """Refuses a handshake on an unknown path; the router alone would raise, and fill the log with tracebacks."""

    async def route(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await application(scope, receive, send)
        except ValueError as error:
            if not str(error).startswith("No route found"):
                raise
            await send({"type": "websocket.close", "code": 4404})

    return route
