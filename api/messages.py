"""A message that comes in over HTTP, and the three ways to hear the answer: JSON, text as it is written, or events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from django.db import IntegrityError
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from api.answers import answer, listed, part_of_list
from api.auth import Caller, caller
from api.schemas import MessageFilter, NewMessage
from api.streams import event_stream, text_stream
from common.errors import ZergError, not_found
from runs.branches import require_end
from runs.models import Run
from runs.services import start_run
from threads.models import Thread, ThreadMessage
from threads.serializers import message_json
from threads.services import AT_THE_BEGINNING, clean_content, log_line, require_same
from threads.transcript import end_through, ids_after

JSON, TEXT, EVENTS = "application/json", "text/plain", "text/event-stream"


def preferred(request: HttpRequest) -> str:
    """Which of the three ways the caller's Accept header asks for; JSON unless it says another one by name."""
    return request.get_preferred_type([JSON, EVENTS, TEXT]) or JSON


def page_of_messages(thread: Thread, page: MessageFilter) -> HttpResponse:
    """The transcript in order, then what waits in the queue; or one branch of it."""
    if page.leaf or page.up_to:
        return _page_of_branch(thread, page)
    if page.after_version is not None:
        # A message being written grows without taking versions.
        changed = Q(version__gt=page.after_version) | Q(status=ThreadMessage.Status.STREAMING)
        return listed(thread.messages.filter(changed).order_by(F("seq").asc(nulls_last=True), "id"), page, message_json)
    # A transcript is numbered without a gap: neither what is left out nor what there is has to be counted.
    last, end = thread.last_seq, page.skip + page.limit
    rows = list(thread.messages.filter(seq__gt=page.skip, seq__lte=min(end, last)).order_by("seq"))
    waiting = thread.messages.filter(seq=None).order_by("id")
    if end > last:
        rows += waiting[max(page.skip - last, 0) : end - last]
    return part_of_list(rows, last + waiting.count(), message_json)


def _page_of_branch(thread: Thread, page: MessageFilter) -> HttpResponse:
    if page.after_version is not None:
        raise ZergError("invalid", "Ask for a branch, or for what changed since a version: not for both at once.")
    end = end_through(thread, _said(thread, page.leaf)) if page.leaf else _said(thread, page.up_to or 0).pk
    ids = ids_after(thread.pk, end, 0)
    part = ids[page.skip : page.skip + page.limit]
    rows = thread.messages.in_bulk(part)
    return part_of_list([rows[pk] for pk in part], len(ids), message_json)


def _said(thread: Thread, message_id: int) -> ThreadMessage:
    """A message of the transcript. Raises ZergError(``not_found``, 404)."""
    message = thread.messages.filter(pk=message_id, seq__isnull=False).first()
    if message is None:
        raise not_found("Message")
    return message


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
        if body.leaf is not None:
            raise ZergError("invalid", "A line for the record stands at the end.", {"leaf": "Only for role user."})
        message = log_line(thread, role=body.role, content=content, author=who.user, key=body.client_message_id)
        return answer({**message_json(message), "run_id": None}, 201)
    run, message = _send(thread, who, content, body)
    way = preferred(request)
    if way == EVENTS:
        # The caller wants this answer: its events begin with the message, not with all that was said before.
        start = request.headers.get("Last-Event-ID") or str(message.version - 1)
        return streamed(event_stream(thread, who.credential, run, start), EVENTS, run, message)
    if way == TEXT or body.stream:
        return streamed(text_stream(run, message, who.credential), f"{TEXT}; charset=utf-8", run, message)
    return answer({**message_json(message), "run_id": run.pk}, 201)


def _send(thread: Thread, who: Caller, content: str, body: NewMessage) -> tuple[Run, ThreadMessage]:
    key, after = body.client_message_id, _after(thread, body.leaf)
    try:
        run = start_run(thread, text=content, author=who.user, trigger=who.trigger, key=key, after=after)
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


def _after(thread: Thread, leaf: int | None) -> int | None:
    """Where a message goes that follows ``leaf``. Raises ZergError(``not_found``, 404; ``conflict``, 409)."""
    if leaf is None or leaf == thread.leaf_id:
        return None
    if leaf == AT_THE_BEGINNING:
        return AT_THE_BEGINNING
    require_end(thread, _said(thread, leaf).pk)
    return leaf


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
