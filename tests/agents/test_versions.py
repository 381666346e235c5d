from __future__ import annotations

import re

import pytest

from accounts.models import User
from agents.differences import differences
from agents.models import Agent, AgentVersion
from agents.services import save_agent
from tests.conftest import ClientOf

ROUTES = [
    ("GET", "/agents/{pk}/versions/"),
    ("GET", "/agents/{pk}/versions/1/"),
    ("GET", "/agents/{pk}/versions/2/?with=1"),
    ("POST", "/agents/{pk}/versions/1/restore/"),
]


@pytest.fixture
def second(agent: Agent, owner: User) -> Agent:
    """An agent of two versions."""
    agent.system_instructions = "You are brief.\nYou like <b>cats</b>."
    agent.tools = ["calculate"]
    return save_agent(agent, author=owner)


def test_the_list_says_who_saved_what_and_links_to_each(client_of: ClientOf, owner: User, second: Agent) -> None:
    page = client_of(owner).get(f"/agents/{second.pk}/versions/").text
    assert f'href="/agents/{second.pk}/versions/2/"' in page
    assert "instructions, tools" in page
    assert "by Olga" in page
    assert page.index("Version 2") < page.index("Version 1")


def test_a_version_shows_what_changed_since_the_one_before_as_text(
    client_of: ClientOf, owner: User, second: Agent
) -> None:
    page = client_of(owner).get(f"/agents/{second.pk}/versions/2/").text
    assert "What changed since version 1" in page
    assert "<ins>You are brief.\nYou like &lt;b&gt;cats&lt;/b&gt;.</ins>" in page
    assert "<b>cats" not in page
    assert "<h3>Task</h3>" in page, "the whole of it stands below"


def test_any_two_can_be_compared_by_their_address(client_of: ClientOf, owner: User, second: Agent) -> None:
    second.system_instructions = "You are brief.\nYou like <b>dogs</b>."
    save_agent(second, author=owner)
    client = client_of(owner)
    since_two = client.get(f"/agents/{second.pk}/versions/3/").text
    assert "<del>&lt;b&gt;cats&lt;/b&gt;.</del><ins>&lt;b&gt;dogs&lt;/b&gt;.</ins>" in since_two
    since_one = client.get(f"/agents/{second.pk}/versions/3/?with=1").text
    assert "What changed since version 1" in since_one
    assert "<del>&lt;b&gt;cats" not in since_one
    assert '<option value="1" selected>' in since_one
    assert client.get(f"/agents/{second.pk}/versions/99/").status_code == 404
    assert client.get(f"/agents/{second.pk}/versions/3/?with=nonsense").status_code == 200


def test_going_back_makes_a_new_version_and_loses_none(client_of: ClientOf, owner: User, second: Agent) -> None:
    client = client_of(owner)
    answer = client.post(f"/agents/{second.pk}/versions/1/restore/")
    assert (answer.status_code, answer["Location"]) == (303, f"/agents/{second.pk}/versions/")
    second.refresh_from_db()
    assert (second.system_instructions, second.tools, second.version_number) == ("", [], 3)
    snapshots = [row.fields for row in AgentVersion.objects.order_by("number")]
    assert snapshots[0] == snapshots[2] != snapshots[1]
    assert "as in version 1" in client.get(answer["Location"]).text
    client.post(f"/agents/{second.pk}/versions/1/restore/")
    second.refresh_from_db()
    assert second.version_number == 3, "it is so already"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_versions_are_the_workspaces_and_to_a_stranger_they_do_not_exist(
    method: str, path: str, client_of: ClientOf, owner: User, member: User, stranger: User, second: Agent
) -> None:
    assert client_of(stranger).generic(method, path.format(pk=second.pk)).status_code == 404
    assert AgentVersion.objects.count() == 2
    for person in (owner, member):
        assert client_of(person).generic(method, path.format(pk=second.pk)).status_code in {200, 303}


def test_a_comparison_puts_both_texts_together_again() -> None:
    old = "".join(f"line {number}\n" for number in range(60)) + "the end"
    new = old.replace("line 30\n", "line thirty, in words\n").replace("the end", "the very end")
    parts = differences(old, new)
    assert [part.kind for part in parts if part.kind == "folded"] == ["folded", "folded"]
    shown = {kind: " ".join(part.text for part in parts if part.kind == kind) for kind in ("removed", "added")}
    assert shown["removed"].split() == ["30"]
    assert shown["added"].split() == ["thirty,", "in", "words", "very"]
    for text, kind in ((old, "removed"), (new, "added")):
        lines = sum(int(part.text.split()[0]) for part in parts if part.kind == "folded")
        rebuilt = "".join(part.text for part in parts if part.kind in ("same", kind))
        assert len(rebuilt.splitlines()) + lines == len(text.splitlines())


def test_texts_without_end_are_compared_as_wholes_and_at_once() -> None:
    old, new = "a\n" * 90_000, "b\n" * 90_000
    assert [part.kind for part in differences(old, new)] == ["removed", "added"]
    words = " ".join(map(str, range(20_000)))
    assert [part.kind for part in differences(words, words + " more")] == ["removed", "added"]


def test_the_list_holds_them_all(client_of: ClientOf, owner: User, second: Agent) -> None:
    for number in range(30):
        second.description = str(number)
        save_agent(second, author=owner)
    page = client_of(owner).get(f"/agents/{second.pk}/versions/").text
    assert len(re.findall(r"<strong>Version \d+</strong>", page)) == 32
