"""Two runs side by side."""

from __future__ import annotations

import pytest

from accounts.models import User
from agents.services import save_agent
from runs.models import Run, RunStatus
from tests.conftest import ClientOf
from tests.runs_pages.test_run_pages import ended
from threads.models import Thread
from threads.services import add_message, change


def answered(thread: Thread, text: str, **fields: object) -> Run:
    run = ended(thread, RunStatus.SUCCEEDED, **fields)
    with change(thread.pk) as locked:
        add_message(locked, role="assistant", source="agent", content=text, run_id=run.pk)
    return run


@pytest.fixture
def two(thread: Thread, owner: User) -> tuple[Run, Run]:
    first = answered(thread, "Two releases landed.", input_tokens=100, output_tokens=20)
    thread.agent.system_instructions = "Be brief."
    save_agent(thread.agent, author=owner)
    return first, answered(thread, "Three releases landed.", input_tokens=150, output_tokens=30)


def test_a_run_is_compared_with_the_one_before_it(client_of: ClientOf, owner: User, two: tuple[Run, Run]) -> None:
    first, second = two
    browser = client_of(owner)
    assert f"Compare with run {first.pk}" in browser.get(f"/runs/{second.pk}/").content.decode()
    page = browser.get(f"/runs/{second.pk}/compare/").content.decode()
    assert f"Run {second.pk} against run {first.pk}" in page
    assert "<del>Two </del><ins>Three </ins>" in page
    assert "<ins>Be brief.</ins>" in page
    assert '<td class="num">100</td><td class="num">150</td>' in page


def test_any_two_can_be_chosen(client_of: ClientOf, owner: User, two: tuple[Run, Run]) -> None:
    first, second = two
    page = client_of(owner).get(f"/runs/{first.pk}/compare/?with={second.pk}").content.decode()
    assert f"Run {first.pk} against run {second.pk}" in page


def test_where_there_is_no_other_run_nothing_is_offered(client_of: ClientOf, owner: User, thread: Thread) -> None:
    only = answered(thread, "Here it is.")
    browser = client_of(owner)
    assert "Compare with run" not in browser.get(f"/runs/{only.pk}/").content.decode()
    assert browser.get(f"/runs/{only.pk}/compare/").status_code == 404


@pytest.mark.parametrize("who", ["member", "stranger"])
def test_nobody_else_sees_them(
    who: str, client_of: ClientOf, two: tuple[Run, Run], request: pytest.FixtureRequest
) -> None:
    browser = client_of(request.getfixturevalue(who))
    assert browser.get(f"/runs/{two[1].pk}/compare/").status_code == 404
