from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import services
from accounts.models import SCOPES, ApiToken, User
from common.errors import ZergError
from tests.conftest import ClientOf


def test_a_token_is_its_persons_until_it_is_revoked(owner: User) -> None:
    token, text = services.create_token(owner, "laptop", ["agents:read"])
    assert services.authenticate_token(text) == (owner, token)
    assert services.authenticate_token(text[:-1]) is None
    assert services.authenticate_token("") is None
    services.revoke_token(token)
    assert services.authenticate_token(text) is None


def test_a_token_of_somebody_switched_off_is_void(owner: User) -> None:
    _, text = services.create_token(owner, "laptop")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert services.authenticate_token(text) is None


def test_the_last_use_is_noted_at_most_once_a_minute(owner: User) -> None:
    token, text = services.create_token(owner, "laptop")
    services.authenticate_token(text)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    services.authenticate_token(text)
    assert ApiToken.objects.get().last_used_at == first
    earlier = timezone.now() - timedelta(seconds=61)
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=earlier)
    services.authenticate_token(text)
    last = ApiToken.objects.get().last_used_at
    assert last is not None
    assert last > earlier


def test_a_scope_that_does_not_exist_is_refused_with_those_that_do(owner: User) -> None:
    with pytest.raises(ZergError, match="agents:read") as refusal:
        services.create_token(owner, "x", ["everything"])
    assert "scopes" in refusal.value.fields


def test_the_page_shows_a_new_token_once(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    page = client.post("/settings/tokens/", {"name": "laptop", "scopes": ["agents:read", "runs:write"]}).text
    text = re.findall(r"zerg_[\w-]{40,}", page)[0]
    found = services.authenticate_token(text)
    assert found is not None
    assert found[1].scopes == ["agents:read", "runs:write"]
    afterwards = client.get("/settings/tokens/").text
    assert text not in afterwards
    assert found[1].hint in afterwards


def test_a_token_needs_a_name_and_something_it_may_do(client_of: ClientOf, owner: User) -> None:
    answer = client_of(owner).post("/settings/tokens/", {"name": "", "scopes": []})
    assert answer.status_code == 422
    assert "Choose at least one thing" in answer.text
    assert not ApiToken.objects.exists()


def test_only_its_own_person_can_see_and_revoke_a_token(
    client_of: ClientOf, owner: User, member: User, stranger: User
) -> None:
    token, _ = services.create_token(owner, "the laptop of Olga")
    path = f"/settings/tokens/{token.pk}/revoke/"
    for person in (member, stranger):
        client = client_of(person)
        assert "the laptop" not in client.get("/settings/tokens/").text
        assert client.post(path).status_code == 404
    client = client_of(owner)
    assert client.post(path).status_code == 303
    assert "the laptop" in client.get("/settings/tokens/").text, "the note says what was revoked"
    assert "the laptop" not in client.get("/settings/tokens/").text


def printed_by_create_token(*arguments: str) -> str:
    out = StringIO()
    call_command("create_token", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_token_as_its_last_word(owner: User) -> None:
    text = printed_by_create_token("Owner@example.com", "--name", "CI", "--scopes", "agents:read, runs:write").split()[
        -1
    ]
    found = services.authenticate_token(text)
    assert found is not None
    assert (found[1].name, found[1].scopes) == ("CI", ["agents:read", "runs:write"])
    everything = services.authenticate_token(printed_by_create_token("owner@example.com").split()[-1])
    assert everything is not None
    assert everything[1].scopes == list(SCOPES)


def test_the_command_says_who_or_what_it_does_not_know(owner: User) -> None:
    with pytest.raises(CommandError, match=r"nobody@example\.com"):
        printed_by_create_token("nobody@example.com")
    with pytest.raises(CommandError, match="everything"):
        printed_by_create_token("owner@example.com", "--scopes", "everything")
