"""The first steps are read from what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from agents.models import Agent, LanguageModel, Provider
from agents.services import create_agent
from tests.agents.conftest import KEY
from tests.conftest import ClientOf
from tests.fakellm import FakeLLM
from threads.models import Thread
from threads.services import log_line
from triggers.services import create_schedule


def done(client: Client) -> list[str]:
    """The headings of the steps that are done."""
    page = client.get("/welcome/").text
    return re.findall(r'<li class="done"[^>]*><h2>([^<]*?)\s*<', page)


@pytest.fixture
def demo(settings: Any) -> Provider:
    settings.LOCAL_MODEL_URL = "http://127.0.0.1:1/v1"
    tiny = Provider.objects.create(kind=Provider.Kind.LOCAL, name="Tiny", base_url=settings.LOCAL_MODEL_URL)
    LanguageModel.objects.create(provider=tiny, name=settings.LOCAL_MODEL_NAME)
    return tiny


def test_each_step_is_done_when_it_is_and_undone_again(client_of: ClientOf, owner: User, demo: Provider) -> None:
    client = client_of(owner)
    assert done(client) == ["You are signed in"]
    real = Provider.objects.create(workspace=owner.home_workspace(), name="One", base_url="https://x.example/v1")
    assert done(client)[1:] == ["Connect a model"]
    agent = create_agent(workspace=owner.home_workspace(), author=owner, name="First")
    assert done(client)[2:] == ["Make your first agent"]
    client.post(f"/agents/{agent.pk}/threads/")
    assert len(done(client)) == 3, "nothing was said yet"
    log_line(Thread.objects.get(), role="assistant", content="Hello", author=owner)
    assert done(client)[3:] == ["Say hello"]
    create_schedule(agent, owner=owner, expression="0 7 * * *")
    assert done(client)[4:] == ["Put it on a schedule"]
    assert "You are set" in client.get("/welcome/").text
    real.last_error, real.last_checked_at = "One refused the key.", timezone.now()
    real.save()
    assert "Connect a model" not in done(client)
    assert "One refused the key." in client.get("/welcome/").text


def test_the_card_at_home_stays_until_all_is_done_or_it_is_put_off(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    client = client_of(owner)
    assert "2 of 4" in client.get("/").text
    assert client.post("/welcome/later/")["Location"] == "/"
    assert "first-steps" not in client.get("/").text
    assert "2 of 4" in client.get("/welcome/").text, "the list stays where it is"
    assert client_of(User.objects.create_user("new@example.com")).get("/").text.count('id="first-steps"') == 1


def test_a_trial_is_no_first_agent_and_no_hello(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    client.post("/agents/try/", {"say": "Hello", "max_steps": 5, "memory_strategy": "buffer", "memory_window": 5})
    assert Thread.objects.count() == 1
    assert done(client) == ["You are signed in"]


def test_the_demo_model_is_tried_with_an_agent_that_speaks_with_it(
    client_of: ClientOf, owner: User, demo: Provider
) -> None:
    client = client_of(owner)
    place = client.post("/welcome/demo/")["Location"]
    assert re.search(r">\s*Hello! What can you do for me\?</textarea>", client.get(place).text)
    agent = Agent.objects.get()
    client.post("/welcome/demo/")
    assert Agent.objects.get() == agent, "it is there already"
    assert Thread.objects.filter(agent=agent).count() == 2


def test_without_the_demo_model_it_is_not_offered(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert "demo model" not in client.get("/welcome/").text
    answer = client.post("/welcome/demo/")
    assert answer.status_code == 422
    assert "Connect a model instead" in answer.text


def test_hello_is_typed_already(client_of: ClientOf, owner: User, agent: Agent) -> None:
    client = client_of(owner)
    place = client.post(f"/agents/{agent.pk}/threads/", {"say": "Hi <there>"})["Location"]
    assert re.search(r">\s*Hi &lt;there&gt;</textarea>", client.get(place).text)


def test_a_key_connects_the_preset_and_a_wrong_one_is_fixed_in_place(
    client_of: ClientOf, owner: User, model_server: FakeLLM
) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    client = client_of(owner)
    page = client.get("/welcome/?preset=openai").text
    assert 'value="https://api.openai.com/v1"' in page
    sent = {"name": "OpenAI", "base_url": model_server.url, "key": "sk-wrong-9876543210", "back": "welcome"}
    assert client.post("/settings/models/new/", sent)["Location"] == "/welcome/"
    page = client.get("/welcome/").text
    assert "OpenAI refused the API key" in page
    provider = Provider.objects.get()
    path = f"/settings/models/{provider.pk}/key/"
    assert f'action="{path}"' in page
    assert client.post(path, {"key": KEY, "back": "welcome"})["Location"] == "/welcome/"
    assert done(client) == ["You are signed in", "Connect a model"]
