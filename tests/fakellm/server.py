"""The server itself: routes, records of what was asked and sent, and the writing of streams."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, Self

from aiohttp import web

from tests.fakellm.plan import Asked, last_user_text
from tests.fakellm.scripts import describe, failure, plan_for
from tests.fakellm.streams import Record, send_stream, send_whole

MODELS = ("fake-1", "fake-2", "fake-small")
MISSING_MODEL = "missing-model"


class FakeLLM:
    """The server in this event loop. `url` is the base URL for clients; `records` what was asked, in
    order."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, key: str = "") -> None:
        self.host = host
        self.port = port
        self.key = key
        self.records: list[Record] = []
        self._asked: Counter[str] = Counter()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._chat),
                web.get("/_requests", self._requests),
                web.get("/_sent/{n}", self._sent),
                web.post("/_reset", self._reset),
                web.get("/_scripts", self._scripts),
            ]
        )
        # With handler_cancellation a client that leaves is noticed at once, also while nothing is written.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _key_of(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()

    def _refusal(self, request: web.Request) -> web.Response | None:
        key = self._key_of(request)
        if key != "bad-key" and (not self.key or key == self.key):
            return None
        message = f"Incorrect API key provided: {key}." if key else "You didn't provide an API key."
        return web.json_response(failure(401, message, "invalid_api_key").error, status=401)

    async def _models(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in MODELS]
        return web.json_response({"object": "list", "data": models})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
        record = Record(number=len(self.records), body=body, headers=headers, time=time.time())
        self.records.append(record)
        refusal = self._refusal(request)
        if refusal is not None:
            record.status = 401
            return refusal
        try:
            return await self._answer(request, record)
        except (asyncio.CancelledError, ConnectionError):
            record.disconnected = not record.broken_off
            raise
        finally:
            record.finished = time.time()

    async def _answer(self, request: web.Request, record: Record) -> web.StreamResponse:
        text, results = last_user_text(record.body.get("messages", []))
        asked = Asked(text, results, self._key_of(request), record.body, self._asked[text])
        if not results:
            self._asked[text] += 1
        plan = plan_for(asked)
        if record.body.get("model") == MISSING_MODEL:
            plan = failure(404, f"The model `{MISSING_MODEL}` does not exist.", "model_not_found")
        record.status = plan.status
        if plan.without_headers:
            await asyncio.Event().wait()
        if plan.status != 200:
            return web.json_response(plan.error, status=plan.status, headers=plan.headers)
        if isinstance(plan.error, str):
            return web.Response(text=plan.error, content_type="text/html")
        if plan.whole_body or not record.body.get("stream"):
            return await send_whole(plan, record)
        return await send_stream(request, plan, record)

    async def _requests(self, request: web.Request) -> web.Response:
        return web.json_response([record.as_json() for record in self.records])

    async def _sent(self, request: web.Request) -> web.Response:
        number = request.match_info["n"]
        if not number.isdigit() or int(number) >= len(self.records):
            raise web.HTTPNotFound(text="There was no such request.")
        return web.Response(text=self.records[int(number)].sent)

    async def _reset(self, request: web.Request) -> web.Response:
        self.records.clear()
        self._asked.clear()
        return web.json_response({})

    async def _scripts(self, request: web.Request) -> web.Response:
        return web.json_response(describe())
