"""A message that comes in over HTTP, and the three ways to hear the answer: JSON, text as it is written, or events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from django.db import IntegrityError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from api.answers import answer, listed
from api.auth import Caller, caller
from api.schemas import MessageFilter, NewMessage
from api.streams import event_stream, text_stream
from runs.models import Run
from runs.services import start_run
from threads.models import Thread, ThreadMessage
from threads.serializers import message_json
from threads.services import clean_content, log_line, require_same

JSON, TEXT, EVENTS = "application/json", "text/plain", "text/event-stream"


def preferred(request: HttpRequest) -> str:
    """Which of the three ways the caller's Accept header asks for; JSON unless it says another one by name."""
    return request.get_preferred_type([JSON, EVENTS, TEXT]) or JSON


def page_of_messages(rows: QuerySet[ThreadMessage], page: MessageFilter) -> HttpResponse:
    """The transcript in order, then what waits in the queue."""
    if page.after_version is not None:
        rows = rows.filter(version__gt=page.after_version)
    return listed(rows.order_by(F("seq").asc(nulls_last=True), "id"), page, message_json)


def receive(request: HttpRequest, find_thread: Callable[[], Thread], body: NewMessage) -> HttpResponseBase:
    """Stores a message, starts its run if it is the user's, and answers in the way the caller prefers.

    ``find_thread`` is asked once the caller is known to be allowed, since it may make the thread.
    """
    who = caller(request)
    is_from_user = body.role == "user"
    who.require("threads:write" if is_from_user else "threads:log")
    content = clean_content(body.content)
    thread = find_thread()
    if not is_from_user:
        message = log_line(thread, role=body.role, content=content, author=who.user, key=body.client_message_id)
        return answer({**message_json(message), "run_id": None}, 201)
    run, message = _send(thread, who, content, body.client_message_id)
    way = preferred(request)
    if way == EVENTS:
        # The caller wants this answer: its events begin with the message, not with all that was said before.
        start = request.headers.get("Last-Event-ID") or str(message.version - 1)
        return streamed(event_stream(thread, who.user, run, start), EVENTS, run, message)
    if way == TEXT or body.stream:
        return streamed(text_stream(run, message), f"{TEXT}; charset=utf-8", run, message)
    return answer({**message_json(message), "run_id": run.pk}, 201)


def _send(thread: Thread, who: Caller, content: str, key: str | None) -> tuple[Run, ThreadMessage]:
    try:
        run = start_run(thread, text=content, author=who.user, trigger=who.trigger, key=key)
    except IntegrityError:
        # The key belongs to a line for the record, which has no run that could be given again.
        message = ThreadMessage.objects.filter(thread=thread, client_message_id=key).first()
        if message is None:
            raise
        require_same(message, role=ThreadMessage.Role.USER, content=content)
        raise
    message = run.input_message
    assert message is not None, "a run that was started with a text has its message"
    return run, message


def streamed(
    chunks: AsyncIterator[bytes], content_type: str, run: Run | None = None, message: ThreadMessage | None = None
) -> StreamingHttpResponse:
    """A response that is sent as it is made, past every buffer and cache on its way."""
    response = StreamingHttpResponse(chunks, content_type=content_type)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    if run is not None and message is not None:
        response["Zerg-Run-Id"] = str(run.pk)
        response["Zerg-Message-Id"] = str(message.pk)
    return response
