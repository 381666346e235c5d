from __future__ import annotations

import openai
import pytest
from aiohttp import web

from engine import Limits, ModelError, make_client
from engine.listing import headers_for, list_models
from tests.engine.conftest import KEY
from tests.fakellm import FakeLLM


async def test_a_provider_is_asked_for_its_models_in_its_own_order(fake: FakeLLM) -> None:
    client = make_client(fake.url, KEY)
    assert await list_models(client, provider_name="Fakeworks", limits=Limits()) == ["fake-1", "fake-2", "fake-small"]
    await client.close()


async def test_a_refused_key_is_told_without_repeating_it(fake: FakeLLM) -> None:
    fake.key = "sk-another-0123456789"
    client = make_client(fake.url, KEY)
    with pytest.raises(ModelError, match="Fakeworks refused the API key") as refusal:
        await list_models(client, provider_name="Fakeworks", limits=Limits())
    assert refusal.value.code == "refused_key"
    assert KEY not in refusal.value.message + refusal.value.detail
    await client.close()


async def test_a_server_that_is_not_there_is_unreachable_and_no_timeout() -> None:
    client = make_client("http://127.0.0.1:1/v1", KEY)
    with pytest.raises(ModelError) as refusal:
        await list_models(client, provider_name="Fakeworks", limits=Limits())
    assert refusal.value.code == "unreachable"
    await client.close()


async def test_anthropic_s_list_gets_its_key_in_its_own_header_and_in_no_other() -> None:
    seen: list[dict[str, str]] = []

    async def models(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.json_response({"data": [{"id": "claude", "type": "model"}], "has_more": False})

    app = web.Application()
    app.add_routes([web.get("/v1/models", models)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    theirs = make_client("https://api.anthropic.com/v1", KEY)
    client = make_client(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", KEY)
    page = await client.models.list(extra_headers=headers_for(theirs))
    assert [model.id for model in page.data] == ["claude"]
    assert seen[0]["x-api-key"] == KEY
    assert seen[0]["anthropic-version"]
    assert "Authorization" not in seen[0]
    assert headers_for(client) == {}
    assert isinstance(headers_for(theirs)["Authorization"], openai.Omit)
    for each in (client, theirs):
        await each.close()
    await runner.cleanup()
