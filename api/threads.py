"""/api/threads: conversations, their messages, and runs on them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router

from accounts.models import User
from agents.models import Agent
from api import shapes
from api.answers import answer, listed, nothing
from api.auth import Needs, caller
from api.messages import EVENTS, page_of_messages, preferred, receive, streamed
from api.runs import listed_runs
from api.schemas import MessageFilter, NewMessage, NewThread, Page, ThreadFields, ThreadFilter
from api.streams import event_stream
from common.errors import ZergError
from runs.deletion import delete_thread as delete_for_good
from runs.services import start_run
from threads.arranging import arrange
from threads.models import Thread
from threads.serializers import thread_json
from threads.services import create_thread as make_thread
from threads.services import update_thread as change_thread

router = Router(tags=["Threads"])


@router.get("/threads", auth=Needs("threads:read"), response=list[shapes.Thread], summary="List threads")
def list_threads(request: HttpRequest, page: Query[ThreadFilter]) -> HttpResponse:
    """Your threads, the most recently updated first."""
    rows = Thread.listed(caller(request).user).select_related("agent").order_by("-updated_at", "-id")
    if page.agent_id is not None:
        rows = rows.filter(agent=page.agent_id)
    if page.archived is not None:
        rows = rows.filter(archived_at__isnull=not page.archived)
    return listed(rows, page, thread_json)


@router.post("/threads", auth=Needs("threads:write"), response={201: shapes.Thread}, summary="Make a thread")
def create_thread(request: HttpRequest, body: NewThread) -> HttpResponse:
    """A new, empty conversation with an agent. It becomes your active thread with it unless `active` is false."""
    who = caller(request)
    agent = Agent.objects.get_for(who.user, body.agent_id)
    thread = make_thread(agent, owner=who.user, title=body.title, active=body.active, title_by_person=bool(body.title))
    if more := body.model_dump(include={"agent_state", "memory_strategy", "busy_policy"}, exclude_unset=True):
        thread = change_thread(thread, **more)
    _arrange(who.user, thread, body)
    return answer(thread_json(thread), 201)


@router.get("/threads/{int:thread_id}", auth=Needs("threads:read"), response=shapes.Thread, summary="Read a thread")
def get_thread(request: HttpRequest, thread_id: int) -> HttpResponse:
    return answer(thread_json(_thread(request, thread_id)))


CHANGE = {"auth": Needs("threads:write"), "response": shapes.Thread, "summary": "Change a thread"}


@router.put("/threads/{int:thread_id}", operation_id="put_thread", **CHANGE)  # type: ignore[arg-type]
@router.patch("/threads/{int:thread_id}", operation_id="patch_thread", **CHANGE)  # type: ignore[arg-type]
def update_thread(request: HttpRequest, thread_id: int, body: ThreadFields) -> HttpResponse:
    """Takes any subset of the fields, with PUT as with PATCH. Activating a thread deactivates the agent's others."""
    thread = _thread(request, thread_id)
    if fields := body.model_dump(exclude=PLACE, exclude_unset=True):
        thread = change_thread(thread, **fields)
    _arrange(caller(request).user, thread, body)
    return answer(thread_json(thread))


PLACE = {"pinned", "archived"}
"""Where a thread stands in its owner's list is no change of the thread."""


def _arrange(user: User, thread: Thread, body: ThreadFields) -> None:
    if place := body.model_dump(include=PLACE, exclude_unset=True):
        arrange(user, thread, **place)


@router.delete("/threads/{int:thread_id}", auth=Needs("threads:write"), response={204: None}, summary="Delete a thread")
def delete_thread(request: HttpRequest, thread_id: int) -> HttpResponse:
    """Deletes it with its messages and runs. Refused (409) while one of its runs has not ended."""
    delete_for_good(_thread(request, thread_id))
    return nothing()


@router.get(
    "/threads/{int:thread_id}/messages",
    auth=Needs("threads:read"),
    response=list[shapes.Message],
    summary="Read messages",
)
def list_messages(request: HttpRequest, thread_id: int, page: Query[MessageFilter]) -> HttpResponseBase:
    """In order, of all branches, queued ones last; `leaf` or `from` choose one branch.

    With “Accept: text/event-stream”: the thread's frames as they happen, resumed after `Last-Event-ID`.
    """
    thread = _thread(request, thread_id)
    if preferred(request) == EVENTS:
        events = event_stream(thread, caller(request).credential, None, request.headers.get("Last-Event-ID"))
        return streamed(events, EVENTS)
    return page_of_messages(thread, page)


@router.post(
    "/threads/{int:thread_id}/messages",
    auth=Needs(maybe=("threads:write", "threads:log")),
    response={201: shapes.SentMessage},
    summary="Send a message",
)
def create_message(request: HttpRequest, thread_id: int, body: NewMessage) -> HttpResponseBase:
    """With `role` user: stores the message and starts its run, or queues it behind the one under way (or what else the
    thread's `busy_policy` says); answers at once.

    With “Accept: text/plain” the reply's text streams as it is written, with “Accept: text/event-stream” the frames of
    the socket do (both 200, with the headers `Zerg-Run-Id` and `Zerg-Message-Id`). With `role` system or assistant:
    stores a line without a run, which needs the scope `threads:log`.
    """
    thread = _thread(request, thread_id)
    return receive(request, lambda: thread, body)


@router.get(
    "/threads/{int:thread_id}/runs",
    auth=Needs("threads:read"),
    response=list[shapes.Run],
    summary="List a thread's runs",
)
def list_thread_runs(request: HttpRequest, thread_id: int, page: Query[Page]) -> HttpResponse:
    """Newest first."""
    return listed_runs(request, page, thread_id=_thread(request, thread_id).pk)


@router.post(
    "/threads/{int:thread_id}/runs", auth=Needs("runs:write"), response={202: shapes.StartedRun}, summary="Run a thread"
)
def create_thread_run(request: HttpRequest, thread_id: int) -> HttpResponse:
    """Starts a run on the thread as it stands, without a new message."""
    thread = _thread(request, thread_id)
    if thread.leaf_id is None:
        raise ZergError("nothing_to_do", "This thread is empty, so there is nothing to answer. Send a message first.")
    who = caller(request)
    run = start_run(thread, text=None, author=who.user, trigger=who.run_trigger)
    return answer({"run_id": run.pk, "thread_id": thread.pk}, 202)


def _thread(request: HttpRequest, thread_id: int) -> Thread:
    return Thread.objects.select_related("agent").get_for(caller(request).user, thread_id)
