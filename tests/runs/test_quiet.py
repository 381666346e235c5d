"""Of a run that nobody watched its owner is told by what they asked for; what found nothing new raises no unread."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from agents.models import Agent
from runs.models import Notice, Run
from runs.rail import rail_of
from runs.services import retry, start_run
from runs.terms import Notify
from tests.conftest import ClientOf
from tests.runs.unattended import BROKEN, STOPPED, ran
from threads.changes import read_changes
from threads.models import Thread, ThreadRead
from threads.page_feed import Place, frames_for
from threads.reading import mark_read, place_of, with_unread
from threads.services import create_thread


def told(thread: Thread) -> list[tuple[str, str]]:
    return list(Notice.objects.filter(thread=thread).order_by("pk").values_list("strength", "text"))


def is_told(run: Run) -> bool:
    return Notice.objects.filter(run=run).exists()


def is_unread(thread: Thread, user: User) -> bool:
    return bool(with_unread(Thread.objects.filter(pk=thread.pk), user).get().unread)  # type: ignore[attr-defined]


def read_all(thread: Thread) -> None:
    now = Thread.objects.get(pk=thread.pk)
    mark_read(now, now.owner, seq=now.last_seq)


@pytest.mark.parametrize(
    ("notify", "of_new", "of_same", "of_nothing"),
    [
        (Notify.ALWAYS, True, True, True),
        (Notify.CHANGED, True, False, False),
        (Notify.FOUND, True, True, False),
        (Notify.FAILURE, False, False, False),
    ],
)
def test_a_good_end_is_told_as_its_schedule_asks(
    notify: Notify, of_new: bool, of_same: bool, of_nothing: bool, thread: Thread
) -> None:
    assert is_told(ran(thread, "It is 5.", notify=notify)) is of_new
    assert is_told(ran(thread, "It  is\n5.", notify=notify)) is of_same
    assert is_told(ran(thread, "I looked at all of it.", notify=notify, nothing_new=True)) is of_nothing
    assert is_told(ran(thread, "Nothing new.", notify=notify)) is of_nothing
    assert is_told(ran(thread, "It is 5.", notify=notify)) is of_same, "a look that found nothing is no result"
    assert is_told(ran(thread, "It is 6.", notify=notify)) is of_new


@pytest.mark.parametrize("notify", Notify)
def test_a_failure_is_told_always_and_what_a_person_stopped_never(notify: Notify, thread: Thread) -> None:
    assert is_told(ran(thread, ending=BROKEN, notify=notify))
    assert not is_told(ran(thread, ending=STOPPED, notify=notify))


def test_a_result_is_compared_with_that_of_its_own_series(thread: Thread, agent: Agent) -> None:
    other = create_thread(agent, owner=thread.owner)
    assert is_told(ran(thread, "5", notify=Notify.CHANGED))
    assert is_told(ran(other, "5", notify=Notify.CHANGED, schedule_id=6))
    assert is_told(ran(other, "5", notify=Notify.CHANGED, schedule_id=None, webhook_id=5))
    ran(thread, "", ending=BROKEN, notify=Notify.CHANGED)
    ran(thread, "7", notify=Notify.CHANGED, rehearsal=True)
    assert not is_told(ran(other, "5", notify=Notify.CHANGED)), "in whichever thread it stands"


def test_of_a_rehearsal_and_of_a_trial_nobody_is_told(thread: Thread) -> None:
    assert not is_told(ran(thread, notify=Notify.ALWAYS, rehearsal=True))
    Agent.objects.filter(pk=thread.agent_id).update(trial=True)
    assert not is_told(ran(thread, notify=Notify.ALWAYS))


def test_a_run_that_is_begun_again_is_told_by_the_same_terms(thread: Thread) -> None:
    again = retry(ran(thread, ending=BROKEN, notify=Notify.ALWAYS, email=True), actor=thread.owner)
    assert (again.terms.notify, again.terms.email, again.schedule_id) == (Notify.ALWAYS, True, 5)


def test_the_inbox_says_what_was_found_and_many_results_of_a_schedule_are_one_matter(
    client_of: ClientOf, thread: Thread, owner: User, agent: Agent
) -> None:
    other = create_thread(agent, owner=owner)
    for number in range(1, 13):
        ran(thread if number % 2 else other, f"# Releases\n\nNumber **{number}** landed.")
    ran(thread, "Elsewhere.", schedule_id=6)
    Notice.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    assert rail_of(owner).inbox.count == "2"
    page = client_of(owner).get("/inbox/").text
    assert "Releases Number 12 landed." in page
    assert "The last of 12." in page
    assert "Number 11" not in page
    assert page.count('id="told-') == 2
    ran(thread, "Number 13 landed.")
    assert rail_of(owner).inbox.count == "2", "what waits does not go away while it grows"
    latest = Notice.objects.get(run__schedule_id=5)
    assert latest.count == 13
    read_all(thread)
    ran(thread, "Number 14 landed.")
    assert Notice.objects.get(run__schedule_id=5, done_at=None).count == 1, "what was seen is not counted again"


def test_other_peoples_results_stay_their_own(thread: Thread, agent: Agent, member: User) -> None:
    theirs = create_thread(agent, owner=member)
    ran(theirs, "Theirs.")
    ran(thread, "Mine.")
    assert told(theirs) == [("finished", "Theirs.")]


def test_nothing_new_is_not_unread_and_hides_nothing_that_is(thread: Thread, owner: User) -> None:
    ran(thread, "I looked.", nothing_new=True)
    assert not is_unread(thread, owner), "nobody was here yet, and there is nothing to see"
    ran(thread, "Two releases landed.")
    assert is_unread(thread, owner)
    ran(thread, "I looked again.", nothing_new=True)
    assert is_unread(thread, owner), "the releases are still to be read"
    read_all(thread)
    seen_at = ThreadRead.objects.get().seen_at
    ran(thread, "I looked a third time.", nothing_new=True)
    assert not is_unread(thread, owner)
    place = place_of(thread, owner)
    assert place is not None
    assert (place.seq, place.seen_at) == (Thread.objects.get(pk=thread.pk).last_seq, seen_at)
    ran(thread, "Three landed.")
    assert is_unread(thread, owner)


def test_a_failure_and_an_answer_to_a_person_are_unread_whatever_the_terms(thread: Thread, owner: User) -> None:
    ran(thread, "", ending=BROKEN, nothing_new=True)
    assert is_unread(thread, owner)


def test_the_row_of_a_run_says_that_it_found_nothing(client_of: ClientOf, thread: Thread, owner: User) -> None:
    assert ran(thread, "Nothing new.").nothing_new
    assert not ran(thread, "Something.").nothing_new
    run = start_run(thread, text="Anything?", author=owner, trigger=Run.Trigger.CHAT)
    assert not run.nothing_new
    assert client_of(owner).get("/runs/").text.count("Done, nothing new") == 1


def test_the_line_above_a_run_says_nothing_new_on_the_page_and_on_one_that_was_open(
    client_of: ClientOf, thread: Thread, owner: User
) -> None:
    run = ran(thread, "I looked.", nothing_new=True)
    page = client_of(owner).get(f"/threads/{thread.pk}/").text
    assert "Done, nothing new" in page[page.index(f"run {run.pk}</a>") :]
    now = Thread.objects.get(pk=thread.pk)
    changes = read_changes(thread.pk, now.version - 1)
    assert changes is not None
    frames = "".join(frames_for(changes, Place(now.version - 1, now.leaf_id, {}))[0])
    assert f"m-{run.input_message_id}" in frames, "what ended the run brings the article below the line"
    assert "nothing new" in frames
