"""/api/schedules: when agents run by themselves, and the ledger of their due times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts.models import User
from agents.models import Agent
from api import shapes
from api.answers import answer, listed, nothing
from api.auth import Needs, caller
from api.schemas import NewSchedule, Page, Preview, ScheduleFields, ScheduleFilter
from common.errors import ZergError
from runs.models import OutgoingHook
from threads.models import Thread
from triggers import services
from triggers.models import Occurrence, Schedule
from triggers.serializers import occurrence_json, schedule_json

router = Router(tags=["Schedules"])


@router.get("/schedules", auth=Needs("agents:read"), response=list[shapes.Schedule], summary="List schedules")
def list_schedules(request: HttpRequest, page: Query[ScheduleFilter]) -> HttpResponse:
    """Your schedules, newest first."""
    rows = Schedule.objects.for_user(caller(request).user).order_by("-id")
    return listed(rows if page.agent_id is None else rows.filter(agent=page.agent_id), page, schedule_json)


@router.post("/schedules", auth=Needs("schedules:write"), response={201: shapes.Schedule}, summary="Make a schedule")
def create_schedule(request: HttpRequest, body: NewSchedule) -> HttpResponse:
    """Without a `timezone` it runs in yours. Without a `thread_mode` it writes into a thread of its own."""
    user = caller(request).user
    fields = _accepted(user, body)
    agent = fields.pop("agent")
    with _names_of_fields():
        schedule = services.create_schedule(agent, owner=user, **fields)
    return answer(schedule_json(schedule), 201)


@router.post(
    "/schedules/preview", auth=Needs("agents:read"), response=shapes.PreviewResult, summary="Preview a schedule"
)
def preview_schedule(request: HttpRequest, body: Preview) -> HttpResponse:
    """What a timing means in words, and the next five times that it comes. Nothing is stored."""
    fields = body.model_dump()
    return answer(services.preview(**{**fields, "timezone": body.timezone or caller(request).user.timezone}))


@router.get(
    "/schedules/{int:schedule_id}", auth=Needs("agents:read"), response=shapes.Schedule, summary="Read a schedule"
)
def get_schedule(request: HttpRequest, schedule_id: int) -> HttpResponse:
    return answer(schedule_json(_schedule(request, schedule_id)))


CHANGE = {"auth": Needs("schedules:write"), "response": shapes.Schedule, "summary": "Change a schedule"}


@router.put("/schedules/{int:schedule_id}", operation_id="put_schedule", **CHANGE)  # type: ignore[arg-type]
@router.patch("/schedules/{int:schedule_id}", operation_id="patch_schedule", **CHANGE)  # type: ignore[arg-type]
def update_schedule(request: HttpRequest, schedule_id: int, body: ScheduleFields) -> HttpResponse:
    """Takes any subset of the fields, with PUT as with PATCH. Pause with `enabled` false, resume with true."""
    schedule = _schedule(request, schedule_id)
    fields = _accepted(caller(request).user, body)
    with _names_of_fields():
        return answer(schedule_json(services.update_schedule(schedule, **fields) if fields else schedule))


@router.delete(
    "/schedules/{int:schedule_id}", auth=Needs("schedules:write"), response={204: None}, summary="Delete a schedule"
)
def delete_schedule(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Deletes it with its ledger. Its threads and runs stay."""
    services.delete_schedule(_schedule(request, schedule_id))
    return nothing()


@router.post(
    "/schedules/{int:schedule_id}/run",
    auth=Needs("runs:write"),
    response={202: shapes.StartedRun},
    summary="Run now",
)
def run_schedule(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Runs it at once, paused or not. Its due times stay as they are."""
    run = services.run_now(_schedule(request, schedule_id), actor=caller(request).user)
    return answer({"run_id": run.pk, "thread_id": run.thread_id}, 202)


@router.get(
    "/schedules/{int:schedule_id}/occurrences",
    auth=Needs("agents:read"),
    response=list[shapes.Occurrence],
    summary="Read the ledger",
)
def list_occurrences(request: HttpRequest, schedule_id: int, page: Query[Page]) -> HttpResponse:
    """Every due time and what became of it, newest first. One for which it is being looked is not there yet."""
    rows = _schedule(request, schedule_id).occurrences.exclude(outcome=Occurrence.Outcome.CHECKING)
    rows = rows.order_by("-scheduled_for", "-id")
    return listed(rows, page, occurrence_json)


def _schedule(request: HttpRequest, schedule_id: int) -> Schedule:
    return Schedule.objects.get_for(caller(request).user, schedule_id)


def _accepted(user: User, body: ScheduleFields) -> dict[str, Any]:
    """The fields that were sent, with the agent and the thread that their ids name. Raises ZergError(``not_found``)."""
    fields = body.model_dump(exclude_unset=True)
    if "timezone" in fields:
        fields["timezone"] = fields["timezone"] or user.timezone
    if "agent_id" in fields:
        fields["agent"] = Agent.objects.get_for(user, fields.pop("agent_id"))
    if "thread_id" in fields:
        thread_id = fields.pop("thread_id")
        fields["thread"] = None if thread_id is None else Thread.objects.get_for(user, thread_id)
    if "notify_hook_id" in fields:
        hook_id = fields.pop("notify_hook_id")
        fields["notify_hook"] = None if hook_id is None else OutgoingHook.objects.get_for(user, hook_id)
    return fields


@contextmanager
def _names_of_fields() -> Iterator[None]:
    """Errors name the field as it was sent."""
    try:
        yield
    except ZergError as error:
        objects = {"thread", "agent", "notify_hook"}
        fields = {f"{name}_id" if name in objects else name: text for name, text in error.fields.items()}
        raise ZergError(error.code, error.message, fields) from error
