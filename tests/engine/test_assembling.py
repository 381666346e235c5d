"""A reply is put together from deltas as servers really send them."""

from __future__ import annotations

import json
from typing import Any

from engine import ToolCall
from engine.wire import Assembler, decode


def assemble(*deltas: dict[str, Any], **last: Any) -> Assembler:
    reply = Assembler()
    for delta in deltas:
        reply.add(decode(json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode()))
    if last:
        reply.add(decode(json.dumps(last).encode()))
    return reply


def call(index: int | None = None, id: str | None = None, **function: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"function": function}
    if index is not None:
        entry["index"] = index
    if id is not None:
        entry["id"] = id
    return {"tool_calls": [entry]}


def test_several_calls_interleaved_by_index() -> None:
    reply = assemble(
        call(0, "a", name="x", arguments=""),
        call(1, "b", name="y", arguments=""),
        call(1, arguments='{"n"'),
        call(0, arguments="{"),
        call(1, arguments=": 2}"),
        call(0, arguments="}"),
    )
    assert reply.calls() == (ToolCall("a", "x", "{}"), ToolCall("b", "y", '{"n": 2}'))


def test_id_and_name_may_come_late() -> None:
    reply = assemble(call(0, arguments='{"n": '), call(0, name="x", arguments="1}"), call(0, "a"))
    assert reply.calls() == (ToolCall("a", "x", '{"n": 1}'),)


def test_calls_without_index_are_told_apart_by_id() -> None:
    reply = assemble(
        call(id="a", name="x", arguments="{"),
        call(id="b", name="y", arguments="{"),
        call(id="a", arguments="}"),
        call(id="b", arguments="}"),
    )
    assert reply.calls() == (ToolCall("a", "x", "{}"), ToolCall("b", "y", "{}"))


def test_calls_without_index_and_id_are_told_apart_by_name() -> None:
    reply = assemble(call(name="x", arguments="{"), call(arguments="}"), call(name="x", arguments="{}"))
    names = [(found.name, found.arguments) for found in reply.calls()]
    assert names == [("x", "{}"), ("x", "{}")]
    first, second = reply.calls()
    assert first.id != second.id


def test_calls_that_all_have_index_zero_are_told_apart_by_id() -> None:
    reply = assemble(call(0, "a", name="x", arguments="{}"), call(0, "b", name="y", arguments="{}"))
    assert [found.name for found in reply.calls()] == ["x", "y"]


def test_a_name_that_is_repeated_with_every_delta_is_one_name() -> None:
    reply = assemble(call(0, "a", name="x", arguments="{"), call(0, "a", name="x", arguments="}"))
    assert reply.calls() == (ToolCall("a", "x", "{}"),)


def test_arguments_sent_as_an_object_become_text() -> None:
    reply = assemble(call(0, "a", name="x", arguments={"city": "Köln"}))
    assert reply.calls()[0].arguments == '{"city": "Köln"}'


def test_missing_and_repeated_ids_are_made_up() -> None:
    reply = assemble(call(0, "", name="x"), call(1, "a", name="y"), call(2, "a", name="z"))
    ids = [found.id for found in reply.calls()]
    assert len(set(ids)) == 3
    assert all(ids)
    assert reply.calls()[0].arguments == "{}"


def test_reasoning_of_either_name_is_reasoning() -> None:
    reply = assemble({"reasoning_content": "a"}, {"reasoning": "b"}, {"content": "c"}, {"reasoning": {"x": 1}})
    assert reply.take() == ("ab", "c")
    assert reply.take() == ("", "")


def test_reasoning_in_pieces_of_content_is_reasoning() -> None:
    pieces = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    assert assemble({"content": pieces}).take() == ("hm", "yes")


def test_a_refusal_is_text() -> None:
    assert assemble({"refusal": "I cannot."}).take() == ("", "I cannot.")


def test_other_choices_are_passed_over() -> None:
    reply = assemble({"content": "a"}, choices=[{"index": 1, "delta": {"content": "b"}}])
    assert reply.take() == ("", "a")


def test_what_is_null_or_unknown_is_no_matter() -> None:
    reply = assemble(
        {"role": "assistant", "content": None, "tool_calls": None, "audio": {"x": 1}},
        choices=None,
        usage=None,
        timings={"x": 1},
    )
    assert reply.take() == ("", "")
    assert reply.calls() == ()


def test_usage_is_kept_wherever_it_comes() -> None:
    reply = assemble({"content": "a"}, choices=[], usage={"prompt_tokens": 5, "completion_tokens": "7"})
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (5, 7)


def test_nul_is_replaced_as_no_database_stores_it() -> None:
    assert assemble({"content": "a\0b"}).take() == ("", "a\ufffdb")
