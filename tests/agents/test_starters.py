from __future__ import annotations

import html

import pytest

from accounts.models import User
from agents.models import Agent
from agents.starters import STARTERS
from tests.agents.test_pages import FORM
from tests.conftest import ClientOf


def test_a_starter_fills_the_form_by_its_link_and_saves_nothing(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    plain = client.get("/agents/new/").text
    for key, starter in STARTERS.items():
        assert f'href="?starter={key}"' in plain
        page = client.get(f"/agents/new/?starter={key}").text
        assert html.escape(starter.task_instructions) in page
        assert ('value="Watcher"' in page) is (key == "watcher")
    assert not Agent.objects.exists()


def test_what_is_posted_counts_not_the_starter_in_the_address(client_of: ClientOf, owner: User) -> None:
    client_of(owner).post("/agents/new/?starter=brief", FORM)
    assert Agent.objects.get().system_instructions == "You are brief."


@pytest.mark.parametrize(("typed", "name"), [("", "Morning brief"), ("My own", "My own")])
def test_the_open_form_gets_its_fields_and_keeps_a_typed_name(
    client_of: ClientOf, owner: User, typed: str, name: str
) -> None:
    answer = client_of(owner).get("/agents/starter/brief/", {"name": typed}, headers={"HX-Request": "true"}).text
    assert f'name="name" value="{name}"' in answer
    assert "read in one minute" in answer
    assert (
        'value="current_time" id="id_tools_1" checked' in answer
        or 'value="current_time" id="id_tools_0" checked' in answer
    )
    assert "<html" not in answer


def test_an_unknown_starter_is_missing(client_of: ClientOf, owner: User) -> None:
    assert client_of(owner).get("/agents/starter/nothing/").status_code == 404
    assert client_of(owner).get("/agents/new/?starter=nothing").status_code == 200
