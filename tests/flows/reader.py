"""A client that does no more than the contract says: it appends. Any gap or repeat in a stream fails the test."""

from __future__ import annotations

from typing import Any

Frame = dict[str, Any]

MESSAGE = {
    "id", "thread_id", "seq", "role", "content", "tool_calls", "tool_call_id", "name", "status", "run_id", "source",
    "timestamp", "version", "usage", "cost_usd",
}  # fmt: skip
RUN = {
    "id", "status", "reason", "trigger", "attempt", "error", "queued_at", "started_at", "first_token_at", "finished_at",
    "model", "usage", "cost_usd", "steps",
}  # fmt: skip
FIELDS = {
    "thread_history": {"thread_id", "messages", "version", "runs"},
    "message": MESSAGE,
    "message_received": {"message_id", "thread_id", "client_message_id", "run_id"},
    "stream_start": {"run_id", "message_id", "content"},
    "stream_chunk": {"run_id", "message_id", "offset", "content"},
    "stream_end": {"run_id", "message_id", "status", "content", "usage", "cost_usd"},
    "run": {"run"},
    "pong": {"timestamp"},
    "error": {"code", "error"},
}
FINISHED = {"succeeded", "failed", "cancelled"}


class Reader:
    """What a client knows: ``rows`` by id, ``runs`` by id, and ``texts``, put together by appending only."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.rows: dict[int, Frame] = {}
        self.runs: dict[int, Frame] = {}
        self.texts: dict[int, str] = {}
        self.streaming: set[int] = set()
        self.version = -1
        self.expects_a_crash = False
        """A worker that is killed may take up to a checkpoint's worth of text with it; not more, and nothing else."""

    def take(self, frame: Frame) -> None:
        kind = frame.get("type")
        assert kind in FIELDS, frame
        missing = FIELDS[kind] - frame.keys()
        assert not missing, f"{kind} lacks {missing}"
        self.frames.append(frame)
        handler = getattr(self, f"_{kind}", None)
        if handler is not None:
            handler(frame)

    def _thread_history(self, frame: Frame) -> None:
        self.version = frame["version"]
        for row in frame["messages"]:
            assert row.keys() >= MESSAGE
            self.rows[row["id"]] = row
        for run in frame["runs"]:
            assert run["status"] not in FINISHED
            self._keep_run(run)

    def _message(self, frame: Frame) -> None:
        self.rows[frame["id"]] = frame
        self.version = max(self.version, frame["version"])

    def _run(self, frame: Frame) -> None:
        self._keep_run(frame["run"])

    def _keep_run(self, run: Frame) -> None:
        assert run.keys() >= RUN
        self.runs[run["id"]] = run

    def _stream_start(self, frame: Frame) -> None:
        message = frame["message_id"]
        assert frame["content"].startswith(self.texts.get(message, "")), "a text lost something it had"
        self.texts[message] = frame["content"]
        self.streaming.add(message)

    def _stream_chunk(self, frame: Frame) -> None:
        message = frame["message_id"]
        assert message in self.streaming, f"a chunk before its start: {frame}"
        have = len(self.texts[message])
        assert frame["offset"] == have, f"offset {frame['offset']}, and {have} code points are here"
        assert frame["content"], "an empty chunk"
        self.texts[message] += frame["content"]

    def _stream_end(self, frame: Frame) -> None:
        message = frame["message_id"]
        assert message in self.streaming, f"an end without a start: {frame}"
        self.streaming.remove(message)
        if self.expects_a_crash and frame["status"] == "failed":
            assert self.texts[message].startswith(frame["content"])
            return
        assert frame["content"] == self.texts[message], "the whole is not the sum of its chunks"

    # Looking back

    def of(self, kind: str, **fields: Any) -> list[Frame]:
        """The frames of a type whose fields have these values, in order."""
        return [frame for frame in self.frames if frame["type"] == kind and _has(frame, fields)]

    def one(self, kind: str, **fields: Any) -> Frame:
        found = self.of(kind, **fields)
        assert len(found) == 1, f"{len(found)} frames {kind} {fields}: {[f['type'] for f in self.frames]}"
        return found[0]

    def has_ended(self, run_id: int) -> bool:
        run = self.runs.get(run_id)
        return run is not None and run["status"] in FINISHED

    def answers_of(self, run_id: int) -> list[Frame]:
        """The assistant's rows of a run, as the client knows them, in order."""
        rows = [row for row in self.rows.values() if row["run_id"] == run_id and row["role"] == "assistant"]
        return sorted(rows, key=lambda row: row["seq"] or 0)


def _has(frame: Frame, fields: dict[str, Any]) -> bool:
    return all(frame.get(name) == value for name, value in fields.items())
