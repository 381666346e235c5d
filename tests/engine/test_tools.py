"""A typed function with a docstring is a tool; whatever a model sends it, the model gets a result."""

from __future__ import annotations

import threading
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from engine import Tool, ToolContext, ToolError, tool


class Point(BaseModel):
    x: float
    y: float


@tool(effect="idempotent")
def plot(
    context: ToolContext,
    at: Point,
    colour: Literal["red", "blue"] = "red",
    json: Annotated[int, Field(description="Names that pydantic keeps are fine.", ge=0)] = 0,
    labels: list[str] | None = None,
) -> dict[str, object]:
    """Plots a point.

    More about it.
    """
    return {"x": at.x, "colour": colour, "json": json, "labels": labels, "zone": context.timezone}


@tool(effect="unsafe")
async def explode() -> None:
    """Fails."""
    raise RuntimeError("boom")


@tool(effect="read")
def decline(reason: str) -> str:
    """Says no."""
    raise ToolError(f"No, because {reason}.")


def test_the_schema_is_that_of_the_parameters_without_the_context() -> None:
    assert (plot.name, plot.effect) == ("plot", "idempotent")
    assert plot.description == "Plots a point.\n\nMore about it."
    properties = plot.parameters["properties"]
    assert list(properties) == ["at", "colour", "json", "labels"]
    assert plot.parameters["required"] == ["at"]
    assert plot.parameters["additionalProperties"] is False
    assert properties["colour"] == {"default": "red", "enum": ["red", "blue"], "type": "string"}
    assert properties["json"]["description"] == "Names that pydantic keeps are fine."
    assert "title" not in str(plot.parameters)


async def test_arguments_arrive_typed_and_the_result_is_text() -> None:
    result = await plot.call('{"at": {"x": 1, "y": 2}, "json": 3}', ToolContext(timezone="Asia/Tokyo"))

    assert not result.is_error
    assert result.content == '{"x": 1.0, "colour": "red", "json": 3, "labels": null, "zone": "Asia/Tokyo"}'


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{",
        "not json",
        "[]",
        '"text"',
        "null",
        "NaN",
        '{"at": NaN}',
        '{"at": {"x": NaN, "y": 1}}',
        '{"at": {"x": Infinity, "y": 1}}',
        '{"at": {"x": 1e999, "y": 1}}',
        '{"at": {"x": "one", "y": 1}}',
        '{"at": 5}',
        '{"at": {"x": 1, "y": 1}, "extra": 1}',
        '{"at": {"x": 1, "y": 1}, "colour": "green"}',
        '{"at": {"x": 1, "y": 1}, "json": -1}',
        '{"at": {"x": 1, "y": 1}, "json": 1.5}',
        '{"at": {"x": 1, "y": 1}, "labels": [1]}',
        '{"at": {"x": 1, "y": 1}, "context": {"timezone": "UTC"}}',
        '{"p0": {"x": 1, "y": 1}}',
        '{"at": ' + "[" * 100_000 + "]" * 90_000,
        '{"at": ' + '{"at":' * 5_000 + "1" + "}" * 5_001,
        '{"at": {"x": ' + "9" * 10_000 + ', "y": 1}}',
        '{"at": "' + "x" * 300_000 + '"}',
        '{"at": "\\ud800"}',
        '{"at": "\x00"}',
    ],
    ids=lambda arguments: arguments[:40],
)
async def test_bad_arguments_are_an_error_for_the_model(arguments: str) -> None:
    result = await plot.call(arguments)

    assert result.is_error
    assert 0 < len(result.content) < 1_500


async def test_the_error_says_what_is_wrong_and_what_is_wanted() -> None:
    result = await plot.call('{"at": {"x": 1}, "colour": "green", "size": 3}')

    assert "at.y: Field required" in result.content
    assert "colour: " in result.content
    assert "size: Extra inputs are not permitted" in result.content
    assert "It takes at (required), colour (optional)" in result.content


async def test_a_tool_that_raises_is_an_error_for_the_model() -> None:
    assert (await explode.call("{}")).content == "explode failed: RuntimeError: boom"
    declined = await decline.call('{"reason": "of rain"}')
    assert (declined.content, declined.is_error) == ("No, because of rain.", True)


async def test_no_arguments_may_be_sent_as_nothing() -> None:
    @tool(effect="read")
    async def ping() -> None:
        """Pings."""

    assert (await ping.call("")).content == "Done."
    assert (await ping.call("  ")).is_error is False
    assert ping.parameters["properties"] == {}


async def test_a_sync_tool_does_not_hold_up_the_loop() -> None:
    threads: list[threading.Thread] = []

    @tool(effect="read")
    def where() -> str:
        """Where it runs."""
        threads.append(threading.current_thread())
        return "there"

    await where.call("{}")
    assert threads[0] is not threading.main_thread()


async def test_text_that_cannot_be_stored_is_made_storable() -> None:
    @tool(effect="read")
    def odd() -> str:
        """Odd."""
        return "a\0b\ud800c"

    content = (await odd.call("{}")).content
    content.encode()
    assert "\0" not in content


def test_a_tool_is_a_value() -> None:
    assert isinstance(plot, Tool)
    with pytest.raises(AttributeError):
        plot.name = "other"  # type: ignore[misc]
