from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.models import SignInLink, SignInTry, User
from common.errors import ZergError
from tests.conftest import PASSWORD, ClientOf


def try_password(client: Client, password: str, email: str = "owner@example.com", **fields: str) -> int:
    return client.post("/sign-in/", {"email": email, "password": password, **fields}).status_code


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_right_password_signs_in_and_leads_home(client: Client, owner: User) -> None:
    answer = client.post("/sign-in/", {"email": "Owner@Example.com", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (303, "/")
    assert is_signed_in(client)


def test_a_wrong_password_says_so_and_does_not_tell_who_exists(client: Client, owner: User) -> None:
    wrong = client.post("/sign-in/", {"email": "owner@example.com", "password": "no"})
    nobody = client.post("/sign-in/", {"email": "nobody@example.com", "password": "no"})
    assert (wrong.status_code, nobody.status_code) == (422, 422)
    sentence = "do not belong together"
    assert sentence in wrong.text
    assert sentence in nobody.text


def test_somebody_switched_off_cannot_sign_in(client: Client, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert try_password(client, PASSWORD) == 422
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    ("target", "led_to"),
    [
        ("/agents/new/?x=1", "/agents/new/?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_next_is_followed_only_inside_this_site(client: Client, owner: User, target: str, led_to: str) -> None:
    answer = client.post("/sign-in/", {"email": "owner@example.com", "password": PASSWORD, "next": target})
    assert answer["Location"] == led_to


def test_who_is_signed_in_already_is_led_on(client_of: ClientOf, owner: User) -> None:
    assert client_of(owner).get("/sign-in/?next=/agents/")["Location"] == "/agents/"


def test_the_eleventh_try_in_a_quarter_of_an_hour_is_refused_even_with_the_right_password(
    client: Client, owner: User
) -> None:
    for _ in range(10):
        assert try_password(client, "no") == 422
    assert try_password(client, PASSWORD) == 429
    assert not is_signed_in(client)
    assert try_password(client, PASSWORD, email="stranger@example.com") == 422, "others are not held up"
    SignInTry.objects.update(tried_at=timezone.now() - timedelta(minutes=16))
    assert try_password(client, PASSWORD) == 303
    assert not SignInTry.objects.exists(), "old tries are not kept"


def test_the_right_password_begins_the_count_anew(client: Client, owner: User) -> None:
    for _ in range(9):
        try_password(client, "no")
    assert try_password(client, PASSWORD) == 303
    client.post("/sign-out/")
    for _ in range(10):
        assert try_password(client, "no") == 422


def test_addresses_of_one_ipv6_network_count_together(owner: User) -> None:
    for number in range(10):
        services.note_try("owner@example.com", f"2001:db8:1:1::{number:x}")
    with pytest.raises(ZergError):
        services.note_try("OWNER@example.com ", "2001:db8:1:1:ffff::1")
    services.note_try("owner@example.com", "2001:db8:1:2::1")


def test_signing_out_takes_a_post(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert not is_signed_in(client)


def test_a_link_signs_in_once_and_says_when_it_was_used(client: Client, owner: User) -> None:
    path = services.make_sign_in_link(owner)
    assert client.get(path)["Location"] == "/"
    assert is_signed_in(client)
    again = Client().get(path)
    assert again.status_code == 410
    assert "already used" in again.text
    assert "./zerg up" in again.text


def test_a_link_is_over_after_a_day(client: Client, owner: User) -> None:
    path = services.make_sign_in_link(owner)
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = client.get(path)
    assert answer.status_code == 410
    assert "is over" in answer.text
    assert not is_signed_in(client)


def test_an_unknown_link_and_one_of_somebody_switched_off_do_not_sign_in(client: Client, owner: User) -> None:
    assert client.get("/sign-in/once/once_guess/").status_code == 410
    path = services.make_sign_in_link(owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert client.get(path).status_code == 410
    assert not is_signed_in(client)


def test_only_the_digest_of_a_link_is_kept(owner: User) -> None:
    token = services.make_sign_in_link(owner).split("/")[-2]
    assert token not in str(list(SignInLink.objects.values()))
