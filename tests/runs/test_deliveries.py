"""What is told outside: written with a run's end, sent after it, signed, tried again, and never twice at once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import transaction
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.models import Membership, User
from agents.models import Agent
from common.crypto import decrypt
from common.errors import ZergError
from common.posting import ANSWER_BYTES
from runs import deliveries, records, states
from runs.deliveries import WAITS, Verdict, claim, send_again, settle
from runs.models import Delivery, OutgoingHook, Run
from runs.outgoing import add_hook, edit_hook, rotate_secret, switch_hook, try_hook
from runs.sender import MOST_AT_ONCE, Sender
from runs.sending import send_now
from runs.services import start_runs
from runs.starting import Start
from runs.tasks import prune
from runs.terms import Notify, Terms
from tests.runs.receiver import Receiver, listening
from tests.runs.unattended import BROKEN, DONE, STOPPED, ran
from tests.triggers.conftest import database_of_production  # noqa: F401 - a fixture
from threads.models import Thread
from threads.services import create_thread


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
def hook(owner: User, receiver: Receiver, settings: Any) -> OutgoingHook:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    return add_hook(owner, name="Status board", url=receiver.url)[0]


@pytest.fixture
def post_office(settings: Any) -> None:
    settings.EMAIL_IS_SET_UP = True


def send_due() -> list[Verdict]:
    """What a sender does, one after the other."""
    return [send_now(delivery) for delivery in claim(100, {})]


def only() -> Delivery:
    return Delivery.objects.get()


def test_a_run_that_ends_is_told_outside_by_the_same_policy_as_in_the_inbox(thread: Thread, hook: OutgoingHook) -> None:
    terms: dict[str, Any] = {"email": True, "hook_id": hook.pk, "notify": Notify.FOUND}
    ran(thread, nothing_new=True, **terms)
    ran(thread, ending=STOPPED, **terms)
    ran(thread, **{**terms, "rehearsal": True})
    assert not Delivery.objects.exists()
    found, broken = ran(thread, **terms), ran(thread, ending=BROKEN, **{**terms, "notify": Notify.FAILURE})
    ways = {"email": thread.owner.email, "hook": hook.url}
    rows = Delivery.objects.order_by("pk").values_list("run", "way", "target", "status")
    assert list(rows) == [(run.pk, way, ways[way], "waiting") for run in (found, broken) for way in ways]


def test_a_delivery_is_there_exactly_when_the_end_is(thread: Thread) -> None:
    terms = Terms(email=True, notify=Notify.ALWAYS)
    start_runs([Start(thread.pk, "Look.", thread.owner, Run.Trigger.SCHEDULE, terms=terms, schedule_id=5)])
    run = states.claim_next(thread.pk, owner="worker")
    assert run is not None
    with transaction.atomic():
        records.end(run, DONE)
        assert Delivery.objects.count() == 1
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_only_a_webhook_of_the_owners_own_that_is_on_is_called(
    thread: Thread, agent: Agent, hook: OutgoingHook, member: User
) -> None:
    theirs = create_thread(agent, owner=member)
    ran(theirs, hook_id=hook.pk)
    switch_hook(hook, on=False)
    ran(thread, hook_id=hook.pk)
    hook.delete()
    ran(thread, hook_id=hook.pk)
    assert not Delivery.objects.exists()


def test_a_webhook_gets_the_run_signed_by_standard_webhooks(
    thread: Thread, hook: OutgoingHook, receiver: Receiver, settings: Any
) -> None:
    settings.PUBLIC_ORIGIN = "https://zerg.example.org"
    run = ran(thread, "Zwei Releases. Schön! 🦊", hook_id=hook.pk)
    assert send_due() == [Verdict(204)]
    ((headers, body),) = receiver.got
    secret = decrypt(hook.secret_encrypted)
    told = Webhook(secret).verify(body, headers)
    assert told["type"] == "run.finished"
    data = told["data"]
    assert (data["id"], data["thread_id"], data["schedule_id"], data["webhook_id"]) == (run.pk, thread.pk, 5, None)
    assert (data["status"], data["answer"], data["nothing_new"]) == ("succeeded", "Zwei Releases. Schön! 🦊", False)
    assert data["url"] == f"https://zerg.example.org/runs/{run.pk}/"
    assert "steps" not in data
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("Zwei", "Drei"), headers)
    delivery = only()
    assert (delivery.status, delivery.tries, delivery.last_status, delivery.last_error) == ("sent", 1, 204, "")
    assert (delivery.next_try_at, delivery.sent_at is None) == (None, False)


def test_a_failure_says_so_in_its_type(thread: Thread, hook: OutgoingHook, receiver: Receiver) -> None:
    ran(thread, "", ending=BROKEN, hook_id=hook.pk)
    send_due()
    told = json.loads(receiver.got[0][1])
    assert (told["type"], told["data"]["error"]["message"]) == ("run.failed", "It took too long.")


def test_after_a_500_it_is_sent_again_with_the_same_id_and_a_new_time(
    thread: Thread, hook: OutgoingHook, receiver: Receiver
) -> None:
    receiver.statuses, receiver.said = [500, 200], b"<b>Out of\x00 order</b>"
    with time_machine.travel(timezone.now(), tick=False) as clock:
        ran(thread, hook_id=hook.pk)
        send_due()
        delivery = only()
        assert (delivery.status, delivery.tries, delivery.last_status) == ("waiting", 1, 500)
        assert delivery.last_error == "It answered 500: <b>Out of  order</b>"
        assert delivery.next_try_at == timezone.now() + timedelta(seconds=10)
        clock.shift(9)
        assert send_due() == []
        clock.shift(1)
        assert send_due() == [Verdict(200)]
        (first, body), (second, same) = receiver.got
    assert (first["webhook-id"], body) == (second["webhook-id"], same)
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 10
    assert first["webhook-signature"] != second["webhook-signature"]
    delivery = only()
    assert (delivery.status, delivery.tries, delivery.last_error) == ("sent", 2, "")


def test_it_is_tried_with_growing_waits_and_then_has_failed_until_a_person_wants_it_again(
    thread: Thread, hook: OutgoingHook, receiver: Receiver
) -> None:
    receiver.statuses = [503]
    with time_machine.travel(timezone.now(), tick=False) as clock:
        ran(thread, hook_id=hook.pk)
        began = timezone.now()
        for wait in (*WAITS, 0):
            assert len(send_due()) == 1
            clock.shift(wait)
        assert timezone.now() - began == timedelta(seconds=sum(WAITS))
        assert (only().status, only().tries) == ("failed", len(WAITS) + 1)
        clock.shift(timedelta(days=1))
        assert send_due() == []
        receiver.statuses = [200]
        send_again(only())
        send_due()
        assert only().status == "sent"
        with pytest.raises(ZergError, match="sent already"):
            send_again(only())


def test_410_switches_the_webhook_off(thread: Thread, hook: OutgoingHook, receiver: Receiver) -> None:
    receiver.statuses = [410]
    ran(thread, hook_id=hook.pk)
    ran(thread, hook_id=hook.pk)
    first, second = claim(2, {})
    send_now(first)
    hook.refresh_from_db()
    assert not hook.enabled
    second = Delivery.objects.get(pk=second.pk)
    send_now(second)
    assert len(receiver.got) == 1
    assert [row.status for row in Delivery.objects.all()] == ["failed", "failed"]


def test_no_redirect_is_followed(thread: Thread, hook: OutgoingHook, receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [302], {"Location": receiver.url}
    ran(thread, hook_id=hook.pk)
    send_due()
    assert len(receiver.got) == 1
    assert "no redirect is followed" in only().last_error


def test_of_an_endless_answer_the_beginning_is_read(thread: Thread, hook: OutgoingHook, receiver: Receiver) -> None:
    receiver.statuses, receiver.said = [500], b"x" * 40 * ANSWER_BYTES
    ran(thread, hook_id=hook.pk)
    send_due()
    assert len(only().last_error) <= 300


def test_a_private_address_is_refused_unless_an_administrator_wrote_it(
    thread: Thread, owner: User, receiver: Receiver, hook: OutgoingHook, settings: Any
) -> None:
    settings.EGRESS_ALLOW = []
    ran(thread, hook_id=hook.pk)
    send_due()
    delivery = only()
    assert (delivery.status, delivery.tries) == ("failed", 1)
    assert "not on the open internet" in delivery.last_error
    assert receiver.got == []
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    edit_hook(hook, name=hook.name, url=hook.url, author=User.objects.get(pk=owner.pk))
    assert try_hook(hook).status == "sent"
    User.objects.filter(pk=owner.pk).update(is_staff=False)
    edit_hook(hook, name="Renamed", url=hook.url, author=User.objects.get(pk=owner.pk))
    assert hook.private_allowed, "it is still the address that the administrator wrote"
    edit_hook(hook, name="Renamed", url="http://127.0.0.2/", author=User.objects.get(pk=owner.pk))
    assert not hook.private_allowed


def test_where_nothing_listens_the_log_says_so_without_the_address(thread: Thread, owner: User, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with listening() as gone:
        pass
    hook, _ = add_hook(owner, name="Gone", url=f"{gone.url}?key=hidden")
    ran(thread, hook_id=hook.pk)
    send_due()
    assert (only().status, only().last_error) == ("waiting", "No connection: nothing answers at its address.")


def test_the_secret_is_in_no_row_log_or_message(
    thread: Thread, hook: OutgoingHook, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = rotate_secret(hook)
    receiver.statuses = [500]
    ran(thread, hook_id=hook.pk)
    send_due()
    assert secret == decrypt(OutgoingHook.objects.get().secret_encrypted)
    rows = [str(OutgoingHook.objects.values()), str(Delivery.objects.values()), str(receiver.got), caplog.text]
    hidden = secret.removeprefix("whsec_")
    assert all(hidden not in text for text in rows)


def test_a_new_secret_signs_from_now_on(thread: Thread, hook: OutgoingHook, receiver: Receiver) -> None:
    old = decrypt(hook.secret_encrypted)
    new = rotate_secret(hook)
    ran(thread, hook_id=hook.pk)
    send_due()
    headers, body = receiver.got[0][0], receiver.got[0][1]
    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_a_secret_that_no_key_opens_is_said(thread: Thread, hook: OutgoingHook, receiver: Receiver) -> None:
    OutgoingHook.objects.update(secret_encrypted="gAAAAAbroken")
    ran(thread, hook_id=hook.pk)
    send_due()
    assert "Make a new one" in only().last_error
    assert receiver.got == []


def test_who_lost_the_agent_or_the_account_is_told_nothing_more(
    thread: Thread, hook: OutgoingHook, receiver: Receiver, owner: User
) -> None:
    ran(thread, hook_id=hook.pk)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    send_due()
    User.objects.filter(pk=owner.pk).update(is_active=True)
    ran(thread, hook_id=hook.pk)
    Membership.objects.filter(user=owner).delete()
    send_due()
    assert receiver.got == []
    assert {row.status for row in Delivery.objects.all()} == {"failed"}


def test_a_test_is_sent_at_once_and_not_tried_again(hook: OutgoingHook, receiver: Receiver) -> None:
    receiver.statuses = [500, 200]
    assert try_hook(hook).status == "failed"
    assert send_due() == []
    switch_hook(hook, on=False)
    assert try_hook(hook).status == "sent"
    assert [json.loads(body)["type"] for _, body in receiver.got] == ["zerg.test"] * 2
    assert receiver.got[0][0]["webhook-id"] != receiver.got[1][0]["webhook-id"]


def test_who_was_thought_dead_writes_nothing_when_it_comes_back(thread: Thread, hook: OutgoingHook) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        ran(thread, hook_id=hook.pk)
        (first,) = claim(9, {})
        assert claim(9, {}) == [], "one has it"
        with pytest.raises(ZergError, match="being sent just now"):
            send_again(first)
        clock.shift(deliveries.LEASE)
        (second,) = claim(9, {})
        assert not settle(first, Verdict(500, "Late."))
        assert settle(second, Verdict(204))
        assert only().status == "sent"


def test_one_persons_crowd_keeps_nobody_else_waiting(thread: Thread, agent: Agent, member: User) -> None:
    values = {"way": "email", "target": "x@example.com"}
    Delivery.objects.bulk_create(Delivery(owner=thread.owner, **values) for _ in range(50))
    Delivery.objects.create(owner=member, **values)
    taken = Counter(row.owner_id for row in claim(20, {}))
    assert taken == {thread.owner_id: deliveries.PER_OWNER, member.pk: 1}
    assert claim(1, {thread.owner_id: deliveries.PER_OWNER}) == []
    Delivery.objects.create(owner=member, **values)
    assert [row.owner_id for row in claim(1, {thread.owner_id: deliveries.PER_OWNER})] == [member.pk]


@pytest.mark.usefixtures("database_of_production")
def test_two_senders_send_each_once(receiver: Receiver, settings: Any) -> None:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    count = 3 * MOST_AT_ONCE
    for number in range(6):
        person = User.objects.create_user(f"person{number}@example.com", "a good password")
        hook, _ = add_hook(person, name="Board", url=receiver.url)
        Delivery.objects.bulk_create(
            Delivery(owner=person, hook=hook, way="hook", target=hook.url, is_test=True) for _ in range(count // 6)
        )
    asyncio.run(_until_sent(count))
    ids = Counter(headers["webhook-id"] for headers, _ in receiver.got)
    assert (len(ids), set(ids.values())) == (count, {1})
    assert Delivery.objects.filter(status="sent", tries=1).count() == count


async def _until_sent(count: int) -> None:
    senders = [Sender(), Sender()]
    async with asyncio.timeout(60):
        while await senders[0]._database(Delivery.objects.filter(status="sent").count) < count:
            for sender in senders:
                sender.look()
            await asyncio.sleep(0.05)
    for sender in senders:
        await sender.drain(10)


@pytest.mark.usefixtures("post_office")
def test_an_email_says_what_ran_and_what_came_of_it(thread: Thread, settings: Any) -> None:
    settings.PUBLIC_ORIGIN = "https://zerg.example.org"
    Agent.objects.filter(pk=thread.agent_id).update(name="Scout\r\nBcc: everybody@example.com")
    run = ran(thread, "Two releases\nlanded.", email=True)
    assert send_due() == [Verdict()]
    (letter,) = mail.outbox
    assert letter.subject == "Scout Bcc: everybody@example.com: finished"
    assert (letter.to, letter.bcc) == ([thread.owner.email], [])
    assert "Status: Done" in letter.body
    assert "\nTwo releases\nlanded.\n" in letter.body
    assert f"https://zerg.example.org/runs/{run.pk}/" in letter.body
    assert "\n" not in str(letter.message()["Subject"])
    assert only().status == "sent"


@pytest.mark.usefixtures("post_office")
def test_an_email_names_the_schedule_and_when_it_was_due(thread: Thread, agent: Agent, settings: Any) -> None:
    from triggers.models import Occurrence
    from triggers.services import create_schedule

    User.objects.filter(pk=thread.owner_id).update(timezone="Europe/Berlin")
    plan = create_schedule(agent, owner=thread.owner, expression="0 7 * * *", name="Each morning")
    run = ran(thread, "x" * 25_000, email=True, schedule_id=plan.pk)
    due = timezone.now().replace(month=7, day=3, hour=5, minute=0)
    Occurrence.objects.create(schedule=plan, scheduled_for=due, fired_at=due, outcome="ran", run=run)
    send_due()
    body = mail.outbox[0].body
    assert "Schedule: Each morning" in body
    assert "07:00 CEST" in body
    assert "x" * 20_000 in body
    assert "x" * 20_001 not in body
    assert "the rest is on the run's page" in body


def test_an_email_is_a_file_where_files_are_set_up(
    thread: Thread, settings: Any, tmp_path: Path, post_office: None
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", tmp_path
    ran(thread, ending=BROKEN, email=True)
    send_due()
    (letter,) = tmp_path.iterdir()
    text = letter.read_text()
    assert "Subject: Scout: failed" in text
    assert "It took too long." in text


def test_without_a_mail_server_the_log_says_what_is_missing(thread: Thread) -> None:
    ran(thread, email=True)
    send_due()
    assert (only().status, mail.outbox) == ("failed", [])
    assert "ZERG_EMAIL_URL" in only().last_error


def test_a_mail_server_that_is_away_is_tried_again(thread: Thread, settings: Any, post_office: None) -> None:
    with listening() as gone:
        pass
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(gone.url.split(":")[2].split("/")[0])
    ran(thread, email=True)
    send_due()
    assert (only().status, only().tries) == ("waiting", 1)
    assert "cannot be reached" in only().last_error


def test_what_was_sent_long_ago_is_forgotten(thread: Thread, hook: OutgoingHook) -> None:
    ran(thread, hook_id=hook.pk)
    send_due()
    ran(thread, hook_id=hook.pk)
    Delivery.objects.update(created_at=timezone.now() - deliveries.KEPT - timedelta(days=1))
    prune()
    assert [row.status for row in Delivery.objects.all()] == ["waiting"]
