"""The lists of the admin: each opens, searches and filters, and asks as much for twenty rows as for five."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import ApiToken, User, Workspace
from agents.models import Agent, AgentVersion, LanguageModel, Provider
from runs.models import Delivery, OutgoingHook, Run, Step
from threads.models import Thread, ThreadMessage
from triggers.models import Occurrence, Received, Schedule, Webhook

from .conftest import Populate

MODELS: list[type[Model]] = [
    User, Workspace, ApiToken, Agent, AgentVersion, Provider, LanguageModel, Thread, ThreadMessage, Run, Step,
    Schedule, Occurrence, OutgoingHook, Delivery, Webhook, Received,
]  # fmt: skip
named = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_everything_that_matters_is_in_the_admin() -> None:
    ours = {model for model in admin.site._registry if model.__module__.partition(".")[0] != "django"}
    assert ours == set(MODELS)


@named
def test_a_list_asks_as_much_for_twenty_rows_as_for_five(desk: Client, populate: Populate, model: type[Model]) -> None:
    counts = []
    for number in (5, 20):
        populate(number)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            answer = desk.get(address(model, "changelist"))
        assert answer.status_code == 200
        shown = len(answer.context["cl"].result_list)
        counts.append(len(asked))
    assert shown >= 25
    assert counts[0] == counts[1], asked.captured_queries
    assert counts[1] <= 10


@named
def test_a_row_asks_for_little_and_opens(desk: Client, populate: Populate, model: type[Model]) -> None:
    populate(3)
    row = model._default_manager.order_by("-pk").first()
    assert row is not None
    with CaptureQueriesContext(connection) as asked:
        assert desk.get(address(model, "change", row.pk)).status_code == 200
    assert len(asked) <= 25


@named
def test_search_and_filters_work(desk: Client, populate: Populate, model: type[Model]) -> None:
    populate(2)
    page = admin.site._registry[model]
    assert desk.get(address(model, "changelist"), {"q": "person1 x"}).status_code == 200
    for entry in page.list_filter:
        name = entry[0] if isinstance(entry, tuple) else str(entry)
        query = {f"{name}__isnull" if "EmptyField" in str(entry) else f"{name}__exact": "1"}
        assert desk.get(address(model, "changelist"), query).status_code in {200, 302}


HISTORY = [AgentVersion, ThreadMessage, Run, Step, Occurrence]


@pytest.mark.parametrize("model", HISTORY, ids=lambda model: model.__name__)
def test_history_is_read_only_even_for_an_administrator(desk: Client, populate: Populate, model: type[Model]) -> None:
    populate(1)
    row = model._default_manager.order_by("-pk").first()
    assert row is not None
    before = {field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields}
    assert desk.get(address(model, "add")).status_code == 403
    assert desk.post(address(model, "change", row.pk), {"content": "x", "status": "failed"}).status_code == 403
    assert desk.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    desk.post(address(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    row = model._default_manager.get(pk=row.pk)
    assert {field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields} == before


def test_only_staff_get_in_and_by_the_one_sign_in_page(client: Client, owner: User) -> None:
    answer = client.get("/admin/agents/agent/")
    assert answer.status_code == 302
    answer = client.get(answer["Location"])
    assert answer["Location"] == "/sign-in/?next=/admin/agents/agent/"
    client.force_login(owner)
    assert client.get("/admin/agents/agent/", follow=True).status_code == 403


@pytest.mark.parametrize("model", [OutgoingHook, Delivery])
def test_what_may_be_a_key_in_an_address_is_nobody_elses(
    desk: Client, populate: Populate, model: type[OutgoingHook | Delivery]
) -> None:
    populate(1)
    row = model._default_manager.get()
    secret = OutgoingHook.objects.get().secret_encrypted
    for page in (address(model, "changelist"), address(model, "change", row.pk)):
        text = desk.get(page).text
        assert "example.org/key" not in text
        assert secret not in text
    assert "example.org" in desk.get(address(model, "change", row.pk)).text
