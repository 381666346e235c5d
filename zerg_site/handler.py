"""Django behind ASGI, each request in one of a fixed number of threads."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from common.database import DatabaseThreads

# More requests than this wait their turn: under overload Zerg slows, and its database sees no more than it can do.
REQUESTS_AT_ONCE = 16


class ThreadedHandler(ASGIHandler):
    """Runs middleware and view of a request in one go, in a thread that lives as long as the process.

    Django's own makes a thread for each request and hands the work to and fro between it and the event loop, with a
    new database connection every time: several milliseconds of each request. Bodies that stream are async iterators,
    and go on in the event loop.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = DatabaseThreads(REQUESTS_AT_ONCE, "request")
        for receiver in (
            close_old_connections,
            reset_queries,
        ):  # for other threads than ours, which see to it themselves
            request_started.disconnect(receiver)
            request_finished.disconnect(receiver)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.handle(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The response of the sync middleware and view, computed beside the loop."""
        return await self._threads(copy_context().run, self.get_response, request)
