"""The pages that show runs: the list, one run with its steps, one step's input and output."""

from __future__ import annotations

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from common.errors import not_found
from runs.models import Run, RunStatus, Step
from runs.timeline import timeline
from threads.models import ThreadMessage

PER_PAGE = 50
STEPS_PER_PAGE = 200
SHOWN_CHARS = 20_000
RESULT_CHARS = 160

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "working": ("Working", (RunStatus.RUNNING, RunStatus.WAITING)),
    "queued": ("Queued", (RunStatus.QUEUED,)),
    "done": ("Done", (RunStatus.SUCCEEDED,)),
    "failed": ("Failed", (RunStatus.FAILED,)),
    "stopped": ("Stopped", (RunStatus.CANCELLED,)),
}


@signed_in
@require_safe
def run_list(request: PersonRequest) -> HttpResponse:
    """The person's runs, newest first, filtered by ``status`` (a group) and ``agent`` (an id)."""
    runs = Run.objects.for_user(request.user)
    group = request.GET.get("status", "")
    if group in GROUPS:
        runs = runs.filter(status__in=GROUPS[group][1])
    agents = Agent.objects.for_user(request.user).only("name").order_by("name")
    agent = next((agent for agent in agents if str(agent.pk) == request.GET.get("agent")), None)
    if agent:
        runs = runs.filter(agent=agent)
    page = page_of_runs(runs, request.GET.get("page"))
    context = {"page": page, "groups": GROUPS, "group": group, "agents": agents, "agent": agent}
    return render(request, "runs/page_list.html", context)


def page_of_runs(runs: QuerySet[Run], number: str | None) -> Page[Run]:
    """One page of ``runs``, each with its agent, its thread and the beginning of its result, in three queries."""
    ids = Paginator(runs.order_by("-id").values_list("pk", flat=True), PER_PAGE).get_page(number)
    answers = ThreadMessage.objects.filter(run_id=OuterRef("pk"), role=ThreadMessage.Role.ASSISTANT)
    answer = answers.exclude(content="").order_by("-seq").values(start=Left("content", RESULT_CHARS))[:1]
    rows = (
        Run.objects.filter(pk__in=list(ids))
        .select_related("agent", "thread", "input_message")
        .only("status", "reason", "trigger", "note", "error_message", "queued_at", "started_at", "finished_at",
              "cost_usd", "agent__name", "thread__title", "input_message__seq")
        .annotate(result=Subquery(answer))
        .order_by("-id")
    )  # fmt: skip
    page: Page[Run] = Page(list(rows), ids.number, Paginator([], PER_PAGE))
    page.paginator = ids.paginator  # type: ignore[assignment]
    return page


@signed_in
@require_safe
def run_detail(request: PersonRequest, pk: int) -> HttpResponse:
    """One run: what started it, what it was made of, what it cost. While it works, the page asks again by itself."""
    run = (
        Run.objects.for_user(request.user)
        .select_related("agent", "agent_version", "thread", "input_message", "actor")
        .filter(pk=pk)
        .first()
    )
    if run is None:
        raise not_found("Run")
    if request.htmx and request.GET.get("version") == str(run.version):
        return HttpResponse(status=204)
    steps = run.steps.defer("input", "output").select_related("message").order_by("index")
    page = Paginator(steps, STEPS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "run": run,
        "page": page,
        "timeline": timeline(run, page.object_list),
        "counts": run.steps.aggregate(
            models=Count("pk", filter=Q(kind=Step.Kind.MODEL)), tools=Count("pk", filter=Q(kind=Step.Kind.TOOL))
        ),
        "is_active": not run.is_finished,
    }
    return render(request, "runs/_detail.html" if request.htmx else "runs/page.html", context)


@signed_in
@require_safe
def step_detail(request: PersonRequest, pk: int, index: int) -> HttpResponse:
    """What went into a step and what came out, the first 20,000 characters unless ``full`` is asked for."""
    run = Run.objects.get_for(request.user, pk)
    step = Step.objects.filter(run=run, index=index).select_related("message").first()
    if step is None:
        raise not_found("Step")
    limit = None if request.GET.get("full") else SHOWN_CHARS
    output = step.output or (step.message.content if step.message and step.kind != Step.Kind.TOOL else "")
    context = {
        "run": run,
        "step": step,
        "input": step.input[:limit],
        "output": output[:limit],
        "is_cut": limit is not None and max(len(step.input), len(output)) > limit,
    }
    return render(request, "runs/_step_body.html" if request.htmx else "runs/step.html", context)
