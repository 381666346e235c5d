"""What the server of sockets is told: addresses that do not exist, and how large a frame may be."""

from __future__ import annotations

import sys
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


def bound_frames(most: int) -> None:
    """Has daphne refuse messages of more than ``most`` bytes by their headers, with 1009, before they are in memory.

    The application could not: autobahn lets it close with 1000 and 3000 to 4999 only. And autobahn holds what is sent
    to the limit of what may come, so that a long thread's history would end its socket. Other servers have options.
    """
    daphne: Any = sys.modules.get("daphne.ws_protocol")
    if daphne is None:
        return

    class Bounded(daphne.WebSocketProtocol):  # type: ignore[misc]
        def onOpen(self) -> None:
            self.maxMessagePayloadSize = self.maxFramePayloadSize = most
            self.failByDrop = False  # a client that is only cut off does not hear why
            super().onOpen()

        def sendMessage(self, *args: Any, **kwargs: Any) -> None:
            self.maxMessagePayloadSize = 0
            try:
                super().sendMessage(*args, **kwargs)
            finally:
                self.maxMessagePayloadSize = most

    daphne.WebSocketFactory.protocol = Bounded
