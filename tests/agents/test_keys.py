"""Keys: tried before they are saved, replaced where they are shown, and known to work by the calls that were made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from agents.models import Agent, Provider
from agents.services import note_call
from tests.agents.conftest import KEY
from tests.conftest import ClientOf
from tests.fakellm import FakeLLM

TRY = "/settings/models/try/"


@pytest.fixture
def chief(owner: User) -> User:
    """The owner as an administrator: may name private addresses, such as the fake server's."""
    owner.is_staff = True
    owner.save()
    return owner


@pytest.fixture
def provider(chief: User, model_server: FakeLLM) -> Provider:
    row = Provider(workspace=chief.home_workspace(), name="Fakeworks", base_url=model_server.url, private_allowed=True)
    row.set_key("sk-old-0123456789")
    row.save()
    return row


def test_a_key_is_tried_before_anything_is_saved(client_of: ClientOf, chief: User, model_server: FakeLLM) -> None:
    client = client_of(chief)
    sent = {"name": "New", "base_url": model_server.url, "key": KEY}
    said = client.post(TRY, sent, headers={"HX-Request": "true"}).text
    assert "it offers 3 models" in said
    assert "Answered in " in said
    wrong = client.post(TRY, {**sent, "key": "sk-wrong-9876543210"}, headers={"HX-Request": "true"}).text
    assert "New refused the API key" in wrong
    assert "sk-wrong" not in wrong
    assert "Enter the whole address" in client.post(TRY, {**sent, "base_url": "x"}).text
    assert not Provider.objects.exists()


def test_a_try_of_a_stored_provider_uses_its_key_and_changes_nothing(
    client_of: ClientOf, chief: User, provider: Provider
) -> None:
    before = Provider.objects.values().get()
    sent = {"provider": provider.pk, "name": "Fakeworks", "base_url": provider.base_url, "key": ""}
    assert "refused the API key" in client_of(chief).post(TRY, sent).text
    assert "it offers 3 models" in client_of(chief).post(TRY, {**sent, "key": KEY}).text
    assert Provider.objects.values().get() == before


def test_a_stored_key_is_not_tried_on_an_address_that_somebody_else_typed(
    client_of: ClientOf, chief: User, member: User, stranger: User, provider: Provider, model_server: FakeLLM
) -> None:
    sent = {"provider": provider.pk, "name": "Fakeworks", "base_url": model_server.url + "/elsewhere", "key": ""}
    assert "not on the open internet" in client_of(member).post(TRY, sent).text
    assert client_of(stranger).post(TRY, sent).status_code == 404
    assert model_server.records == []


def test_a_new_key_goes_in_beside_the_old_ones_end_and_is_tested(
    client_of: ClientOf, chief: User, stranger: User, provider: Provider
) -> None:
    path = f"/settings/models/{provider.pk}/key/"
    assert client_of(stranger).post(path, {"key": KEY}).status_code == 404
    client = client_of(chief)
    client.post(path, {"key": "two words"})
    assert "A key has no spaces" in client.get("/settings/models/").text
    assert client.post(path, {"key": f" {KEY} "})["Location"] == "/settings/models/"
    page = client.get("/settings/models/").text
    assert "Fakeworks works: it offers 3 models." in page
    assert f"key ends in <code>{KEY[-4:]}</code>" in page
    assert KEY not in page


def test_fix_the_key_leads_to_the_one_that_is_refused_with_the_cursor_in_it(
    client_of: ClientOf, chief: User, provider: Provider
) -> None:
    client = client_of(chief)
    assert client.get("/settings/models/fix/")["Location"] == "/settings/models/"
    Provider.objects.update(last_error="Fakeworks refused the API key.", last_checked_at=timezone.now())
    place = client.get("/settings/models/fix/")["Location"]
    assert place == f"/settings/models/?focus={provider.pk}"
    assert f'id="key-{provider.pk}" type="password" name="key" required' in client.get(place).text
    assert "autofocus" in client.get(place).text
    assert "autofocus" not in client.get("/settings/models/").text


def test_the_list_says_who_uses_it_and_when_it_last_worked(
    client_of: ClientOf, chief: User, agent: Agent, provider: Provider
) -> None:
    Provider.objects.update(last_ok_at=timezone.now() - timedelta(hours=3))
    page = client_of(chief).get("/settings/models/").text
    assert "used by 1 agent" in page
    assert "Last worked" in page
    assert "3 h ago" in page


def test_calls_note_that_it_works_once_a_minute_and_why_it_does_not_at_once(provider: Provider) -> None:
    note_call(provider)
    first = Provider.objects.get().last_ok_at
    note_call(Provider.objects.get())
    assert Provider.objects.get().last_ok_at == first
    note_call(provider, "Refused.")
    assert Provider.objects.get().last_error == "Refused."
    note_call(Provider.objects.get())
    assert Provider.objects.get().last_error == ""
    Provider.objects.update(last_ok_at=timezone.now() - timedelta(minutes=2))
    note_call(Provider.objects.get())
    assert Provider.objects.filter(last_ok_at__gt=timezone.now() - timedelta(minutes=1)).exists()
