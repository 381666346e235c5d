"""A thread as a file: complete, and drawn as it was when it is read again."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from common.markdown import close_fence, render_blocks
from tests.fakellm.samples import TEXTS
from tests.threads.conversations import talk
from threads.export import CHUNK, as_json, as_markdown, file_name
from threads.models import Thread, ThreadMessage
from threads.services import change


@pytest.mark.parametrize("name", ["code", "table", "math", "list"])
def test_markdown_read_again_is_drawn_as_the_answer_was(thread: Thread, owner: User, name: str) -> None:
    talk(thread, owner, "```\nan open fence", TEXTS[name])
    talk(thread, owner, "# more", "```python\nnever = 'closed'")
    blocks = render_blocks("".join(as_markdown(thread)))
    wanted = render_blocks(TEXTS[name])
    at = blocks.index(wanted[0])
    assert blocks[at : at + len(wanted)] == wanted
    assert blocks[-1] == render_blocks("```python\nnever = 'closed'\n```")[0]
    assert [block[:4] for block in blocks].count("<h4>") == 4, "a heading for each message, and no other"


def test_markdown_holds_the_branch_that_is_read_or_the_one_that_was_asked_for(thread: Thread, owner: User) -> None:
    question, first = talk(thread, owner, "question", "first answer")
    with change(thread.pk) as locked:
        locked.leaf = question
    talk(thread, owner, "", "second answer")
    assert "second answer" in "".join(as_markdown(thread))
    assert "first answer" not in "".join(as_markdown(thread))
    assert "first answer" in "".join(as_markdown(thread, first.pk))


def test_json_holds_every_row_of_all_branches(thread: Thread, owner: User) -> None:
    for number in range(CHUNK):
        talk(thread, owner, f"question {number} “ü” \u2028", f"answer {number}")
    found = json.loads("".join(as_json(thread)))
    rows = list(ThreadMessage.objects.filter(thread=thread).order_by("seq"))
    assert [(row["id"], row["parent_id"], row["role"], row["content"]) for row in found["messages"]] == [
        (row.pk, row.parent_id, row.role, row.content) for row in rows
    ]
    assert (found["format"], found["title"], found["leaf_id"]) == ("zerg-thread", thread.title, thread.leaf_id)


def test_an_empty_thread_is_a_file_too(thread: Thread) -> None:
    assert json.loads("".join(as_json(thread)))["messages"] == []
    assert "".join(as_markdown(thread)).startswith("# What changed\n\nScout · ")


def test_no_piece_holds_more_than_a_chunk(thread: Thread, owner: User) -> None:
    for _ in range(CHUNK):
        talk(thread, owner, "question", "answer")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert max(piece.count("answer") for piece in as_markdown(thread)) <= CHUNK
        assert max(piece.count("answer") for piece in as_json(thread)) <= CHUNK
    assert len(queries) <= 8


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("What changed: this week?", "what-changed-this-week-7.md"),
        ("../../etc/passwd\r\nX-Evil: 1", "etcpasswd-x-evil-1-7.md"),
        ("日本語", "thread-7.md"),
        ("", "thread-7.md"),
        ("x" * 200, "x" * 60 + "-7.md"),
    ],
)
def test_a_file_is_named_safely(title: str, name: str) -> None:
    assert file_name(Thread(pk=7, title=title), "md") == name


@pytest.mark.parametrize("text", ["", "text", "```\ncode\n```", "- ```\n  in a list", "~~~\n```\n~~~"])
def test_what_is_closed_stays_as_it_is(text: str) -> None:
    assert close_fence(text) == text


def test_an_open_fence_is_closed_by_its_own_kind() -> None:
    assert close_fence("a\n\n````py\n```\nx\n") == "a\n\n````py\n```\nx\n````"
