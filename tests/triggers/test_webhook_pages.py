"""The pages of webhooks: making, calling, looking and changing, for their owner and nobody else."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from agents.models import Agent
from runs.models import Run
from tests.conftest import ClientOf
from threads.dividers import dividers_of
from threads.models import ThreadMessage
from threads.services import create_thread
from triggers.hooks import services
from triggers.hooks.examples import example
from triggers.models import Received, Webhook

from .conftest import MakeWebhook
from .hooks import OWN, send, signed

FORM = {
    "name": "Orders",
    "style": "github",
    "secret": "",
    "prompt": "Look: {{payload}}",
    "thread_mode": "own",
    "thread": "",
    "context_policy": "nothing",
    "context_runs": "3",
    "check_kind": "",
    "check_text": "",
    "notify_policy": "failure",
    "enabled": "on",
}
DEEDS = ["secret", "forget_old_secret", "test", "pause", "resume", "delete"]


def test_a_webhook_is_made_from_its_form_and_shows_its_secret_once(
    agent: Agent, owner: User, client_of: ClientOf
) -> None:
    browser = client_of(owner)
    assert browser.get(reverse("webhooks:new"), {"agent": agent.pk}).status_code == 200
    made = browser.post(reverse("webhooks:new"), {**FORM, "agent": agent.pk})
    webhook = Webhook.objects.get()
    found = re.search(r'id="new-secret" class="mono plain">([^<]+)<', made.content.decode())
    assert found
    assert (webhook.owner, webhook.agent, webhook.style) == (owner, agent, "github")
    assert send(webhook, b"{}", signed("github", b"{}", "one", found[1])).status_code == 202
    assert "no-store" in made["Cache-Control"]
    for address in (reverse("webhooks:detail", args=[webhook.pk]), reverse("webhooks:list"), reverse("webhooks:new")):
        html = browser.get(address).content.decode()
        assert found[1] not in html
    assert webhook.url in browser.get(reverse("webhooks:detail", args=[webhook.pk])).content.decode()


def test_a_secret_of_ones_own_is_never_shown(agent: Agent, owner: User, client_of: ClientOf) -> None:
    browser = client_of(owner)
    made = browser.post(reverse("webhooks:new"), {**FORM, "agent": agent.pk, "secret": OWN})
    assert OWN not in made.content.decode()
    webhook = Webhook.objects.get()
    assert send(webhook, b"{}", signed("github", b"{}", "one")).status_code == 202
    short = browser.post(reverse("webhooks:secret", args=[webhook.pk]), {"secret": "short"})
    assert (short.status_code, "at least 16 characters" in short.content.decode()) == (422, True)
    browser.post(reverse("webhooks:secret", args=[webhook.pk]), {"secret": OWN + "-other"})
    assert send(webhook, b"{}", signed("github", b"{}", "two", OWN + "-other")).status_code == 202
    browser.post(reverse("webhooks:forget_old_secret", args=[webhook.pk]))
    assert send(webhook, b"{}", signed("github", b"{}", "three")).status_code == 401
    rotated = browser.post(reverse("webhooks:secret", args=[webhook.pk]), {"secret": ""}).content.decode()
    assert 'id="new-secret"' in rotated


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"prompt": " "}, "Write something first"),
        ({"prompt": "{{payload}} {{ payload }}"}, "Write {{payload}} once"),
        ({"prompt": "x" * 70_000}, "at most 64 KiB"),
        ({"thread_mode": "bound"}, "Choose the thread"),
        ({"secret": "short"}, "at least 16 characters"),
        ({"style": "other"}, "Select a valid choice"),
        ({"check_kind": "contains"}, "checked for"),
        ({"agent": "999999"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    agent: Agent, owner: User, client_of: ClientOf, wrong: dict[str, str], said: str
) -> None:
    answer = client_of(owner).post(reverse("webhooks:new"), {**FORM, "agent": agent.pk, **wrong})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Webhook.objects.exists()


def test_its_form_changes_it(make_webhook: MakeWebhook, owner: User, client_of: ClientOf) -> None:
    webhook = make_webhook()
    thread = create_thread(webhook.agent, owner=owner, title="Mine")
    sent = {**FORM, "agent": webhook.agent_id, "name": "Other", "thread_mode": "bound", "thread": str(thread.pk)}
    answer = client_of(owner).post(reverse("webhooks:detail", args=[webhook.pk]), sent)
    assert answer.status_code == 303
    changed = Webhook.objects.get()
    assert (changed.name, changed.thread, changed.style) == ("Other", thread, "standard")
    assert changed.secret_encrypted == webhook.secret_encrypted


def test_a_test_leads_to_its_verdict_and_a_replay_to_the_new_run(
    make_webhook: MakeWebhook, owner: User, client_of: ClientOf
) -> None:
    webhook, browser = make_webhook(), client_of(owner)
    page = browser.post(reverse("webhooks:test", args=[webhook.pk]), follow=True).content.decode()
    row = Received.objects.get()
    for words in ("Accepted", f"Run {row.run_id}", "zerg.test", "content-type", "Replay"):
        assert words in page
    again = browser.post(reverse("webhooks:replay", args=[webhook.pk, row.pk]), follow=True).content.decode()
    assert f"Replay of request {row.pk}." in again
    assert Run.objects.count() == 2
    listed = browser.get(reverse("webhooks:detail", args=[webhook.pk])).content.decode()
    assert all(f"Run {run.pk}" in listed for run in Run.objects.all())
    send(webhook, b"<script>alert(1)</script>", {"X-Evil": "<b>"})
    forged = Received.objects.first()
    assert forged is not None
    seen = browser.get(reverse("webhooks:received", args=[webhook.pk, forged.pk])).content.decode()
    assert "<script>alert" not in seen
    assert "<b>" not in seen.partition("<main")[2].partition("Headers")[2]
    refused = browser.post(reverse("webhooks:replay", args=[webhook.pk, forged.pk]), follow=True).content.decode()
    assert "nothing to replay" in refused
    assert Run.objects.count() == 2


def test_pausing_works_even_where_saving_would_not_and_deleting_keeps_the_threads(
    make_webhook: MakeWebhook, owner: User, client_of: ClientOf, agent: Agent
) -> None:
    thread = create_thread(agent, owner=owner)
    webhook, browser = make_webhook(thread_mode="bound", thread=thread), client_of(owner)
    send(webhook, b"{}", signed("standard", b"{}", "one"))
    other = make_webhook(thread_mode="bound", thread=create_thread(agent, owner=owner, title="Goes"))
    assert other.thread
    other.thread.delete()
    browser.post(reverse("webhooks:pause", args=[other.pk]))
    assert not Webhook.objects.get(pk=other.pk).enabled
    page = browser.post(reverse("webhooks:resume", args=[other.pk]), {"back": "list"}, follow=True).content.decode()
    assert "Choose the thread" in page
    browser.post(reverse("webhooks:delete", args=[webhook.pk]))
    assert not Webhook.objects.filter(pk=webhook.pk).exists()
    assert Run.objects.get().thread == thread


@pytest.mark.parametrize("who", ["member", "stranger"])
def test_somebody_elses_webhook_is_not_there(
    who: str, make_webhook: MakeWebhook, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    webhook = make_webhook()
    row = services.send_test(webhook)
    before = Webhook.objects.values().get()
    browser = client_of(request.getfixturevalue(who))
    for deed in [*DEEDS, "detail"]:
        theirs = browser.post(reverse(f"webhooks:{deed}", args=[webhook.pk]), {**FORM, "name": "Mine now"})
        missing = browser.post(reverse(f"webhooks:{deed}", args=[10**9]), FORM)
        assert (theirs.status_code, missing.status_code) == (404, 404)
    for name in ("received", "replay"):
        assert browser.post(reverse(f"webhooks:{name}", args=[webhook.pk, row.pk])).status_code in {404, 405}
    assert browser.get(reverse("webhooks:received", args=[webhook.pk, row.pk])).status_code == 404
    assert browser.get(reverse("webhooks:detail", args=[webhook.pk])).status_code == 404
    assert "Orders" not in browser.get(reverse("webhooks:list"), follow=True).content.decode()
    assert Webhook.objects.values().get() == before
    assert Run.objects.count() == 1


def test_no_webhook_for_somebody_elses_agent_or_into_somebody_elses_thread(
    agent: Agent, owner: User, member: User, stranger: User, client_of: ClientOf
) -> None:
    sent = {**FORM, "agent": agent.pk}
    client_of(stranger).post(reverse("webhooks:new"), sent)
    private = create_thread(agent, owner=owner)
    bound = client_of(member).post(reverse("webhooks:new"), {**sent, "thread_mode": "bound", "thread": private.pk})
    assert bound.status_code == 422
    assert not Webhook.objects.exists()


def test_one_webhooks_request_is_not_under_anothers_address(
    make_webhook: MakeWebhook, owner: User, client_of: ClientOf
) -> None:
    one, other = make_webhook(), make_webhook()
    row = services.send_test(one)
    assert client_of(owner).get(reverse("webhooks:received", args=[other.pk, row.pk])).status_code == 404


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_changes_by_a_get_or_without_signing_in(
    deed: str, make_webhook: MakeWebhook, owner: User, client_of: ClientOf
) -> None:
    address = reverse(f"webhooks:{deed}", args=[make_webhook().pk])
    assert client_of(owner).get(address).status_code == 405
    assert Client().post(address)["Location"].startswith(reverse("sign_in"))


def test_the_list_shows_what_came_last(make_webhook: MakeWebhook, owner: User, client_of: ClientOf) -> None:
    webhook = make_webhook()
    browser = client_of(owner)
    assert "nothing came yet" in browser.get(reverse("webhooks:list")).content.decode()
    send(webhook, b"{}", {})
    assert "Refused" in browser.get(reverse("webhooks:list")).content.decode()
    assert reverse("webhooks:list") in browser.get(reverse("schedules:list")).content.decode()


def test_its_name_stands_above_its_runs(make_webhook: MakeWebhook) -> None:
    services.send_test(make_webhook(name="New orders"))
    rows = list(ThreadMessage.objects.all())
    (divider,) = dividers_of(rows, Run.objects.all(), None, {}).values()
    assert divider.label == "run by a webhook, New orders"


def test_the_example_of_each_style_names_the_address_and_no_secret(make_webhook: MakeWebhook) -> None:
    texts = [example(webhook) for webhook in map(make_webhook, ("standard", "github", "bearer"))]
    for webhook, text in zip(Webhook.objects.order_by("pk"), texts, strict=True):
        assert webhook.url in text
    assert OWN not in "".join(texts)
    assert "%%" not in "".join(texts)
