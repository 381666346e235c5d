"""/api/threads/{id}/export and /api/threads/import: a thread as a file, and from one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.openapi.schema import REF_TEMPLATE

from agents.models import Agent
from api import shapes
from api.answers import answer
from api.auth import Needs, caller
from api.schemas import ImportInto
from threads.export import FORMAT, as_json
from threads.importing import MOST_BYTES, import_thread
from threads.models import Thread
from threads.serializers import thread_json

router = Router(tags=["Threads"])
FILE: dict[str, Any] = {
    "type": "object",
    "required": ["format", "title", "messages"],
    "properties": {
        "format": {"type": "string", "const": FORMAT},
        "title": {"type": "string", "maxLength": 200},
        "messages": {"type": "array", "items": {"$ref": REF_TEMPLATE.format(model="SavedMessage")}},
        "leaf_id": {"type": "integer", "description": "The end of the branch that the thread goes on with."},
        "agent": {"type": "string", "description": "Its name."},
    },
}
"""What has to be in a file, and what chooses; all else that an export holds is taken along."""


@router.get(
    "/threads/{int:thread_id}/export", auth=Needs("threads:read"), response=shapes.SavedThread, summary="Save a thread"
)
def export_thread(request: HttpRequest, thread_id: int) -> HttpResponse:
    """Everything, with all branches: what “Save as JSON” gives."""
    thread = Thread.objects.select_related("agent").get_for(caller(request).user, thread_id)
    return HttpResponse(as_json(thread), content_type="application/json")


@router.post(
    "/threads/import",
    auth=Needs("threads:write", "threads:log"),
    response={201: shapes.Thread},
    summary="Import a thread",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": FILE}}}},
)
def create_thread_from_file(request: HttpRequest, page: Query[ImportInto]) -> HttpResponse:
    """A new thread of yours from a saved one (up to 16 MiB), with all branches, calls, summaries and costs.

    Ids are new, runs are not in a file, nothing is sent or run. What is wrong with a file is named, and then nothing is
    stored.
    """
    user = caller(request).user
    agent = Agent.objects.get_for(user, page.agent_id) if page.agent_id is not None else None
    # Read by itself: the body may be larger than that of other calls, and it is taken apart once.
    return answer(thread_json(import_thread(user, request.read(MOST_BYTES + 1), agent=agent)), 201)
