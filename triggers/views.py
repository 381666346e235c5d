"""The pages of schedules."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.people import PersonRequest, signed_in
from accounts.zones import ZONES
from agents.models import Agent
from common.errors import ZergError
from common.paging import numbered, stretch
from common.redirects import see_other
from runs.deliveries import email_is_set_up
from threads.models import ThreadMessage
from triggers import services
from triggers.forms import ScheduleForm, first_values, initial_of, timing_of
from triggers.models import Occurrence, Schedule
from triggers.preview_views import preview_context, preview_of_sent

PER_PAGE = 50
SOONEST_FIRST = (F("next_run_at").asc(nulls_last=True), "-id")


@signed_in
@require_safe
def schedule_list(request: PersonRequest) -> HttpResponse:
    """The person's schedules with what they do next and did last; those that are due soonest first."""
    rows = Schedule.objects.for_user(request.user).order_by(*SOONEST_FIRST).only("pk")
    page = numbered(rows, request.GET, PER_PAGE).with_rows(_shown)
    return render(request, "schedules/page_list.html", {"page": page})


def _shown(ids: list[int]) -> list[Schedule]:
    """Schedules with the last of their due times."""
    last = Occurrence.objects.filter(schedule=OuterRef("pk")).order_by("-scheduled_for", "-id")
    rows = (
        Schedule.objects.filter(pk__in=ids)
        .select_related("agent")
        .annotate(
            last_outcome=Subquery(last.values("outcome")[:1]),
            last_reason=Subquery(last.values("reason")[:1]),
            last_time=Subquery(last.values("scheduled_for")[:1]),
            last_run=Subquery(last.values("run")[:1]),
            last_status=Subquery(last.values("run__status")[:1]),
        )
    )
    return list(rows.order_by(*SOONEST_FIRST))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new_schedule(request: PersonRequest) -> HttpResponse:
    """The form of a new schedule; ``?agent=`` chooses its agent, ``?message=`` what is to be said each time."""
    if not Agent.objects.for_user(request.user).filter(archived_at=None).exists():
        messages.info(request, "Make an agent first: then it can have a schedule.")
        return see_other("agents:new")
    initial = {**first_values(), "timezone": request.user.timezone, **_asked(request)}
    form = ScheduleForm(_sent(request), user=request.user, initial=initial)
    if _is_to_be_saved(request, form):
        fields = dict(form.cleaned_data)
        try:
            schedule = services.create_schedule(fields.pop("agent"), owner=request.user, **fields)
        except ZergError as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"Saved. {schedule.sentence}.")
            return see_other("schedules:detail", schedule.pk)
    return _form_page(request, form, {})


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def schedule_detail(request: PersonRequest, pk: int) -> HttpResponse:
    """A schedule's form, and the ledger of its due times."""
    schedule = _mine(request, pk)
    form = ScheduleForm(_sent(request), user=request.user, schedule=schedule, initial=initial_of(schedule))
    if _is_to_be_saved(request, form):
        try:
            services.update_schedule(schedule, **form.cleaned_data)
        except ZergError as error:
            form.add_refusal(error)
        else:
            messages.success(request, "Saved.")
            return see_other("schedules:detail", pk)
    ledger = stretch(schedule.occurrences.select_related("run"), request.GET, PER_PAGE, by="scheduled_for")
    return _form_page(request, form, {"schedule": schedule, "page": ledger})


def _asked(request: PersonRequest) -> dict[str, Any]:
    """What the address fills in."""
    message, agent = (request.GET.get(name, "") for name in ("message", "agent"))
    if message.isdecimal():
        said = ThreadMessage.objects.select_related("thread__agent").get_for(request.user, int(message))
        return {"agent": said.thread.agent, "prompt": said.content}
    return {"agent": Agent.objects.get_for(request.user, int(agent))} if agent.isdecimal() else {}


def _sent(request: PersonRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _is_to_be_saved(request: PersonRequest, form: ScheduleForm) -> bool:
    return request.method == "POST" and "preview" not in request.POST and form.is_valid()


def _form_page(request: PersonRequest, form: ScheduleForm, context: dict[str, Any]) -> HttpResponse:
    is_preview = "preview" in request.POST
    schedule: Schedule | None = context.get("schedule")
    if form.is_bound:
        shown = preview_of_sent(request.user, request.POST)
    elif schedule is not None:
        shown = preview_context(request.user, {"words": "", **timing_of(schedule)}, schedule, schedule.agent_id)
    else:
        shown = {}
    context |= {"form": form, "zones": ZONES, "can_email": email_is_set_up(), **shown}
    return render(request, "schedules/page_form.html", context, status=422 if form.is_bound and not is_preview else 200)


@signed_in
@require_POST
def pause(request: PersonRequest, pk: int) -> HttpResponse:
    services.pause(_mine(request, pk))
    messages.success(request, "Paused. What would come due meanwhile is not made up for.")
    return _back(request, pk)


@signed_in
@require_POST
def resume(request: PersonRequest, pk: int) -> HttpResponse:
    try:
        services.resume(_mine(request, pk))
    except ZergError as error:
        if error.code == "not_found":
            raise
        messages.error(request, error.message)
    else:
        messages.success(request, "It goes on.")
    return _back(request, pk)


@signed_in
@require_POST
def run(request: PersonRequest, pk: int) -> HttpResponse:
    """Run now, beside the due times: leads to the thread that it writes to."""
    schedule = _mine(request, pk)
    try:
        started = services.run_now(schedule, actor=request.user)
    except ZergError as error:
        messages.error(request, error.message)
        return _back(request, pk)
    return see_other("threads:detail", started.thread_id)


@signed_in
@require_POST
def rehearse(request: PersonRequest, pk: int) -> HttpResponse:
    """Runs it as it would run, in a thread made for that, and changes nothing."""
    schedule = _mine(request, pk)
    try:
        started = services.rehearse(schedule, actor=request.user)
    except ZergError as error:
        messages.error(request, error.message)
        return _back(request, pk)
    return see_other("threads:detail", started.thread_id)


@signed_in
@require_POST
def delete(request: PersonRequest, pk: int) -> HttpResponse:
    schedule = _mine(request, pk)
    services.delete_schedule(schedule)
    messages.success(request, f"{schedule.title} is deleted. Its threads stay.")
    return see_other("schedules:list")


def _mine(request: PersonRequest, pk: int) -> Schedule:
    schedules: QuerySet[Schedule] = Schedule.objects.select_related("agent", "thread__agent")
    return schedules.get_for(request.user, pk)  # type: ignore[attr-defined, no-any-return]  # an OwnedQuerySet


def _back(request: PersonRequest, pk: int) -> HttpResponse:
    return see_other("schedules:list") if request.POST.get("back") == "list" else see_other("schedules:detail", pk)
