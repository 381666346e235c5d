"""What waits in a thread: its order, what can be done with it, and what a busy thread does with what comes."""

from __future__ import annotations

import pytest

from common.errors import ZergError
from runs import queue, states
from runs.models import Run, RunStatus
from runs.services import cancel, start_run
from threads.models import Thread, ThreadMessage
from threads.services import update_thread

CHAT, API, SCHEDULE = Run.Trigger.CHAT, Run.Trigger.API, Run.Trigger.SCHEDULE


def say(thread: Thread, text: str, trigger: Run.Trigger = CHAT, key: str | None = None) -> Run:
    return start_run(thread, text=text, author=thread.owner, trigger=trigger, key=key)


def message_of(run: Run) -> ThreadMessage:
    message = run.input_message
    assert message is not None
    message.refresh_from_db()
    return message


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def order(thread: Thread) -> list[str]:
    """What waits, in the order in which it will have its turn."""
    waiting = Run.objects.filter(thread=thread, status=RunStatus.QUEUED).order_by("position", "id")
    return [run.input_message.content for run in waiting.select_related("input_message") if run.input_message]


@pytest.fixture
def working(thread: Thread) -> Run:
    """A run that a worker holds."""
    say(thread, "first")
    run = states.claim_next(thread.pk, owner="worker")
    assert run is not None
    return run


def refusal(code: str) -> pytest.RaisesExc[ZergError]:
    return pytest.RaisesExc(ZergError, check=lambda error: error.code == code and error.status == 409)


def test_people_go_before_what_nobody_waits_for(thread: Thread, working: Run) -> None:
    for text, trigger in (("clock", SCHEDULE), ("person", CHAT), ("program", API)):
        say(thread, text, trigger)
    assert order(thread) == ["person", "program", "clock"]


def test_a_message_that_waits_says_what_it_was_changed_to(thread: Thread, working: Run) -> None:
    message = message_of(say(thread, "Go left"))
    before = message.version
    edited = queue.edit(message, text="Go right\r\n")
    assert (edited.content, edited.status, edited.seq) == ("Go right\n", "queued", None)
    assert edited.version > before
    with pytest.raises(ZergError, match="empty"):
        queue.edit(message, text="  ")
    message.refresh_from_db()
    assert message.content == "Go right\n"


def test_a_message_that_was_edited_is_still_the_one_that_was_sent(thread: Thread, working: Run) -> None:
    run = say(thread, "Go left", key="k")
    for text in ("Go right", "Go home"):
        queue.edit(message_of(run), text=text)
    assert say(thread, "Go left", key="k").pk == run.pk
    with refusal("key_reused"):
        say(thread, "Go home", key="k")
    assert message_of(run).content == "Go home"


def test_once_its_turn_has_come_a_message_is_not_changed_taken_back_or_hurried(thread: Thread, working: Run) -> None:
    message = message_of(say(thread, "second"))
    begun = message_of(working)
    taken_back = message_of(say(thread, "third"))
    assert queue.remove(taken_back).pk
    for no_more in (begun, taken_back):
        with refusal("conflict"):
            queue.edit(no_more, text="other")
        with refusal("conflict"):
            queue.remove(no_more)
        with refusal("conflict"):
            queue.send_now(no_more)
    assert order(thread) == ["second"]
    assert message_of(working).content == "first"
    assert fresh(working).cancel_requested_at is None
    assert message.status == "queued"


def test_what_is_sent_now_is_next_and_what_works_is_stopped(thread: Thread, working: Run) -> None:
    runs = [say(thread, text) for text in ("a", "b", "c")]
    say(thread, "clock", SCHEDULE)
    queue.send_now(message_of(runs[1]))
    assert fresh(working).cancel_requested_at is not None
    assert order(thread) == ["b", "a", "c", "clock"]
    queue.send_now(message_of(runs[2]))
    assert order(thread) == ["c", "a", "b", "clock"]
    assert all(fresh(run).cancel_requested_at is None for run in runs)


def test_what_is_sent_now_goes_before_a_message_that_was_about_to_begin(thread: Thread) -> None:
    about_to_begin, waiting = say(thread, "first"), say(thread, "second")
    queue.send_now(message_of(waiting))
    # It is in the transcript: a worker takes it, sees that it was stopped, and goes on with the other.
    assert fresh(about_to_begin).cancel_requested_at is not None
    claimed = states.claim_next(thread.pk, owner="worker")
    assert claimed is not None
    assert (claimed.pk, claimed.cancel_requested_at is not None) == (about_to_begin.pk, True)


@pytest.mark.parametrize("trigger", [CHAT, API])
def test_a_busy_thread_that_refuses_stores_nothing(thread: Thread, working: Run, trigger: Run.Trigger) -> None:
    update_thread(thread, busy_policy="refuse")
    thread.refresh_from_db()
    before = thread.version
    with refusal("busy"):
        say(thread, "second", trigger)
    thread.refresh_from_db()
    assert (thread.version, thread.messages.count(), thread.runs.count()) == (before, 1, 1)
    assert fresh(working).cancel_requested_at is None


def test_a_thread_that_refuses_gives_the_same_answer_to_the_same_message(thread: Thread) -> None:
    update_thread(thread, busy_policy="refuse")
    run = say(thread, "once", key="k")
    assert say(thread, "once", key="k").pk == run.pk


def test_a_thread_that_refuses_takes_what_a_schedule_brings(thread: Thread, working: Run) -> None:
    update_thread(thread, busy_policy="refuse")
    assert say(thread, "clock", SCHEDULE).position == Run.Position.BACKGROUND
    assert say(thread, "by hand", Run.Trigger.MANUAL).position == Run.Position.PERSON


def test_a_message_replaces_what_works_and_goes_before_all_that_waits(thread: Thread, working: Run) -> None:
    waiting = say(thread, "waits")
    update_thread(thread, busy_policy="replace")
    say(thread, "clock", SCHEDULE)
    assert fresh(working).cancel_requested_at is None
    say(thread, "instead")
    assert fresh(working).cancel_requested_at is not None
    assert order(thread) == ["instead", "waits", "clock"]
    assert fresh(waiting).cancel_requested_at is None


def test_the_newest_of_several_that_replace_is_the_one_that_is_answered(thread: Thread, working: Run) -> None:
    update_thread(thread, busy_policy="replace")
    one, two, three = (say(thread, text) for text in ("one", "two", "three"))
    # The others join the transcript where they were said, and are stopped there.
    assert order(thread) == ["one", "two", "three"]
    assert [fresh(run).cancel_requested_at is not None for run in (one, two, three)] == [True, True, False]


def test_a_message_in_a_quiet_thread_replaces_nothing(thread: Thread) -> None:
    update_thread(thread, busy_policy="replace")
    run = say(thread, "first")
    assert (run.position, message_of(run).status) == (Run.Position.HEAD, "complete")


def test_taking_back_what_would_have_been_next_leaves_the_rest(thread: Thread, working: Run) -> None:
    runs = [say(thread, text) for text in ("a", "b")]
    queue.send_now(message_of(runs[1]))
    assert cancel(runs[1]).status == RunStatus.CANCELLED
    assert order(thread) == ["a"]
