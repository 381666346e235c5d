"""/api/threads/{id}/messages/{id}: what can be done with a message that waits for its turn."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from api import shapes
from api.answers import answer, nothing
from api.auth import Needs, caller
from api.schemas import QueuedMessage
from runs import queue
from threads.models import Thread, ThreadMessage
from threads.serializers import message_json

router = Router(tags=["Threads"])
ADDRESS = "/threads/{int:thread_id}/messages/{int:message_id}"


@router.patch(ADDRESS, auth=Needs("threads:write"), response=shapes.Message, summary="Edit a queued message")
def edit_message(request: HttpRequest, thread_id: int, message_id: int, body: QueuedMessage) -> HttpResponse:
    """Changes the text of a message that waits. 409 once its turn has come."""
    return answer(message_json(queue.edit(_message(request, thread_id, message_id), text=body.content)))


@router.delete(ADDRESS, auth=Needs("threads:write"), response={204: None}, summary="Take a queued message back")
def delete_message(request: HttpRequest, thread_id: int, message_id: int) -> HttpResponse:
    """Takes a message back that waits; its run ends as cancelled. 409 once its turn has come."""
    queue.remove(_message(request, thread_id, message_id))
    return nothing()


@router.post(
    f"{ADDRESS}/send-now",
    auth=Needs("threads:write", "runs:write"),
    response={202: shapes.StartedRun},
    summary="Send a queued message now",
)
def send_message_now(request: HttpRequest, thread_id: int, message_id: int) -> HttpResponse:
    """Stops the run under way; the message has the next turn, before all others. 409 once its turn has come."""
    run = queue.send_now(_message(request, thread_id, message_id))
    return answer({"run_id": run.pk, "thread_id": run.thread_id}, 202)


def _message(request: HttpRequest, thread_id: int, message_id: int) -> ThreadMessage:
    user = caller(request).user
    thread = Thread.objects.get_for(user, thread_id)
    return ThreadMessage.objects.filter(thread=thread).get_for(user, message_id)
