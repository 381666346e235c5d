"""Settings, Notices: webhooks that Zerg calls, what was sent, and whether there is e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from accounts.models import User
from common.crypto import decrypt
from runs.models import Delivery, OutgoingHook
from runs.outgoing import MOST, add_hook
from tests.conftest import ClientOf
from tests.runs.receiver import Receiver, listening
from tests.runs.unattended import ran
from threads.models import Thread
from zerg_site import env

HOOKS = "/settings/notices/webhooks"
SENT = "/settings/notices/sent"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with listening() as receiver:
        yield receiver


@pytest.fixture
def browser(client_of: ClientOf, owner: User) -> Client:
    return client_of(owner)


def test_a_webhook_is_added_and_its_secret_shown_once(browser: Client, receiver: Receiver) -> None:
    assert "Add a webhook" in browser.get("/settings/notices/").text
    answer = browser.post(f"{HOOKS}/new/", {"name": "Status board", "url": receiver.url})
    hook = OutgoingHook.objects.get()
    secret = decrypt(hook.secret_encrypted)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert answer.text.count(secret) == 2, "as text and on the button that copies it"
    assert "no-store" in answer["Cache-Control"]
    for page in ("/settings/notices/", f"{HOOKS}/{hook.pk}/", f"{SENT}/"):
        text = browser.get(page).text
        assert secret.removeprefix("whsec_")[:-4] not in text
    again = browser.post(f"{HOOKS}/{hook.pk}/new-secret/")
    assert decrypt(OutgoingHook.objects.get().secret_encrypted) in again.text
    assert secret not in again.text


@pytest.mark.parametrize(
    "url",
    ["", "example.org/x", "ftp://example.org/", "https://me:key@example.org/", "http://", "http://a b/", "x" * 9000],
)
def test_an_address_that_is_none_is_refused_where_it_was_typed(browser: Client, url: str) -> None:
    answer = browser.post(f"{HOOKS}/new/", {"name": "Board", "url": url})
    assert answer.status_code == 422
    assert 'id="id_url_error"' in answer.text
    assert not OutgoingHook.objects.exists()


def test_a_person_has_so_many_webhooks_and_no_more(browser: Client, owner: User) -> None:
    for number in range(MOST):
        add_hook(owner, name=f"Board {number}", url="https://example.org/")
    answer = browser.post(f"{HOOKS}/new/", {"name": "Board", "url": "https://example.org/"})
    assert answer.status_code == 422
    assert f"You have {MOST} webhooks" in answer.text


def test_a_webhook_is_tried_renamed_switched_and_removed(browser: Client, owner: User, receiver: Receiver) -> None:
    hook, _ = add_hook(owner, name="Status board", url=receiver.url)
    place = f"{HOOKS}/{hook.pk}"
    assert "Status board works: it answered 204." in browser.post(f"{place}/test/", follow=True).text
    receiver.statuses = [500]
    page = browser.post(f"{place}/test/", follow=True).text
    assert "The test did not arrive. It answered 500." in page
    assert "Retry now" not in page, "a test is made anew"
    assert browser.post(f"{place}/", {"name": "", "url": receiver.url}).status_code == 422
    assert browser.post(f"{place}/", {"name": "Wall", "url": receiver.url}).status_code == 303
    assert "Wall is off." in browser.post(f"{place}/switch/", {"enabled": "0"}, follow=True).text
    assert "Turn on" in browser.get(f"{place}/").text
    assert "Wall is on." in browser.post(f"{place}/switch/", {"enabled": "1"}, follow=True).text
    assert "Remove Wall?" in browser.get(f"{place}/remove/").text
    assert "Wall and its secret are removed." in browser.post(f"{place}/remove/", follow=True).text
    assert not OutgoingHook.objects.exists()
    assert "to a webhook that was removed" in browser.get(f"{SENT}/").text


def test_the_log_says_what_became_of_each_and_sends_again(
    browser: Client, owner: User, thread: Thread, django_assert_max_num_queries: Any
) -> None:
    assert "Nothing was sent yet" in browser.get(f"{SENT}/").text
    run = ran(thread, email=True)
    delivery = Delivery.objects.get()
    Delivery.objects.update(status="failed", next_try_at=None, tries=7, last_error="The mail server refused it.")
    values = {"owner": owner, "run": run, "way": "email", "target": owner.email, "status": "sent", "next_try_at": None}
    with django_assert_max_num_queries(6):
        page = browser.get(f"{SENT}/").text
    assert "The mail server refused it." in page
    assert f"by e-mail to {owner.email}" in page
    assert page.count("Retry now") == 1
    assert browser.post(f"{SENT}/{delivery.pk}/again/").status_code == 303
    delivery.refresh_from_db()
    assert (delivery.status, delivery.next_try_at is None) == ("waiting", False)
    Delivery.objects.bulk_create(Delivery(**values) for _ in range(60))
    with django_assert_max_num_queries(6):
        page = browser.get(f"{SENT}/").text
    assert page.count('id="dlv-') == 50
    assert 'rel="next"' in page
    refused = browser.post(f"{SENT}/{Delivery.objects.latest('pk').pk}/again/", headers={"Accept": "application/json"})
    assert refused.status_code == 409


@pytest.mark.parametrize("deed", ["", "test/", "new-secret/", "switch/", "remove/", "again/"])
def test_what_a_person_sends_outside_is_their_own(
    deed: str, client_of: ClientOf, owner: User, member: User, stranger: User, thread: Thread, receiver: Receiver
) -> None:
    hook, secret = add_hook(owner, name="Status board", url=receiver.url)
    ran(thread, hook_id=hook.pk)
    delivery = Delivery.objects.get()
    place = f"{SENT}/{delivery.pk}/{deed}" if deed == "again/" else f"{HOOKS}/{hook.pk}/{deed}"
    for person in (member, stranger):
        client = client_of(person)
        assert client.post(place, {"name": "Mine", "url": "https://example.org/"}).status_code == 404
        for page in ("/settings/notices/", f"{SENT}/"):
            text = client.get(page).text
            assert "Status board" not in text
            assert "dlv-" not in text
    assert receiver.got == []
    hook.refresh_from_db()
    assert (hook.name, hook.enabled, decrypt(hook.secret_encrypted)) == ("Status board", True, secret)
    assert client_of(owner).post(place, {"name": "Mine", "url": receiver.url}).status_code in (200, 303)


def test_the_page_says_whether_there_is_email(browser: Client, owner: User, settings: Any) -> None:
    assert "No e-mail is set up on this Zerg" in browser.get("/settings/notices/").text
    settings.EMAIL_IS_SET_UP = True
    page = browser.get("/settings/notices/").text
    assert "No e-mail is set up" not in page
    assert owner.email in page


def test_a_mail_server_is_named_by_an_address() -> None:
    assert not env.mail("").backend
    tls = env.mail("smtp://me%40example.org:pa%2Fss@mail.example.org:2525/?tls=1")
    assert (tls.host, tls.port, tls.user, tls.password) == ("mail.example.org", 2525, "me@example.org", "pa/ss")
    assert (tls.tls, tls.ssl) == (True, False)
    assert (env.mail("smtps://mail").port, env.mail("smtps://mail").ssl) == (465, True)
    assert (env.mail("smtp://mail").port, env.mail("smtp://mail/?tls=1").port) == (25, 587)
    assert env.mail("console:").backend.endswith("console.EmailBackend")
    assert env.mail("file:///tmp/letters").folder == "/tmp/letters"


@pytest.mark.parametrize(
    "url", ["mail.example.org", "smtp://", "imap://me:secret@x/", "file:", "smtp://me:secret@x:port/"]
)
def test_an_address_that_names_no_mail_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ZERG_EMAIL_URL must look like") as refusal:
        env.mail(url)
    assert "secret" not in str(refusal.value)
