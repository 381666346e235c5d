"""/api/runs: what agents did, and are doing."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from api import shapes
from api.answers import answer, listed
from api.auth import Needs, caller
from api.schemas import Page, RetryWith, RunFilter
from runs.models import Run, Step
from runs.serializers import run_json
from runs.services import cancel, mark_done, retry

router = Router(tags=["Runs"])
# What a tool was given and gave back can be long, and is not shown.
STEPS = Prefetch("steps", Step.objects.defer("input", "output"))


def listed_runs(request: HttpRequest, page: Page, **filters: Any) -> HttpResponse:
    """A page of the caller's runs, newest first; those of a trial only where its thread is named."""
    if "thread_id" not in filters:
        filters["agent__trial"] = False
    rows = Run.objects.for_user(caller(request).user).filter(**filters).order_by("-id")
    return listed(rows.prefetch_related(STEPS), page, run_json)


@router.get("/runs", auth=Needs("threads:read"), response=list[shapes.Run], summary="List runs")
def list_runs(request: HttpRequest, page: Query[RunFilter]) -> HttpResponse:
    """The runs in your threads, newest first."""
    filters = page.model_dump(include={"agent_id", "thread_id", "status"}, exclude_none=True)
    return listed_runs(request, page, **filters)


@router.get("/runs/{int:run_id}", auth=Needs("threads:read"), response=shapes.Run, summary="Read a run")
def get_run(request: HttpRequest, run_id: int) -> HttpResponse:
    return answer(run_json(_run(request, run_id)))


@router.post("/runs/{int:run_id}/cancel", auth=Needs("runs:write"), response={202: shapes.Run}, summary="Stop a run")
def cancel_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Stops it within a second and keeps what was written. 409 when it has ended already."""
    return answer(run_json(cancel(_run(request, run_id))), 202)


@router.post(
    "/runs/{int:run_id}/retry", auth=Needs("runs:write"), response={202: shapes.StartedRun}, summary="Retry a run"
)
def retry_run(request: HttpRequest, run_id: int, body: RetryWith | None = None) -> HttpResponse:
    """Answers the same message again, beside the old answer, which stays. After `may_have_happened` the interrupted
    call is made again, and the run goes on from there. 409 while the thread is being worked on. With `model` or
    `"tools": false`, another model answers, or the agent's tools are left out, this once."""
    model, with_tools = (body.model, body.tools) if body else ("", True)
    run = retry(_run(request, run_id), actor=caller(request).user, model=model, with_tools=with_tools)
    return answer({"run_id": run.pk, "thread_id": run.thread_id}, 202)


@router.post(
    "/runs/{int:run_id}/mark-done",
    auth=Needs("runs:write"),
    response={202: shapes.StartedRun},
    summary="Mark an interrupted call as done",
)
def mark_run_done(request: HttpRequest, run_id: int) -> HttpResponse:
    """For a run that ended with the reason `may_have_happened`: the interrupted call counts as done, and a new run goes
    on from there. 409 for every other run, and when the call was settled already."""
    run = mark_done(_run(request, run_id), actor=caller(request).user)
    return answer({"run_id": run.pk, "thread_id": run.thread_id}, 202)


def _run(request: HttpRequest, run_id: int) -> Run:
    return Run.objects.prefetch_related(STEPS).get_for(caller(request).user, run_id)
