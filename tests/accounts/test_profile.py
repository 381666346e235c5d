from __future__ import annotations

from datetime import UTC, datetime

from django.test import Client

from accounts.models import User
from agents.models import Agent
from tests.conftest import PASSWORD, ClientOf
from threads.models import Thread

PROFILE = {
    "form": "profile", "name": "Olga", "timezone": "Europe/Berlin", "theme": "dark",
    "density": "compact", "reading": "pinned", "aloud": "bounds",
}  # fmt: skip


def test_name_zone_and_look_are_kept(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    assert client.post("/settings/profile/", PROFILE).status_code == 303
    owner.refresh_from_db()
    assert (owner.name, owner.timezone, owner.theme, owner.density) == ("Olga", "Europe/Berlin", "dark", "compact")
    assert 'data-theme="dark" data-density="compact"' in client.get("/settings/profile/").text


def test_how_replies_are_read_aloud_is_kept_and_shows_on_the_threads_page(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    client = client_of(owner)
    assert 'id="say-text"' not in client.get(f"/threads/{thread.pk}/").text
    assert client.post("/settings/profile/", {**PROFILE, "aloud": "paragraphs"}).status_code == 303
    assert 'id="say-text" class="sr" aria-live="polite"' in client.get(f"/threads/{thread.pk}/").text


def test_how_an_answer_is_read_is_kept_and_shows_on_the_threads_page(
    client_of: ClientOf, owner: User, thread: Thread
) -> None:
    client = client_of(owner)
    assert 'data-mode="pinned"' in client.get(f"/threads/{thread.pk}/").text
    assert client.post("/settings/profile/", {**PROFILE, "reading": "follow"}).status_code == 303
    assert 'data-mode="follow"' in client.get(f"/threads/{thread.pk}/").text


def test_an_unknown_zone_is_refused_with_what_was_typed_still_there(client_of: ClientOf, owner: User) -> None:
    answer = client_of(owner).post("/settings/profile/", {**PROFILE, "timezone": "Mars/Olympus", "theme": "light"})
    assert answer.status_code == 422
    assert "Mars/Olympus" in answer.text
    owner.refresh_from_db()
    assert owner.timezone == "UTC"


def test_times_are_shown_in_the_persons_zone(client_of: ClientOf, owner: User, agent: Agent) -> None:
    User.objects.filter(pk=owner.pk).update(timezone="Asia/Tokyo")
    Agent.objects.filter(pk=agent.pk).update(last_run_at=datetime(2026, 3, 27, 20, 0, tzinfo=UTC))
    assert "Sat 28 Mar 2026, 05:00:00 JST" in client_of(owner).get("/").text


def test_a_new_password_needs_the_present_one_and_ends_other_sessions(client_of: ClientOf, owner: User) -> None:
    here, elsewhere = client_of(owner), client_of(owner)
    wrong = here.post("/settings/profile/", {"form": "password", "current": "no", "new": "seven unrelated words"})
    assert wrong.status_code == 422
    short = here.post("/settings/profile/", {"form": "password", "current": PASSWORD, "new": "short"})
    assert short.status_code == 422
    done = here.post("/settings/profile/", {"form": "password", "current": PASSWORD, "new": "seven unrelated words"})
    assert done.status_code == 303
    assert here.get("/settings/profile/").status_code == 200
    assert elsewhere.get("/settings/profile/").status_code == 302
    signed_in = Client().post("/sign-in/", {"email": owner.email, "password": "seven unrelated words"})
    assert signed_in.status_code == 303


def test_somebody_who_came_by_a_link_can_set_a_first_password(client_of: ClientOf, owner: User) -> None:
    owner.set_unusable_password()
    owner.save()
    client = client_of(owner)
    assert 'name="current"' not in client.get("/settings/profile/").text
    assert client.post("/settings/profile/", {"form": "password", "new": "seven unrelated words"}).status_code == 303
