"""What people do to runs from the pages: send, stop, retry, run now, and what they do to messages that wait."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.people import PersonRequest, signed_in
from agents.models import Agent
from common.drafts import moment_of
from common.errors import ZergError
from common.redirects import see_other
from runs import branches, queue, services
from runs.forms import read_message
from runs.models import Run
from threads.drafts import Written, clear_draft
from threads.models import Thread, ThreadMessage
from threads.services import create_thread
from threads.versions import followed_by
from threads.views import page_of


@signed_in
@require_POST
def send(request: PersonRequest, thread_id: int) -> HttpResponse:
    """A person's message: stored, and answered when the thread is free. The same client id again changes nothing."""
    thread = Thread.objects.get_for(request.user, thread_id)
    text = request.POST.get("content", "")
    try:
        fields = read_message(request.POST)
        run = services.start_run(
            thread,
            text=text,
            author=request.user,
            trigger=Run.Trigger.CHAT,
            key=fields["client_message_id"],
            after=_after(thread, **fields),
        )
    except ZergError as error:
        return _refuse(request, error, thread, text)
    clear_draft(thread, by=request.user, at=moment_of(fields["typed_at"]))
    if request.headers.get("HX-Request") == "true":
        return JsonResponse({"run_id": run.pk, "message_id": run.input_message_id}, status=201)
    return _back_to(run, anchor=f"#m-{run.input_message_id}")


def _after(thread: Thread, *, leaf: int | None, start: int | None, **_: object) -> int | None:
    """Where a message goes that was sent from a page that reads another branch. Raises ZergError(``conflict``, 409)."""
    if start:
        branches.require_end(thread, start)
    return followed_by(thread, leaf=leaf, start=start)


def _refuse(request: PersonRequest, error: ZergError, thread: Thread, text: str) -> HttpResponse:
    """The text stays in the box: with script there was no new page, without it the new page has it, and the reason."""
    if request.headers.get("HX-Request") == "true":
        return JsonResponse(error.as_json(), status=error.status)
    return page_of(request, thread, Written(text, why=error.message), status=error.status)


@signed_in
@require_POST
def stop(request: PersonRequest, run_id: int) -> HttpResponse:
    """Stops a run, wherever it is worked on. One that has just ended by itself is no error."""
    run = Run.objects.get_for(request.user, run_id)
    try:
        services.cancel(run)
    except ZergError as error:
        if error.code != "already_finished":
            raise
    return done(request, run)


@signed_in
@require_POST
def try_now(request: PersonRequest, run_id: int) -> HttpResponse:
    """What the provider asked to wait for is not waited for."""
    run = Run.objects.get_for(request.user, run_id)
    services.try_now(run)
    return done(request, run)


@signed_in
@require_POST
def mark_done(request: PersonRequest, run_id: int) -> HttpResponse:
    """The call that may have happened did: the agent goes on from there."""
    run = Run.objects.get_for(request.user, run_id)
    services.mark_done(run, actor=request.user)
    return done(request, run)


@signed_in
@require_POST
def remove_queued(request: PersonRequest, message_id: int) -> HttpResponse:
    """Takes a message back that waits in the queue."""
    return done(request, queue.remove(ThreadMessage.objects.get_for(request.user, message_id)))


@signed_in
@require_POST
def edit_queued(request: PersonRequest, message_id: int) -> HttpResponse:
    """Changes a message that waits. Several may be open on a page: each has a field of its own."""
    message = ThreadMessage.objects.get_for(request.user, message_id)
    queue.edit(message, text=request.POST.get(f"content-{message_id}", ""))
    return _back_to_thread(request, message.thread_id)


@signed_in
@require_POST
def send_now(request: PersonRequest, message_id: int) -> HttpResponse:
    """What the agent does is stopped, and this message has its turn."""
    return done(request, queue.send_now(ThreadMessage.objects.get_for(request.user, message_id)))


@signed_in
@require_POST
def run_agent_now(request: PersonRequest, agent_id: int) -> HttpResponse:
    """Run now: the task instructions, in a thread of its own."""
    agent = Agent.objects.get_for(request.user, agent_id)
    thread = create_thread(
        agent, owner=request.user, title=f"{agent.name}, run by hand", thread_type=Thread.Type.MANUAL
    )
    try:
        run = services.run_agent(agent, actor=request.user, thread=thread, text="", trigger=Run.Trigger.MANUAL)
    except ZergError as error:
        thread.delete()
        messages.error(request, error.message)
        return HttpResponseRedirect(reverse("agents:detail", args=[agent.pk]), status=303)
    return _back_to(run)


def done(request: PersonRequest, run: Run) -> HttpResponse:
    """Back to where it was asked for: the run's own page, the list, or else the thread."""
    back = request.POST.get("back", "")
    if back == "run":
        return see_other("runs:detail", run.pk)
    if back == "list":
        return see_other("runs:list")
    return _back_to_thread(request, run.thread_id)


def _back_to_thread(request: PersonRequest, thread_id: int) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":  # the page's socket brings what changed
        return HttpResponse(status=204)
    return HttpResponseRedirect(reverse("threads:detail", args=[thread_id]), status=303)


def _back_to(run: Run, anchor: str = "") -> HttpResponse:
    return HttpResponseRedirect(reverse("threads:detail", args=[run.thread_id]) + anchor, status=303)
