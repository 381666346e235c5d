"""What an administrator can do: everything takes the services' way, so that nothing is bypassed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ApiToken, Membership, SignInLink, User
from accounts.services import authenticate_token, create_token
from agents.models import Agent, Provider
from agents.services import create_agent
from runs.models import Run, RunStatus
from tests.admin.conftest import make_run
from threads.models import Thread
from triggers.models import Schedule
from triggers.services import create_schedule, pause


def act(desk: Client, model: str, action: str, *rows: Any) -> str:
    """Chooses rows in a list and does ``action`` with them; gives the next page."""
    sent = {"action": action, "_selected_action": [row.pk for row in rows]}
    answer = desk.post(reverse(f"admin:{model}_changelist"), sent, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def saved(desk: Client, page: str, sent: dict[str, Any], *args: object) -> str:
    """Posts a form of the admin; gives what it answers, the errors or the next page."""
    answer = desk.post(reverse(f"admin:{page}", args=args), sent, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


AGENT = {
    "name": "Scout", "description": "", "system_instructions": "Be brief.", "task_instructions": "Look.", "model": "",
    "temperature": "", "max_output_tokens": "", "max_steps": "20", "memory_strategy": "buffer", "memory_window": "20",
    "config": "{}",
    "schedules-TOTAL_FORMS": "0", "schedules-INITIAL_FORMS": "0",
    "versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0",
}  # fmt: skip


def test_a_new_person_gets_a_workspace(desk: Client) -> None:
    sent = {"email": "New@Example.com", "name": "Nora", "usable_password": "true",
            "password1": "a very good password", "password2": "a very good password"}  # fmt: skip
    saved(desk, "accounts_user_add", sent)
    person = User.objects.get(email="new@example.com")
    assert person.check_password("a very good password")
    assert person.memberships.get().role == Membership.Role.OWNER
    assert "has this e-mail" in saved(desk, "accounts_user_add", {**sent, "email": "NEW@example.com"})


def test_people_are_switched_off_but_never_oneself(desk: Client, chief: User, owner: User) -> None:
    act(desk, "accounts_user", "switch_off", chief, owner)
    assert list(User.objects.filter(is_active=True)) == [chief]
    act(desk, "accounts_user", "switch_on", owner)
    assert User.objects.filter(is_active=True).count() == 2


def test_a_sign_in_link_is_made_for_one_person(desk: Client, owner: User, stranger: User) -> None:
    assert "Choose one person" in act(desk, "accounts_user", "give_sign_in_link", owner, stranger)
    page = act(desk, "accounts_user", "give_sign_in_link", owner)
    path = page.partition("http://testserver")[2].partition("<")[0]
    assert SignInLink.objects.get().user == owner
    browser = Client()
    browser.get(path)
    assert browser.get("/").status_code == 200


def test_revoked_tokens_stop_working(desk: Client, owner: User) -> None:
    token, text = create_token(owner, "Laptop")
    act(desk, "accounts_apitoken", "revoke", token)
    assert authenticate_token(text) is None
    assert text not in desk.get(reverse("admin:accounts_apitoken_change", args=[token.pk])).content.decode()
    assert ApiToken.objects.count() == 1


def test_an_agent_is_saved_as_a_new_version(desk: Client, chief: User, agent: Agent) -> None:
    saved(desk, "agents_agent_change", {**AGENT, "tools": ["calculate"]}, agent.pk)
    agent.refresh_from_db()
    assert (agent.system_instructions, agent.tools, agent.version_number) == ("Be brief.", ["calculate"], 2)
    assert agent.versions.get(number=2).created_by == chief
    saved(desk, "agents_agent_change", {**AGENT, "tools": ["calculate"]}, agent.pk)
    assert agent.versions.count() == 2
    assert "must be a JSON object" in saved(desk, "agents_agent_change", {**AGENT, "config": "[]"}, agent.pk)


def test_an_agent_is_made_in_a_workspace(desk: Client, chief: User, owner: User) -> None:
    saved(desk, "agents_agent_add", {**AGENT, "workspace": owner.home_workspace().pk})
    agent = Agent.objects.get()
    assert (agent.created_by, agent.workspace, agent.versions.count()) == (chief, owner.home_workspace(), 1)


def test_agents_are_duplicated_archived_and_brought_back(desk: Client, agent: Agent) -> None:
    act(desk, "agents_agent", "duplicate", agent)
    assert Agent.objects.filter(name="Scout (copy)", versions__number=1).exists()
    act(desk, "agents_agent", "archive", agent)
    assert Agent.objects.get(pk=agent.pk).archived_at is not None
    act(desk, "agents_agent", "restore", agent)
    assert Agent.objects.get(pk=agent.pk).archived_at is None


def test_agents_run_for_the_administrator_who_is_a_member(desk: Client, chief: User, agent: Agent) -> None:
    page = act(desk, "agents_agent", "run_now", agent)
    assert "you are no member" in page
    assert not Run.objects.exists()
    Membership.objects.create(workspace=agent.workspace, user=chief)
    mute = create_agent(workspace=agent.workspace, author=chief, name="Mute")
    page = act(desk, "agents_agent", "run_now", agent, mute)
    assert "1 started." in page
    assert "Mute has no task instructions" in page
    run = Run.objects.get()
    assert (run.agent, run.actor, run.trigger, run.thread.owner) == (agent, chief, "manual", chief)
    assert Thread.objects.count() == 1


def test_an_agent_is_run_from_its_page(desk: Client, chief: User, agent: Agent) -> None:
    Membership.objects.create(workspace=agent.workspace, user=chief)
    assert 'name="_run"' in desk.get(reverse("admin:agents_agent_change", args=[agent.pk])).content.decode()
    assert 'name="_run"' not in desk.get(reverse("admin:agents_agent_add")).content.decode()
    page = saved(desk, "agents_agent_change", {**AGENT, "task_instructions": "Look again.", "_run": "1"}, agent.pk)
    run = Run.objects.get()
    agent.refresh_from_db()
    assert (run.actor, agent.task_instructions, agent.version_number) == (chief, "Look again.", 2)
    assert f'1 started. <a href="{reverse("threads:detail", args=[run.thread_id])}">Read along</a>' in page
    assert desk.get(reverse("threads:detail", args=[run.thread_id])).status_code == 200


def test_a_failed_run_says_why_in_the_list(desk: Client, agent: Agent, thread: Thread, owner: User) -> None:
    run = make_run(agent, thread, owner, RunStatus.FAILED)
    Run.objects.filter(pk=run.pk).update(reason="provider_error", error_message="The key was refused. Mend it.")
    assert "The key was refused. Mend it." in desk.get(reverse("admin:runs_run_changelist")).content.decode()


def test_a_providers_key_goes_in_and_never_comes_out(desk: Client, owner: User) -> None:
    sent = {"name": "Team", "base_url": "http://127.0.0.1:9/v1/", "workspace": "", "default_model": "", "enabled": "on",
            "new_key": "sk-canary-1234567890", "forget_key": ""}  # fmt: skip
    saved(desk, "agents_provider_add", sent)
    provider = Provider.objects.get(name="Team")
    assert provider.endpoint() == ("http://127.0.0.1:9/v1", "sk-canary-1234567890")
    assert provider.private_allowed
    for page in (
        reverse("admin:agents_provider_change", args=[provider.pk]),
        reverse("admin:agents_provider_changelist"),
    ):
        html = desk.get(page).content.decode()
        assert "sk-canary" not in html
        assert provider.key_encrypted not in html
        assert "ends in 7890" in html
    saved(desk, "agents_provider_change", {**sent, "name": "Team A", "new_key": ""}, provider.pk)
    assert Provider.objects.get(name="Team A").endpoint()[1] == "sk-canary-1234567890"
    page = saved(desk, "agents_provider_change", {**sent, "new_key": "sk-wrong key"}, provider.pk)
    assert "A key has no spaces" in page
    assert "sk-wrong" not in page
    saved(desk, "agents_provider_change", {**sent, "new_key": "", "forget_key": "on"}, provider.pk)
    assert Provider.objects.get().endpoint()[1] == ""


def test_a_built_in_provider_keeps_its_address(desk: Client) -> None:
    provider = Provider.objects.create(kind="environment", name="Environment", base_url="https://api.example.com/v1")
    sent = {"name": "X", "base_url": "http://10.0.0.1/", "new_key": "sk-other", "default_model": "gpt", "enabled": "on"}
    saved(desk, "agents_provider_change", sent, provider.pk)
    provider.refresh_from_db()
    assert (provider.name, provider.base_url, provider.default_model) == (
        "Environment",
        "https://api.example.com/v1",
        "gpt",
    )
    assert provider.key_encrypted == ""
    assert desk.post(reverse("admin:agents_provider_delete", args=[provider.pk]), {"post": "yes"}).status_code == 403


def test_prices_are_edited_in_the_list(desk: Client, populate: Any) -> None:
    populate(1)
    page = desk.get(reverse("admin:agents_languagemodel_changelist"))
    form = page.context["cl"].formset
    sent = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": form.forms[0].instance.pk, "_save": "Save",
            "form-0-context_window": "1000", "form-0-input_price": "2.5", "form-0-enabled": "on"}  # fmt: skip
    saved(desk, "agents_languagemodel_changelist", sent)
    form.forms[0].instance.refresh_from_db()
    assert str(form.forms[0].instance.input_price) == "2.500000"


SCHEDULE = {
    "name": "", "prompt": "", "kind": "cron", "expression": "0 7 * * 1-5", "timezone": "Europe/Berlin", "enabled": "on",
    "thread_mode": "own", "thread": "", "overlap_policy": "skip", "missed_policy": "latest", "missed_limit": "10",
    "roll_every": "day", "roll_runs": "20", "context_policy": "last_result", "context_runs": "3", "check_kind": "",
    "failure_limit": "5", "notify_policy": "found", "watch_kind": "", "spread_seconds": "0",
    "occurrences-TOTAL_FORMS": "0", "occurrences-INITIAL_FORMS": "0",
}  # fmt: skip


def test_a_schedule_is_made_and_changed_by_the_services(desk: Client, agent: Agent, owner: User) -> None:
    sent = {**SCHEDULE, "agent": agent.pk, "owner": owner.pk}
    saved(desk, "triggers_schedule_add", sent)
    schedule = Schedule.objects.get()
    agent.refresh_from_db()
    assert schedule.next_run_at is not None
    assert agent.next_run_at == schedule.next_run_at
    saved(desk, "triggers_schedule_change", {**sent, "expression": "*/5 * * * *"}, schedule.pk)
    before, schedule = schedule.next_run_at, Schedule.objects.get()
    assert (schedule.expression, schedule.next_run_at == before) == ("*/5 * * * *", False)
    saved(desk, "triggers_schedule_change", {**sent, "most_runs": "3", "notify_policy": "failure"}, schedule.pk)
    schedule = Schedule.objects.get()
    assert (schedule.most_runs, schedule.notify_policy) == (3, "failure")
    saved(desk, "triggers_schedule_change", {**sent, "enabled": ""}, schedule.pk)
    assert Schedule.objects.get().next_run_at is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"expression": "0 0 31 2 *"}, "31 February never comes."),
        ({"timezone": "Berlin"}, "Did you mean Europe/Berlin?"),
        ({"kind": "interval", "expression": "5"}, "at least 60 seconds"),
        ({"thread_mode": "bound"}, "Choose the thread"),
        ({"owner": "stranger"}, "is no member of the workspace"),
    ],
)
def test_what_the_services_refuse_the_form_says_at_its_field(
    desk: Client, agent: Agent, owner: User, stranger: User, wrong: dict[str, str], said: str
) -> None:
    sent = {**SCHEDULE, "agent": agent.pk, "owner": owner.pk, **wrong}
    sent["owner"] = stranger.pk if sent["owner"] == "stranger" else sent["owner"]
    assert said in saved(desk, "triggers_schedule_add", sent)
    assert not Schedule.objects.exists()
    schedule = create_schedule(agent, owner=owner, expression="0 12 * * *")
    assert said in saved(desk, "triggers_schedule_change", sent, schedule.pk)
    assert Schedule.objects.get().expression == "0 12 * * *"


def test_schedules_are_made_changed_and_deleted_below_their_agent(
    desk: Client, chief: User, agent: Agent, schedule: Schedule
) -> None:
    Membership.objects.create(workspace=agent.workspace, user=chief)
    row = {"kind": "cron", "timezone": "UTC", "enabled": "on", "name": ""}
    sent = {
        **AGENT,
        "schedules-TOTAL_FORMS": "2",
        "schedules-INITIAL_FORMS": "1",
        **{f"schedules-0-{name}": value for name, value in row.items()},
        "schedules-0-id": schedule.pk,
        "schedules-0-agent": agent.pk,
        "schedules-0-owner": schedule.owner_id,
        "schedules-0-expression": "0 9 * * *",
        **{f"schedules-1-{name}": value for name, value in row.items()},
        "schedules-1-agent": agent.pk,
        "schedules-1-expression": "0 0 31 2 *",
    }
    assert "31 February never comes." in saved(desk, "agents_agent_change", sent, agent.pk)
    assert Schedule.objects.get().expression == "0 7 * * *"
    saved(desk, "agents_agent_change", {**sent, "schedules-1-expression": "0 10 * * *"}, agent.pk)
    found = {(one.expression, one.owner, one.next_run_at is not None) for one in Schedule.objects.all()}
    assert found == {("0 9 * * *", schedule.owner, True), ("0 10 * * *", chief, True)}
    saved(desk, "agents_agent_change", {**sent, "schedules-1-expression": "", "schedules-TOTAL_FORMS": "1",
                                        "schedules-0-DELETE": "on"}, agent.pk)  # fmt: skip
    assert Schedule.objects.get().owner == chief


def test_schedules_are_paused_resumed_and_run(desk: Client, schedule: Schedule) -> None:
    act(desk, "triggers_schedule", "pause", schedule)
    assert Schedule.objects.get().next_run_at is None
    act(desk, "triggers_schedule", "resume", schedule)
    assert Schedule.objects.get().next_run_at is not None
    act(desk, "triggers_schedule", "run_now", schedule)
    run = Run.objects.get()
    assert (run.actor, run.trigger, run.thread.owner) == (schedule.owner, "manual", schedule.owner)


def test_what_cannot_be_resumed_is_named(desk: Client, schedule: Schedule) -> None:
    pause(schedule)
    Schedule.objects.update(kind="once", expression="2001-01-01T00:00:00")
    assert "That time is over." in act(desk, "triggers_schedule", "resume", schedule)


def test_runs_are_stopped(desk: Client, agent: Agent, thread: Thread, owner: User) -> None:
    run, ended = make_run(agent, thread, owner, RunStatus.QUEUED), make_run(agent, thread, owner)
    assert "1 stopped." in act(desk, "runs_run", "cancel_runs", run, ended)
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED


def test_a_thread_is_renamed_by_its_service(desk: Client, thread: Thread) -> None:
    sent = {
        "title": "A better title",
        "memory_strategy": "",
        "busy_policy": "queue",
        "messages-TOTAL_FORMS": "0",
        "messages-INITIAL_FORMS": "0",
    }
    saved(desk, "threads_thread_change", sent, thread.pk)
    before, thread = thread.version, Thread.objects.get()
    assert (thread.title, thread.title_by_person, thread.version > before) == ("A better title", True, True)
