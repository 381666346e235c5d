"""What is being written is kept for whoever writes it, the newest wins, and what is refused stays in the box."""

from __future__ import annotations

import time

import pytest

from accounts.models import User
from common.drafts import moment_of
from tests.conftest import ClientOf
from threads.drafts import clear_draft, save_draft, written_in
from threads.models import Thread, ThreadDraft, ThreadMessage


def now_ms() -> int:
    return int(time.time() * 1000)


def test_the_newest_by_the_writer_s_clock_wins_whatever_comes_first(thread: Thread, owner: User) -> None:
    save_draft(thread, by=owner, text="second", at=moment_of(2000))
    save_draft(thread, by=owner, text="first", at=moment_of(1000))
    assert written_in(thread, by=owner).text == "second"
    save_draft(thread, by=owner, text="third", at=moment_of(3000))
    assert (written_in(thread, by=owner).text, written_in(thread, by=owner).at) == ("third", 3000)
    save_draft(thread, by=owner, text="", at=moment_of(4000))
    assert written_in(thread, by=owner).text == ""


def test_what_was_sent_does_not_come_back_when_its_draft_comes_late(thread: Thread, owner: User) -> None:
    clear_draft(thread, by=owner, at=moment_of(2000))
    save_draft(thread, by=owner, text="sent already", at=moment_of(2000))
    assert written_in(thread, by=owner).text == ""
    save_draft(thread, by=owner, text="new", at=moment_of(2001))
    assert written_in(thread, by=owner).text == ""
    save_draft(thread, by=owner, text="new", at=moment_of(2002))
    assert written_in(thread, by=owner).text == "new"


def test_a_clock_that_is_ahead_does_not_win_for_ever(thread: Thread, owner: User) -> None:
    save_draft(thread, by=owner, text="from next year", at=moment_of(now_ms() + 31_536_000_000))
    save_draft(thread, by=owner, text="now", at=moment_of(now_ms() + 1000))
    assert written_in(thread, by=owner).text == "now"


def test_a_draft_is_there_on_the_page_and_nobody_else_s(
    client_of: ClientOf, thread: Thread, owner: User, stranger: User
) -> None:
    text = "\n<b>half a thought</b>\n"
    sent = client_of(owner).post(f"/threads/{thread.pk}/draft/", {"content": text, "at": now_ms()})
    assert sent.status_code == 204
    page = client_of(owner).get(f"/threads/{thread.pk}/").content.decode()
    assert "\n\n&lt;b&gt;half a thought&lt;/b&gt;\n</textarea>" in page
    refused = client_of(stranger).post(f"/threads/{thread.pk}/draft/", {"content": "mine", "at": now_ms()})
    assert refused.status_code == 404
    assert ThreadDraft.objects.count() == 1


@pytest.mark.parametrize("body", [{"content": "x"}, {"content": "x", "at": "soon"}, {"content": "a\0b", "at": 1}])
def test_a_draft_that_cannot_be_kept_is_refused(
    client_of: ClientOf, thread: Thread, owner: User, body: dict[str, str]
) -> None:
    assert client_of(owner).post(f"/threads/{thread.pk}/draft/", body).status_code == 422
    assert not ThreadDraft.objects.exists()


def test_sending_ends_the_draft_but_not_what_was_typed_since(client_of: ClientOf, thread: Thread, owner: User) -> None:
    client = client_of(owner)
    save_draft(thread, by=owner, text="hello", at=moment_of(1000))
    answer = client.post(f"/threads/{thread.pk}/messages/", {"content": "hello", "typed_at": 1000})
    assert answer.status_code == 303
    assert written_in(thread, by=owner).text == ""
    save_draft(thread, by=owner, text="and then", at=moment_of(5000))
    client.post(f"/threads/{thread.pk}/messages/", {"content": "slow one", "typed_at": 4000})
    assert written_in(thread, by=owner).text == "and then"


@pytest.mark.parametrize(
    ("fields", "status", "why"),
    [
        ({"content": " \n "}, 422, "Write something first"),
        ({"content": "keep <me>" + "x" * 300_000}, 413, "at most 256 fit"),
        ({"content": "keep <me>", "client_message_id": "c" * 129}, 422, "client_message_id has at most 128"),
        ({"content": "keep <me>\0"}, 422, "NUL character"),
    ],
)
def test_without_script_a_refused_message_stays_in_the_box_with_the_reason(
    client_of: ClientOf, thread: Thread, owner: User, fields: dict[str, str], status: int, why: str
) -> None:
    answer = client_of(owner).post(f"/threads/{thread.pk}/messages/", fields)
    page = answer.content.decode()
    assert answer.status_code == status
    assert why in page
    assert "Your text is still here" in page
    if "keep" in fields["content"]:
        assert "keep &lt;me&gt;" in page
    assert not ThreadMessage.objects.exists()
