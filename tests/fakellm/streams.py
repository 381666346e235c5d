"""Writing an answer: as a stream of chunks at a pace, or whole."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakellm.plan import Call, Plan


@dataclass
class Record:
    """One chat request and what became of it. Times are seconds since the epoch."""

    number: int
    body: dict[str, Any]
    headers: dict[str, str]
    time: float
    status: int = 200
    disconnected: bool = False
    broken_off: bool = False
    finished: float | None = None
    pieces: list[str] = field(default_factory=list)

    @property
    def sent(self) -> str:
        """The text of the answer that was sent, exactly."""
        return "".join(self.pieces)

    def as_json(self) -> dict[str, Any]:
        return {
            "n": self.number,
            "body": self.body,
            "headers": self.headers,
            "time": self.time,
            "status": self.status,
            "disconnected": self.disconnected,
            "finished": self.finished,
            "tokens_sent": len(self.pieces),
        }


def _usage(plan: Plan, record: Record) -> dict[str, Any]:
    sent = len(json.dumps(record.body.get("messages", []), ensure_ascii=False)) // 4
    output = len(plan.tokens) + len(plan.reasoning) + sum(len(call.arguments) // 4 + 1 for call in plan.calls)
    details = {"cached_tokens": sent // 2}
    total = sent + output
    return {
        "prompt_tokens": sent,
        "completion_tokens": output,
        "total_tokens": total,
        "prompt_tokens_details": details,
    }


async def send_whole(plan: Plan, record: Record) -> web.Response:
    await asyncio.sleep(plan.first)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(plan.tokens)}
    if plan.reasoning:
        message["reasoning_content"] = "".join(plan.reasoning)
    if plan.calls:
        message["tool_calls"] = [_whole_call(call) for call in plan.calls]
    choice = {"index": 0, "message": message, "finish_reason": _finish(plan)}
    record.pieces.extend(plan.tokens)
    body: dict[str, Any] = {
        "id": f"chatcmpl-{record.number}",
        "object": "chat.completion",
        "choices": [choice],
    }
    if plan.usage:
        body["usage"] = _usage(plan, record)
    return web.json_response(body, dumps=lambda value: json.dumps(value, ensure_ascii=False))


def _finish(plan: Plan) -> str:
    return plan.finish or ("tool_calls" if plan.calls else "stop")


def _whole_call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


async def send_stream(request: web.Request, plan: Plan, record: Record) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    stream = _Stream(request, response, plan, record)
    await stream.send()
    return response


class _Stream:
    def __init__(self, request: web.Request, response: web.StreamResponse, plan: Plan, record: Record) -> None:
        self.request = request
        self.response = response
        self.plan = plan
        self.record = record
        model = json.dumps(record.body.get("model", ""))
        head = f'{{"id":"chatcmpl-{record.number}","object":"chat.completion.chunk","created":0,"model":{model},'
        end = plan.line_end
        comment = f": still here{end}{end}" if plan.comments else ""
        # Built once: a hundred streams are to cost next to nothing.
        self._before = f"{comment}data: {head}"
        self._after = f"}}{end}{end}"

    async def send(self) -> None:
        plan = self.plan
        if plan.first:
            await asyncio.sleep(plan.first)
        await self._write(self._delta({"role": "assistant", "content": ""}))
        for thought in plan.reasoning:
            await self._write(self._delta({"reasoning_content": thought}))
        await self._send_tokens()
        if plan.fault:
            await self._break_off()
            return
        for delta in _call_deltas(plan.calls):
            await self._write(self._delta(delta))
        await self._write(self._delta({}, _finish(plan)))
        options = self.record.body.get("stream_options") or {}
        if plan.usage and options.get("include_usage"):
            usage = json.dumps(_usage(plan, self.record))
            await self._write(f'{self._before}"choices":[],"usage":{usage}{self._after}')
        if plan.done:
            await self._write(f"data: [DONE]{plan.line_end}{plan.line_end}")
        await self.response.write_eof()

    async def _send_tokens(self) -> None:
        """All tokens that are due go out in one write, so a server that is late catches up instead of
        drifting."""
        plan = self.plan
        tokens = plan.tokens[: plan.after] if plan.fault else plan.tokens
        started, position = time.monotonic(), 0
        while position < len(tokens):
            due = len(tokens)
            if plan.rate:
                due = min(due, int((time.monotonic() - started) * plan.rate) + 1)
            ready = tokens[position:due]
            if plan.stamp:
                ready = [_stamped(token) for token in ready]
            if ready:
                self.record.pieces.extend(ready)
                await self._write("".join(self._delta({"content": token}) for token in ready))
            position = due
            if position < len(tokens):
                await asyncio.sleep(max(started + position / plan.rate - time.monotonic(), 0.0005))

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> str:
        text = json.dumps(delta, ensure_ascii=False)
        reason = json.dumps(finish)
        return f'{self._before}"choices":[{{"index":0,"delta":{text},"finish_reason":{reason}}}]{self._after}'

    async def _write(self, text: str) -> None:
        data = text.encode()
        if not self.plan.splits:
            await self.response.write(data)
            return
        for start, end in _odd_cuts(len(data)):
            await self.response.write(data[start:end])
            await asyncio.sleep(0.001)  # so that each piece leaves in a segment of its own

    async def _break_off(self) -> None:
        plan, end = self.plan, self.plan.line_end
        if plan.fault == "hang":
            await asyncio.Event().wait()
        self.record.broken_off = True
        if plan.fault == "badjson":
            await self._write(f'data: {{"choices":[{{"delta":{{"content":"half{end}{end}')
        elif plan.fault == "streamerror":
            await self._write(f"data: {json.dumps({'error': plan.error})}{end}{end}")
        elif plan.fault == "errorevent":
            await self._write(f"event: error{end}data: {json.dumps(plan.error)}{end}{end}")
        transport = self.request.transport
        if transport is None:
            return
        if plan.fault == "reset":
            transport.abort()
        elif plan.fault == "drop":
            transport.close()
        else:
            await self.response.write_eof()


def _stamped(token: str) -> str:
    word = token.rstrip()
    return f"{word}:{time.time_ns()}{token[len(word) :]}"


def _odd_cuts(length: int) -> Iterator[tuple[int, int]]:
    start = 0
    for size in itertools.cycle((1, 2, 3, 5, 7, 11, 13)):
        if start >= length:
            return
        yield start, min(start + size, length)
        start += size


def _call_deltas(calls: list[Call]) -> Iterator[dict[str, Any]]:
    """Opened one after another, then their arguments in pieces, in turns, as parallel calls may come."""
    for index, call in enumerate(calls):
        if call.whole:
            yield {"tool_calls": [_whole_call(call)]}
        else:
            opened = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            yield {"tool_calls": [{"index": index, **opened}]}
    parts = [_pieces(call) for call in calls]
    for row in itertools.zip_longest(*parts):
        for index, piece in enumerate(row):
            if piece:
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _pieces(call: Call) -> list[str]:
    if call.whole:
        return []
    size = max(len(call.arguments) // call.pieces, 1)
    return [call.arguments[start : start + size] for start in range(0, len(call.arguments), size)]
