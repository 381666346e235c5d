"""The home page, and the pages that show runs: the list, one run with its steps, one step's input and output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db.models import Subquery
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from common.errors import not_found
from runs.comparing import compare, one_before
from runs.home import home_of
from runs.listing import GROUPS, answers, listing, wanted_in
from runs.models import Run, RunStatus, Step
from runs.results import in_doubt
from runs.step_text import FULL_CHARS, SHOWN_CHARS, read_step
from runs.timeline import spans_of, timeline

MOST_CHOICES = 50
"""Agents to filter by: those that ran last. The runs of any other are on its own page."""
STEPS_PER_PAGE = 200


@signed_in
@require_safe
def home(request: PersonRequest) -> HttpResponse:
    """How things stand. Asked again by the page itself, it answers 204 while nothing has changed."""
    home = home_of(request.user)
    if request.htmx and request.GET.get("seen") == home.fingerprint:
        return HttpResponse(status=204)
    return render(request, "home/_now.html" if request.htmx else "home/page.html", {"home": home})


@signed_in
@require_safe
def run_list(request: PersonRequest) -> HttpResponse:
    """The person's runs, newest first, filtered by ``status`` (a group), ``agent`` and ``schedule`` (ids) and
    ``trigger``; and between them the due times at which nothing ran."""
    wanted = wanted_in(request.GET, request.user)
    agents = list(Agent.objects.for_user(request.user).only("name").order_by("-last_run_at", "-id")[:MOST_CHOICES])
    agent = _chosen(request.user, wanted.agent_id, agents)
    wanted = replace(wanted, agent_id=agent.pk if agent else None)
    if agent:
        agents = list({each.pk: each for each in [*agents, agent]}.values())
    agents.sort(key=lambda each: each.name.casefold())
    page, rows = listing(request.user, wanted, request.GET)
    context = {"page": page, "rows": rows, "wanted": wanted, "groups": GROUPS, "agents": agents}
    return render(request, "runs/page_list.html", {**context, "triggers": Run.Trigger.choices})


def _chosen(user: User, wanted: int | None, agents: list[Agent]) -> Agent | None:
    """The agent whose runs are asked for; None for all."""
    if wanted is None:
        return None
    listed = next((agent for agent in agents if agent.pk == wanted), None)
    return listed or Agent.objects.for_user(user).only("name").filter(pk=wanted).first()


@signed_in
@require_safe
def run_detail(request: PersonRequest, pk: int) -> HttpResponse:
    """One run: what started it, what it was made of, what it cost. While it works, the page asks again by itself.

    ``axis=order`` lays the steps end to end; ``page`` and ``step`` choose which 200 of them are shown, ``step`` unfolds
    that one; ``part=steps`` gives them alone, to stand after those before them.
    """
    rows = Run.objects.for_user(request.user).select_related(
        "agent", "agent_version", "thread", "input_message", "actor"
    )
    run = rows.annotate(result=Subquery(answers())).filter(pk=pk).first()
    if run is None:
        raise not_found("Run")
    if request.htmx and run.status == RunStatus.QUEUED and request.GET.get("version") == str(run.version):
        return HttpResponse(status=204)
    context = {"run": run, **_steps_of(run, request.GET)}
    if request.GET.get("part") == "steps":
        return render(request, "runs/_steps.html", context)
    context |= {
        "tools": (run.agent_version.fields.get("tools") or []) if run.agent_version else [],
        "is_in_doubt": in_doubt(run) is not None,
        "one_before": one_before(run),
    }
    return render(request, "runs/_detail.html" if request.htmx else "runs/page.html", context)


def _steps_of(run: Run, asked: QueryDict) -> dict[str, Any]:
    """200 steps on the axis of the whole run: those asked for, else the first, or the last while it works."""
    spans = spans_of(run)
    last_page = max(1, -(-len(spans) // STEPS_PER_PAGE))
    step, number = _number(asked.get("step")), _number(asked.get("page"))
    if step:
        number = -(-step // STEPS_PER_PAGE)
    number = min(number or (1 if run.is_finished else last_page), last_page)
    start = (number - 1) * STEPS_PER_PAGE
    rows = run.steps.filter(index__gt=start, index__lte=start + STEPS_PER_PAGE).order_by("index")
    by_order = asked.get("axis") == "order"
    drawn = timeline(run, spans, rows.defer("input", "output"), by_order=by_order)
    kinds = [span.kind for span in spans]
    return {
        "timeline": drawn,
        "by_order": by_order,
        "unfolded": read_step(run, step) if step else None,
        "total": len(spans),
        "start": start + 1,
        "end": start + len(drawn.bars),
        "earlier": number - 1,
        "more": number + 1 if number < last_page else 0,
        "models": kinds.count(Step.Kind.MODEL),
        "tool_calls": kinds.count(Step.Kind.TOOL),
    }


def _number(text: str | None) -> int:
    """A whole number from an address; 0 for anything else."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


@signed_in
@require_safe
def compare_runs(request: PersonRequest, pk: int) -> HttpResponse:
    """A run against the one before it of its schedule, webhook or thread, or against the one that ``?with=`` names."""
    runs = Run.objects.select_related("agent", "agent_version", "input_message")
    after = runs.get_for(request.user, pk)
    wanted = _number(request.GET.get("with")) or one_before(after)
    if wanted is None:
        raise not_found("Run to compare it with")
    before = runs.get_for(request.user, wanted)
    context = {"before": before, "after": after, "compared": compare(before, after)}
    return render(request, "runs/compare.html", context)


@signed_in
@require_safe
def step_detail(request: PersonRequest, pk: int, index: int) -> HttpResponse:
    """What went into a step and what came out: the beginning, unless ``full`` is asked for; ``download`` gives one of
    them, ``input`` or ``output``, as a file."""
    run = Run.objects.get_for(request.user, pk)
    part = request.GET.get("download", "")
    step = read_step(run, index, chars=None if part else FULL_CHARS if request.GET.get("full") else SHOWN_CHARS)
    if step is None:
        raise not_found("Step")
    if part in ("input", "output"):
        return _file(step.input.text if part == "input" else step.output.text, f"run-{pk}-step-{index}-{part}.txt")
    template = "runs/_step_body.html" if request.htmx else "runs/step.html"
    return render(request, template, {"run": run, "read": step, "step": step.step})


def _file(text: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
