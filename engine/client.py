"""The HTTP client of a provider: made once per process and key, never per run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    import openai

NO_KEY = "no-key-needed"

ConnectorFactory = Callable[[], aiohttp.BaseConnector]


def make_client(
    base_url: str, api_key: str, *, connector_factory: ConnectorFactory | None = None
) -> openai.AsyncOpenAI:
    """A client that retries nothing, follows no redirect and reads no proxy, key or header from the
    environment.

    `base_url` ends in /v1 with most providers. `api_key` may be empty: no Authorization header is sent then.
    `connector_factory` decides where connections may go (egress rules); it is called once, at the first
    request, in the event loop that makes it. Importing openai takes about 0.9 s: import it when the process
    starts.
    """
    import httpx2
    import openai
    from openai._vendor.httpx_aiohttp import AiohttpTransport

    tls = httpx2.create_ssl_context(trust_env=False)

    def open_session() -> aiohttp.ClientSession:
        # No limit here: how many runs go on at once is decided by the worker.
        connect = connector_factory or partial(aiohttp.TCPConnector, limit=0, ssl=tls)
        return aiohttp.ClientSession(
            connector=connect(), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False
        )

    async def without_key(request: httpx2.Request) -> None:
        request.headers.pop("Authorization", None)

    transport = AiohttpTransport(verify=tls, trust_env=False, client=open_session)
    client = openai.AsyncOpenAI(
        base_url=base_url,
        # openai sends nothing without a key; local servers have none.
        api_key=api_key or NO_KEY,
        max_retries=0,
        http_client=httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            # A proxy that compresses a stream holds it back until there is enough to compress.
            headers={"Accept-Encoding": "identity"},
            event_hooks={"request": [] if api_key else [without_key]},
        ),
    )
    # openai reads these from OPENAI_* variables, and would send one provider's secrets to another's server.
    client.organization = None
    client.project = None
    client.admin_api_key = None
    client._custom_headers = {}
    # Imports what the first request would import in the middle of an event loop: 0.5 s.
    _ = client.chat.completions.with_streaming_response
    return client
