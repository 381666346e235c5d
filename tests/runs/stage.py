"""Runs performed in the test's own thread: the real executor and engine, and a real model server beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async

from agents.clients import ModelClients
from agents.models import LanguageModel, Provider
from common.database import DatabaseThreads
from runs.executor import execute
from runs.live_text import LiveTexts
from runs.models import Run
from runs.services import start_runs
from runs.starting import Start
from runs.terms import Terms
from runs.worker import Worker
from tests.fakellm import FakeLLM
from tests.fakellm.streams import Record
from threads.models import Thread

T = TypeVar("T")


class OwnThread(DatabaseThreads):
    """The database in the thread of the test, whose transaction is undone after it."""

    def __init__(self) -> None:
        super().__init__(1, "unused")

    async def __call__(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await sync_to_async(function)(*args, **kwargs)


class Unheard:
    """A bus that nobody listens to."""

    def send(self, thread_id: int, payload: bytes) -> None:
        pass


class StageWorker(Worker):
    """Without a heartbeat: nobody else takes its runs."""

    def __init__(self) -> None:
        self.name = "stage"
        self.publisher = Unheard()  # type: ignore[assignment]
        self.draining = False
        self.clients = ModelClients()
        self.database = OwnThread()
        self.texts = LiveTexts(self.publisher, self.database)
        self._tasks, self._reasons, self._spawned, self._pauses = {}, {}, {}, {}


class Stage:
    """``fake`` is the model server; its model reads ``window`` tokens. Runs are of one schedule, by number."""

    def __init__(self, fake: FakeLLM, *, window: int, supports_tools: bool) -> None:
        self.fake = fake
        provider = Provider.objects.create(
            name="Fakeworks", base_url=fake.url, private_allowed=True, default_model="fake-1", preferred=True
        )
        self.model = LanguageModel.objects.create(
            provider=provider, name="fake-1", context_window=window, supports_tools=supports_tools
        )

    def start(self, thread: Thread, text: str, terms: Terms, *, schedule: int | None = 1) -> Run:
        trigger = Run.Trigger.SCHEDULE if schedule else Run.Trigger.CHAT
        start = Start(thread.pk, text, thread.owner, trigger, terms=terms, schedule_id=schedule)
        (run,) = start_runs([start])
        return run

    def perform(self, *runs: Run) -> list[Run]:
        """Performs what waits in the runs' threads, and gives the runs as they ended."""
        async_to_sync(self._perform)(runs)
        return [Run.objects.get(pk=run.pk) for run in runs]

    async def _perform(self, runs: tuple[Run, ...]) -> None:
        worker = StageWorker()
        try:
            for run in runs:
                await execute(worker, run.pk)
        finally:
            worker.texts._clock.cancel()
            await worker.clients.close()

    def run(self, thread: Thread, text: str, terms: Terms | None = None, *, schedule: int | None = 1) -> Run:
        """A run from its start to its end."""
        (run,) = self.perform(self.start(thread, text, terms or Terms(), schedule=schedule))
        return run

    @property
    def asked(self) -> list[Record]:
        """The requests for answers, not those for summaries."""
        return [record for record in self.fake.records if not is_folding(record)]

    def told(self) -> list[tuple[str, str]]:
        """(role, content) of what the last answer was asked with."""
        return [(message["role"], message.get("content") or "") for message in self.asked[-1].body["messages"]]


def is_folding(record: Record) -> bool:
    """Whether it asked for a summary."""
    return str(record.body["messages"][-1].get("content") or "").startswith(("Conversation:", "Earlier summary:"))


@contextmanager
def fake_server() -> Iterator[FakeLLM]:
    """The model server, in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    fake = FakeLLM()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result()
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
