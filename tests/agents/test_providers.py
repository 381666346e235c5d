from __future__ import annotations

import time
from typing import Any

import pytest

from accounts.models import User
from agents.catalog import providers_for
from agents.models import Agent, LanguageModel, Provider
from tests.agents.conftest import KEY
from tests.conftest import ClientOf
from tests.fakellm import FakeLLM

NEW = "/settings/models/new/"


@pytest.fixture
def chief(owner: User) -> User:
    """The owner as an administrator: may name private addresses, such as the fake server's."""
    owner.is_staff = True
    owner.save()
    return owner


def form(server: FakeLLM, **changes: str) -> dict[str, str]:
    return {"name": "Fakeworks", "base_url": server.url, "default_model": "", "key": KEY, **changes}


def test_a_right_key_is_told_at_once_and_its_models_are_offered(
    client_of: ClientOf, chief: User, model_server: FakeLLM
) -> None:
    client = client_of(chief)
    answer = client.post(NEW, form(model_server))
    assert answer.status_code == 303
    page = client.get("/settings/models/").text
    assert "Fakeworks works: it offers 3 models." in page
    assert "3 models" in page
    assert "Default" in page
    assert 'value="fake-1"' in client.get("/agents/new/").text


def test_a_wrong_key_is_told_in_words_within_five_seconds_and_is_kept_to_be_fixed(
    client_of: ClientOf, chief: User, model_server: FakeLLM
) -> None:
    client = client_of(chief)
    began = time.monotonic()
    client.post(NEW, form(model_server, key="sk-wrong-9876543210"))
    assert time.monotonic() - began < 5
    page = client.get("/settings/models/").text
    assert "Fakeworks refused the API key" in page
    assert "Fix the key" in page
    assert "sk-wrong" not in page


def test_the_test_button_answers_in_its_place(client_of: ClientOf, chief: User, model_server: FakeLLM) -> None:
    client = client_of(chief)
    client.post(NEW, form(model_server))
    provider = Provider.objects.get()
    path = f"/settings/models/{provider.pk}/test/"
    said = client.post(path, headers={"HX-Request": "true"})
    assert "it offers 3 models" in said.text
    assert "<html" not in said.text
    provider.set_key("sk-wrong-9876543210")
    provider.save()
    assert "refused the API key" in client.post(path, headers={"HX-Request": "true"}).text
    without_script = client.post(path, follow=True)
    assert "refused the API key" in without_script.text


def test_a_server_that_is_not_there_is_told_in_words(client_of: ClientOf, chief: User) -> None:
    client = client_of(chief)
    client.post(NEW, {"name": "Nobody", "base_url": "http://127.0.0.1:1/v1", "key": ""})
    page = client.get("/settings/models/").text
    assert "Does not work" in page
    assert "Nobody" in Provider.objects.get().last_error


def test_only_an_administrator_may_name_a_private_address(
    client_of: ClientOf, owner: User, model_server: FakeLLM
) -> None:
    client = client_of(owner)
    client.post(NEW, form(model_server))
    provider = Provider.objects.get()
    assert "not on the open internet" in provider.last_error
    assert not provider.private_allowed


def test_no_page_shows_a_key_but_its_end(client_of: ClientOf, chief: User, model_server: FakeLLM) -> None:
    client = client_of(chief)
    client.post(NEW, form(model_server))
    pk = Provider.objects.get().pk
    for path in ("/settings/models/", f"/settings/models/{pk}/", f"/settings/models/{pk}/remove/"):
        page = client.get(path).text
        assert KEY not in page
        assert KEY[:8] not in page
    assert KEY[-4:] in client.get("/settings/models/").text
    refused = client.post(f"/settings/models/{pk}/", form(model_server, name="", key="sk-typed-0123456789"))
    assert refused.status_code == 422
    assert "sk-typed" not in refused.text
    assert KEY not in str(list(Provider.objects.values()))


def test_an_empty_key_keeps_the_one_there_is_until_it_is_removed(
    client_of: ClientOf, chief: User, model_server: FakeLLM
) -> None:
    client = client_of(chief)
    client.post(NEW, form(model_server))
    path = f"/settings/models/{Provider.objects.get().pk}/"
    client.post(path, form(model_server, key="", name="Renamed"))
    provider = Provider.objects.get()
    assert (provider.name, provider.endpoint()[1]) == ("Renamed", KEY)
    client.post(path, form(model_server, key="", forget_key="on"))
    assert Provider.objects.get().endpoint()[1] == ""


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("api.example.com/v1", "whole address"),
        ("ftp://example.com/v1", "whole address"),
        ("https://", "whole address"),
        ("https://me:key@example.com/v1", "out of the address"),
        ("https://example.com/v1?key=1", "Leave out"),
    ],
)
def test_an_address_that_is_none_is_refused(client_of: ClientOf, owner: User, address: str, sentence: str) -> None:
    answer = client_of(owner).post(NEW, {"name": "X", "base_url": address, "key": ""})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert not Provider.objects.exists()


def test_a_container_s_one_word_name_and_the_address_of_the_call_itself_are_understood(
    client_of: ClientOf, owner: User
) -> None:
    client_of(owner).post(NEW, {"name": "X", "base_url": "http://ollama:1/v1/chat/completions", "key": ""})
    assert Provider.objects.get().base_url == "http://ollama:1/v1"


def test_presets_fill_in_the_address(client_of: ClientOf, owner: User) -> None:
    page = client_of(owner).get(f"{NEW}?preset=openrouter").text
    assert 'value="https://openrouter.ai/api/v1"' in page
    assert "Add OpenRouter" in page


def add(owner: User, name: str, *models: str, **fields: Any) -> Provider:
    values = {"workspace": owner.home_workspace(), "base_url": "https://x.example/v1", **fields}
    provider = Provider.objects.create(name=name, **values)
    for model in models:
        LanguageModel.objects.create(provider=provider, name=model)
    return provider


def test_the_chosen_provider_is_the_default_and_the_only_one(client_of: ClientOf, owner: User) -> None:
    first, second = add(owner, "First", "one"), add(owner, "Second", "two")
    client = client_of(owner)
    assert "one at First" in client.get("/settings/models/").text
    client.post(f"/settings/models/{second.pk}/default/")
    assert "two at Second" in client.get("/settings/models/").text
    client.post(f"/settings/models/{first.pk}/default/")
    assert [row.name for row in providers_for(owner.home_workspace().pk)] == ["First", "Second"]
    assert list(Provider.objects.filter(preferred=True)) == [first]


def test_its_default_model_is_the_one_that_was_named(client_of: ClientOf, owner: User) -> None:
    provider = add(owner, "First", "one", "two", default_model="two")
    assert "two at First" in client_of(owner).get("/settings/models/").text
    assert provider.default_model == "two"


def test_a_provider_that_is_off_serves_nobody(client_of: ClientOf, owner: User) -> None:
    provider = add(owner, "First", "one")
    client = client_of(owner)
    client.post(f"/settings/models/{provider.pk}/switch/", {"enabled": "0"})
    assert not providers_for(owner.home_workspace().pk)
    client.post(f"/settings/models/{provider.pk}/switch/", {"enabled": "1"})
    assert list(providers_for(owner.home_workspace().pk)) == [provider]


def test_removing_says_which_agents_stop_and_which_go_on_with_another(
    client_of: ClientOf, owner: User, agent: Agent
) -> None:
    leaving = add(owner, "Leaving", "one")
    client = client_of(owner)
    page = client.get(f"/settings/models/{leaving.pk}/remove/").text
    assert page.index("agents stop") < page.index(f"/agents/{agent.pk}/edit/")
    add(owner, "Staying", "other")
    page = client.get(f"/settings/models/{leaving.pk}/remove/").text
    assert "agents stop" not in page
    assert "other at Staying" in page
    client.post(f"/settings/models/{leaving.pk}/remove/")
    assert [row.name for row in Provider.objects.all()] == ["Staying"]


def test_what_is_built_in_is_turned_off_instead_of_removed(client_of: ClientOf, chief: User, settings: Any) -> None:
    settings.LOCAL_MODEL_URL = "http://127.0.0.1:1/v1"
    local = add(chief, "Tiny", workspace=None, kind=Provider.Kind.LOCAL)
    answer = client_of(chief).post(f"/settings/models/{local.pk}/remove/")
    assert answer.status_code == 422
    assert "Turn it off instead" in answer.text
    page = client_of(chief).get(f"/settings/models/{local.pk}/").text
    assert 'name="key"' not in page
    assert 'name="base_url"' not in page


def test_the_list_takes_no_query_per_provider(
    client_of: ClientOf, owner: User, agent: Agent, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        add(owner, f"P{number}", "a", "b")
    client = client_of(owner)
    with django_assert_max_num_queries(14):
        client.get("/settings/models/")
