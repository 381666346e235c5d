"""A tool is a typed function with a docstring. The model sees its name, its docstring and a schema of its
parameters."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_type_hints

import pydantic
import pydantic_core

from engine.events import Effect

log = logging.getLogger("zerg.engine")

MAX_ARGUMENT_CHARS = 200_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of the run it serves. `now` gives an aware time; `timezone` is the person's IANA
    zone.

    `key` names the call: another one for each call, and the same when a call that was interrupted is made again. Send
    it along as an idempotency key. Whoever starts a run gives its context a key that no other run has.
    """

    now: Callable[[], datetime] = _utc_now
    timezone: str = "UTC"
    key: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told. `is_error` when the call did not do what was asked."""

    content: str
    is_error: bool = False


class ToolError(Exception):
    """Raised by a tool to tell the model, in a sentence, why the call did not work."""


Handler = Callable[[dict[str, Any], ToolContext], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is a JSON schema of type object. `effect`: do calls only look (read), may they be repeated with
    the same `context.key` (idempotent), or may they do something that must not happen twice (unsafe). `handler` gets
    checked arguments. A run is over after the round in which a tool that `ends_run` has worked."""

    name: str
    description: str
    parameters: dict[str, Any]
    effect: Effect
    handler: Handler
    validate: Callable[[dict[str, Any]], dict[str, Any]]
    ends_run: bool = False

    async def call(self, arguments: str, context: ToolContext | None = None) -> ToolResult:
        """The result for the model of a call with `arguments` (JSON text). Raises nothing but
        CancelledError."""
        try:
            checked = self.validate(parse_arguments(arguments))
            return ToolResult(as_text(await self.handler(checked, context or ToolContext())))
        except pydantic.ValidationError as error:
            return ToolResult(f"{self._complaint(error)} {self._usage()}", is_error=True)
        except ToolError as error:
            return ToolResult(str(error), is_error=True)
        except Exception as error:
            log.warning("tool %s failed", self.name, exc_info=True)
            return ToolResult(f"{self.name} failed: {type(error).__name__}: {str(error)[:500]}", is_error=True)

    def _complaint(self, error: pydantic.ValidationError) -> str:
        found = [
            f"{'.'.join(str(part) for part in item['loc'])[:100] or 'arguments'}: {item['msg']}"
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
        return f"Invalid arguments for {self.name}: {'; '.join(found[:5])}{more}."

    def _usage(self) -> str:
        required = set(self.parameters.get("required", ()))
        names = [
            f"{name} ({'required' if name in required else 'optional'})"
            for name in self.parameters.get("properties", {})
        ]
        return f"It takes {', '.join(names)}." if names else "It takes no arguments."


def parse_arguments(arguments: str) -> dict[str, Any]:
    """The model's JSON text as a dict. Raises ToolError for anything but one finite, not too large JSON
    object."""
    if len(arguments) > MAX_ARGUMENT_CHARS:
        raise ToolError(f"The arguments are too large: {len(arguments)} characters, at most {MAX_ARGUMENT_CHARS}.")
    try:
        parsed = pydantic_core.from_json(arguments.strip() or "{}", allow_inf_nan=False)
        json.dumps(parsed, allow_nan=False)  # 1e999 is read as infinity
    except ValueError as error:
        raise ToolError(f"The arguments are not valid JSON ({error}). Send one JSON object.") from None
    if not isinstance(parsed, dict):
        raise ToolError("The arguments must be one JSON object.")
    return parsed


def as_text(value: Any) -> str:
    """A tool's return value as the model reads it: text as it is, everything else as JSON."""
    if value is None:
        return "Done."
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def tool(*, effect: Effect, ends_run: bool = False) -> Callable[[Callable[..., Any]], Tool]:
    """Makes a Tool of a typed function. Its docstring is the description, cleaned of indentation.

    A first parameter annotated `ToolContext` is filled in by us and not offered to the model. Describe a
    parameter with `Annotated[str, pydantic.Field(description="…")]`. A sync function runs in a thread, so
    that it cannot hold up the other streams; it must be short, as a thread cannot be cancelled.
    """

    def make(function: Callable[..., Any]) -> Tool:
        hints = get_type_hints(function, include_extras=True)
        names = list(inspect.signature(function).parameters)
        wants_context = bool(names) and hints.get(names[0]) is ToolContext
        arguments = _arguments_model(function, names[1:] if wants_context else names, hints)
        schema = arguments.model_json_schema()
        return Tool(
            name=getattr(function, "__name__", "tool"),
            description=inspect.getdoc(function) or "",
            parameters=_tidy(schema),
            effect=effect,
            handler=partial(_call_function, function, wants_context),
            validate=partial(_validate, arguments),
            ends_run=ends_run,
        )

    return make


def _arguments_model(function: Callable[..., Any], names: list[str], hints: dict[str, Any]) -> type[pydantic.BaseModel]:
    signature = inspect.signature(function)
    fields: dict[str, Any] = {}
    for number, name in enumerate(names):
        default = signature.parameters[name].default
        required = default is inspect.Parameter.empty
        # Behind an alias, a parameter may have any name, also one that pydantic keeps for itself.
        info = pydantic.Field(alias=name) if required else pydantic.Field(default, alias=name)
        fields[f"p{number}"] = (hints.get(name, Any), info)
    config = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)
    model: type[pydantic.BaseModel] = pydantic.create_model("Arguments", __config__=config, **fields)
    return model


def _validate(model: type[pydantic.BaseModel], arguments: dict[str, Any]) -> dict[str, Any]:
    checked = model.model_validate(arguments)
    return {str(info.alias): getattr(checked, name) for name, info in model.model_fields.items()}


async def _call_function(
    function: Callable[..., Any], wants_context: bool, arguments: dict[str, Any], context: ToolContext
) -> Any:
    positional = (context,) if wants_context else ()
    if inspect.iscoroutinefunction(function):
        return await function(*positional, **arguments)
    return await asyncio.to_thread(function, *positional, **arguments)


def _tidy(schema: Any) -> Any:
    """Without the titles pydantic adds: they cost tokens and say nothing."""
    if isinstance(schema, dict):
        return {
            key: {name: _tidy(value) for name, value in item.items()} if key in ("properties", "$defs") else _tidy(item)
            for key, item in schema.items()
            if key != "title"
        }
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    return schema
