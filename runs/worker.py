"""A worker process's one event loop, in a background thread: its runs, its model clients, its heartbeat.

Celery's threads hand runs to this loop and go on. So one process carries hundreds of streams, cancels tools at once,
and makes nothing anew for each run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Literal, TypeVar
from uuid import uuid4

from django.conf import settings

from agents.clients import ModelClients
from common.bus import ROWS_CHANGED, Publisher
from common.database import DatabaseThreads
from engine import ChatModel
from runs import heartbeat
from runs.executor import execute
from runs.live_text import LiveTexts
from runs.models import Run
from runs.plan import Plan, with_model
from runs.sender import Sender

T = TypeVar("T")
log = logging.getLogger(__name__)
Why = Literal["stop", "drain", "lease lost"]
HAND_OVER_SECONDS = 10.0


class Worker:
    """Lives in one event loop. ``name`` is unique to the process and marks the leases it holds."""

    # The recorder's own threads: a slow commit of one run must not hold up the first token of another.
    DATABASE_THREADS = 6

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid4().hex[:8]}"
        self.publisher = Publisher()
        self.draining = False
        self.clients = ModelClients()
        self.database = DatabaseThreads(self.DATABASE_THREADS, "recorder", patience=settings.LEASE_SECONDS)
        # Leases are renewed beside them: a crowd of runs that write must not make each other look dead.
        self.heartbeat = DatabaseThreads(1, "heartbeat")
        self.texts = LiveTexts(self.publisher, self.database)
        self.sender = Sender()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._reasons: dict[int, Why] = {}
        self._spawned: dict[int, asyncio.Task[None]] = {}
        self._pauses: dict[int, asyncio.Event] = {}
        self.sweep_at = 0.0
        """When the heartbeat next looks for runs that wait, on the monotonic clock."""
        self._beat = asyncio.create_task(heartbeat.beat(self))

    def ring(self, thread_id: int) -> None:
        """The thread's doorbell, in order with its frames."""
        self.publisher.send(thread_id, ROWS_CHANGED)

    def model_for(self, plan: Plan) -> ChatModel:
        """The run's model, on the process's client for its provider."""
        return self.clients.model(plan.choice, plan.base_url, plan.api_key)

    async def complete(self, run: Run, plan: Plan) -> Plan:
        """The plan with its model's name: a provider never asked is asked for its first. Raises ModelError."""
        if plan.choice.name:
            return plan
        name = await self.clients.first_of(plan.choice.provider, plan.base_url, plan.api_key, plan.limits)
        return await self.database(with_model, run, plan, name)

    # Runs under way

    async def guard(self, run: Run, work: Coroutine[Any, Any, None]) -> None:
        """Performs a claimed run so that it can be cancelled on its own."""
        task = self._tasks[run.pk] = asyncio.create_task(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise
        finally:
            self._tasks.pop(run.pk, None)
            self._reasons.pop(run.pk, None)

    def held(self) -> list[int]:
        """The runs this process is working on."""
        return list(self._tasks)

    def cancel(self, run_id: int, why: Why) -> None:
        """Ends a run's task once; its model's connection and its tools are closed with it."""
        task = self._tasks.get(run_id)
        if task and run_id not in self._reasons:
            self._reasons[run_id] = why
            task.cancel()

    def abandon(self, run_id: int) -> None:
        """Another worker holds the run now: drop it and write nothing more."""
        self.cancel(run_id, "lease lost")

    def why_cancelled(self, run_id: int) -> Why:
        return self._reasons.get(run_id, "drain")

    async def pause(self, run_id: int, seconds: float) -> None:
        """Waits before a call of the run is made again, until the time is over or its event is set."""
        hurried = self._pauses[run_id] = asyncio.Event()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await hurried.wait()
        finally:
            del self._pauses[run_id]

    def pauses(self) -> dict[int, asyncio.Event]:
        """The runs that wait just now; setting the event of one ends its wait."""
        return dict(self._pauses)

    def spawn(self, run_id: int) -> None:
        """Executes a run's thread; once, however often it is asked to. What there is no room for waits in the queue:
        thousands of schedules may be due in one minute."""
        if run_id not in self._spawned and self.room:
            task = self._spawned[run_id] = asyncio.create_task(execute(self, run_id))
            task.add_done_callback(lambda _: self._spawned.pop(run_id))

    def sweep_soon(self) -> None:
        """With the next beat of the heart, which does for all who ask until then."""
        self.sweep_at = 0.0

    @property
    def room(self) -> int:
        """How many more runs may be spawned here."""
        return 0 if self.draining else max(0, settings.WORKER_RUNS - len(self._spawned))

    async def drain(self, grace: float) -> None:
        """Takes nothing new; gives what is under way ``grace`` seconds to end, then hands it over."""
        self.draining = True
        sending = asyncio.create_task(self.sender.drain(grace))
        if self._spawned:
            await asyncio.wait(list(self._spawned.values()), timeout=grace)
        for run_id in self.held():
            self.cancel(run_id, "drain")
        if self._spawned:
            await asyncio.wait(list(self._spawned.values()), timeout=HAND_OVER_SECONDS)
        await sending


_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_worker: Worker | None = None
_draining: Future[None] | None = None


def start() -> Worker:
    """The process's worker, with its loop running; made at the first call."""
    global _loop, _worker
    with _lock:
        if _worker is None:
            import openai  # noqa: F401 - now, so that the first message does not wait half a second for it

            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="engine", daemon=True).start()
            _worker = asyncio.run_coroutine_threadsafe(_make(), _loop).result()
            log.info("Worker %s is ready", _worker.name)
        return _worker


async def _make() -> Worker:
    return Worker()


def begin(coroutine: Coroutine[Any, Any, None]) -> Future[None]:
    """Has ``coroutine`` run in the worker's loop, from any other thread. Does not wait."""
    start()
    assert _loop is not None
    return asyncio.run_coroutine_threadsafe(coroutine, _loop)


def take_up(run_id: int) -> None:
    """Has a run executed in the worker's loop, from any other thread. Does not wait."""
    process = start()
    assert _loop is not None
    _loop.call_soon_threadsafe(process.spawn, run_id)


def sweep_soon() -> None:
    """Has the worker look for runs that wait, from any other thread. Does not wait."""
    process = start()
    assert _loop is not None
    _loop.call_soon_threadsafe(process.sweep_soon)


def deliver_soon() -> None:
    """Has the worker's sender look for what is due, from any other thread. Does not wait."""
    process = start()
    assert _loop is not None
    _loop.call_soon_threadsafe(process.sender.look)


def stop_soon() -> None:
    """The process was told to end: drains, within the grace that the settings give. Does not wait."""
    global _draining
    if _worker is not None and _loop is not None and _draining is None:
        _draining = asyncio.run_coroutine_threadsafe(_worker.drain(settings.DRAIN_SECONDS), _loop)


def wait_until_drained() -> None:
    """Returns when all runs have ended or are handed over."""
    if _draining is not None:
        with contextlib.suppress(TimeoutError):
            _draining.result(settings.DRAIN_SECONDS + 2 * HAND_OVER_SECONDS)
