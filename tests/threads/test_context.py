"""How full the model's window is, what the next request is made of, and what a thread took."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.models import User
from agents.models import LanguageModel, Provider
from engine import Usage
from runs.models import Run
from runs.services import start_run
from tests.conftest import ClientOf
from tests.threads.conversations import talk
from threads.context import context_of, fill_of
from threads.models import Thread
from threads.services import add_message, change, spend, update_thread


@pytest.fixture
def model(thread: Thread) -> LanguageModel:
    """A model that reads 1,000 tokens, for all agents of the workspace."""
    provider = Provider.objects.create(
        workspace=thread.agent.workspace, name="Own", base_url="https://models.example/v1", preferred=True
    )
    return LanguageModel.objects.create(provider=provider, name="reader", context_window=1000, max_output_tokens=100)


def counted(thread: Thread, owner: User, *, read: int, wrote: int) -> None:
    """A question whose answer took so many tokens."""
    run = start_run(thread, text="How much?", author=owner, trigger=Run.Trigger.CHAT)
    Run.objects.filter(pk=run.pk).update(context_window=1000)
    with change(thread.pk) as locked:
        add_message(
            locked, role="assistant", source="agent", content="So much.", run_id=run.pk, input_tokens=read,
            output_tokens=wrote,
        )  # fmt: skip
    thread.refresh_from_db()


def test_the_window_is_as_full_as_the_last_answer_left_it(thread: Thread, owner: User, model: LanguageModel) -> None:
    assert fill_of(thread, thread.leaf_id) is None
    counted(thread, owner, read=240, wrote=61)
    talk(thread, owner, "And now?", "")
    fill = fill_of(thread, thread.leaf_id)
    assert fill is not None
    assert (fill.used, fill.window, fill.percent) == (301, 1000, 31)
    update_thread(thread, memory_strategy="none")
    thread.refresh_from_db()
    forgetful = fill_of(thread, thread.leaf_id)
    assert forgetful is not None
    assert forgetful.used == 240


def test_a_schedules_run_that_reads_another_context_says_nothing_of_the_window(
    thread: Thread, owner: User, model: LanguageModel
) -> None:
    counted(thread, owner, read=240, wrote=60)
    before = fill_of(thread, thread.leaf_id)
    counted(thread, owner, read=30, wrote=3)
    last = Run.objects.filter(thread=thread).latest("id")
    assert fill_of(thread, thread.leaf_id) != before
    Run.objects.filter(pk=last.pk).update(terms_stored={"context": "last_result"})
    assert fill_of(thread, thread.leaf_id) == before


def test_what_is_no_longer_read_begins_before_a_message_that_is_named(
    thread: Thread, owner: User, model: LanguageModel
) -> None:
    for number in range(6):
        talk(thread, owner, f"{number} " + "word " * 80, "word " * 80)
    context = context_of(thread, thread.leaf_id)
    assert context is not None
    assert context.model == "reader"
    assert (context.size.window, context.size.answer) == (1000, 100)
    assert context.size.used <= 900
    assert context.size.kept == 8
    assert context.since is not None
    assert context.since.content.startswith("2 word")
    assert "left out first" in context.next_words


def test_a_summary_stands_for_what_came_before_it(thread: Thread, owner: User, model: LanguageModel) -> None:
    _, answer = talk(thread, owner, "word " * 200, "word " * 200)
    with change(thread.pk) as locked:
        add_message(locked, role="system", kind="summary", content="They spoke.", covers_seq=answer.seq)
    talk(thread, owner, "One more", "Here")
    update_thread(thread, memory_strategy="summary")
    thread.refresh_from_db()
    context = context_of(thread, thread.leaf_id)
    assert context is not None
    assert context.size.summary > 0
    assert (context.size.kept, context.since) == (2, None)
    update_thread(thread, memory_strategy="none")
    thread.refresh_from_db()
    forgetful = context_of(thread, thread.leaf_id)
    assert forgetful is not None
    assert (forgetful.size.kept, forgetful.size.summary, forgetful.since) == (0, 0, None)


def test_the_parts_are_shown_to_the_owner_alone(
    client_of: ClientOf, thread: Thread, owner: User, member: User, model: LanguageModel
) -> None:
    talk(thread, owner, "What do you read?", "This.")
    for headers in ({}, {"HX-Request": "true"}):
        page = client_of(owner).get(f"/threads/{thread.pk}/context/", headers=headers).text
        assert "2 messages" in page
        assert "1,000 tokens" in page
        assert client_of(member).get(f"/threads/{thread.pk}/context/", headers=headers).status_code == 404


def test_calls_without_a_price_are_told_beside_the_cost_of_the_others(
    client_of: ClientOf, thread: Thread, owner: User
) -> None:
    with change(thread.pk) as locked:
        spend(locked, Usage(1000, 400, 20, estimated=False), Decimal("0.00412"))
    shown = client_of(owner).get(f"/threads/{thread.pk}/").text
    assert '<data value="0.00412" title="$0.00412">$0.0041</data></span>' in shown
    with change(thread.pk) as locked:
        spend(locked, Usage(1000, 0, 20, estimated=False), None)
    thread.refresh_from_db()
    assert (thread.input_tokens, thread.cached_tokens, thread.output_tokens) == (2000, 400, 40)
    shown = client_of(owner).get(f"/threads/{thread.pk}/").text
    assert "$0.0041</data> + no price" in shown
