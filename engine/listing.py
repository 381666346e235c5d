"""Which models a provider offers: the check that a key works, at no cost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import aiohttp

from engine.failures import Failures
from engine.limits import Limits

if TYPE_CHECKING:
    import openai

LISTING_SECONDS = 10.0


async def list_models(client: openai.AsyncOpenAI, *, provider_name: str, limits: Limits) -> list[str]:
    """The names of the provider's models, in its own order. Raises ModelError with the true reason when it refuses."""
    import httpx2
    import openai

    failures = Failures(
        provider=provider_name,
        model="its list of models",
        base_url=str(client.base_url).rstrip("/"),
        key=client.api_key,
    )
    seconds = min(limits.first_byte, LISTING_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            # Reads are bounded by the line above. What openai calls a timeout may be a refused connection.
            page = await client.models.list(
                timeout=httpx2.Timeout(None, connect=limits.connect, pool=limits.connect),
                extra_headers=headers_for(client),
            )
    except TimeoutError as error:
        raise failures.timeout("timeout_first_byte", seconds) from error
    except openai.APIStatusError as error:
        raise failures.from_status(error.status_code, error.response.headers, error.response.text) from error
    except (openai.APIConnectionError, aiohttp.ClientError, OSError) as error:
        raise failures.from_connection(error, limits.connect) from error
    except (openai.OpenAIError, ValueError) as error:
        raise failures.page_instead(str(error)) from error
    return [model.id for model in page.data or [] if isinstance(getattr(model, "id", None), str)]


def headers_for(client: openai.AsyncOpenAI) -> Mapping[str, str | openai.Omit]:
    """What a server wants to be sent beside the key. Anthropic's list of models, unlike its chat, is not spoken to in
    OpenAI's way: it refuses a right key that comes as a bearer token (docs.anthropic.com, "List Models")."""
    import openai

    if client.base_url.host != "api.anthropic.com":
        return {}
    return {"x-api-key": client.api_key, "anthropic-version": "2023-06-01", "Authorization": openai.Omit()}
