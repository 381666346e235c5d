"""Trying an agent beside its form: a conversation with what stands there, of which nothing is saved."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget

from accounts.people import PersonRequest, signed_in
from agents.form_views import form_page
from agents.forms import AgentForm, TrialForm
from agents.models import Agent
from agents.services import stand_in
from common.errors import ZergError
from common.redirects import see_other
from runs.models import Run
from runs.services import start_run
from threads.models import Thread
from threads.pages import work_of
from threads.services import change, clean_content, create_thread
from threads.window import newest


@signed_in
@require_POST
def try_agent(request: PersonRequest, agent_id: int | None = None) -> HttpResponse:
    """Says ``say`` to the agent as its form has it now, in the conversation ``trial`` or a new one.

    The first answer is the place of the conversation, the others are empty: its socket brings what is said.
    """
    agent = _edited(request, agent_id)
    form = TrialForm(request.POST, instance=agent, user=request.user)
    form.full_clean()
    text = request.POST.get("say", "")
    try:
        clean_content(text)
    except ZergError as error:
        form.add_error(None, error.message)
    if form.errors:
        return _refused(request, form, agent_id)
    asked = request.POST.get("trial", "")
    thread = _trial(request, int(asked)) if asked.isdecimal() else None
    trial = stand_in(agent, author=request.user, present=thread.agent if thread else None)
    place = thread or create_thread(trial, owner=request.user, title=f"Trial of {trial}"[:200], title_by_person=True)
    start_run(place, text=text, author=request.user, trigger=Run.Trigger.CHAT)
    if not request.htmx:
        return see_other("threads:detail", place.pk)
    return HttpResponse(status=204) if thread else _conversation(request, place.pk)


def _edited(request: PersonRequest, agent_id: int | None) -> Agent:
    if agent_id is None:
        return Agent(workspace=request.user.home_workspace())
    return Agent.objects.get_for(request.user, agent_id)


def _trial(request: PersonRequest, thread_id: int) -> Thread:
    return Thread.objects.filter(agent__trial=True).select_related("agent").get_for(request.user, thread_id)


def _conversation(request: PersonRequest, thread_id: int) -> HttpResponse:
    thread = _trial(request, thread_id)
    context = {
        "thread": thread,
        "window": newest(thread, thread.leaf_id),
        "queue": work_of(thread).queue,
        "version": thread.version,
    }
    return render(request, "agents/_trial.html", context)


def _refused(request: PersonRequest, form: TrialForm, agent_id: int | None) -> HttpResponse:
    """What is wrong, with links to the fields; without script on the form's own page, with all that was typed."""
    if request.htmx:
        refusal = render(request, "agents/_trial_refused.html", {"form": form}, status=422)
        return reswap(retarget(refusal, "#try-msg"), "innerHTML")
    agent = _edited(request, agent_id)
    name = agent.name
    whole = AgentForm(request.POST, instance=agent, user=request.user)
    whole.full_clean()
    for words in form.non_field_errors():
        whole.add_error(None, words)
    return form_page(request, whole, agent_id, name)


@signed_in
@require_POST
def start_over(request: PersonRequest, thread_id: int) -> HttpResponse:
    """The next message of a trial is its first again. Raises ZergError(``conflict``, 409) while it is worked on."""
    thread = _trial(request, thread_id)
    with change(thread.pk) as locked:
        if work_of(locked).active_run is not None:
            raise ZergError("conflict", "The agent is at work. Stop it first, then start over.")
        locked.leaf = None
    return HttpResponse(status=204) if request.htmx else see_other("threads:detail", thread.pk)
