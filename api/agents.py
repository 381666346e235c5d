"""/api/agents: agents, and what programs say to them without knowing a thread."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router

from agents.catalog import choose
from agents.models import Agent
from agents.schedules import default_of, set_default
from agents.serializers import agent_json
from agents.services import create_agent as make_agent
from agents.services import save_agent
from agents.toolbox import TOOLS
from api import shapes
from api.answers import answer, listed, nothing, part_of_list
from api.auth import Caller, Needs, caller
from api.messages import page_of_messages, receive
from api.schemas import AgentFields, AgentRun, MessageFilter, NewAgent, NewMessage, Page
from common.errors import ZergError
from runs.deletion import delete_agent as delete_for_good
from runs.services import run_agent as start
from threads.models import Thread
from threads.serializers import message_json
from threads.services import active_thread

router = Router(tags=["Agents"])


@router.get("/agents", auth=Needs("agents:read"), response=list[shapes.Agent], summary="List agents")
def list_agents(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    """The agents of your workspaces, newest first."""
    rows = Agent.objects.for_user(caller(request).user).filter(archived_at=None).order_by("-id")
    return listed(rows, page, agent_json)


@router.post(
    "/agents",
    auth=Needs("agents:write", maybe=("schedules:write",)),
    response={201: shapes.Agent},
    summary="Make an agent",
)
def create_agent(request: HttpRequest, body: NewAgent) -> HttpResponse:
    """Only `name` is needed. A `schedule` (cron text) becomes your default schedule of the agent."""
    who = caller(request)
    fields = _accepted(who, body)
    schedule = fields.pop("schedule", "")
    with transaction.atomic():
        agent = Agent(workspace=who.user.home_workspace(), created_by=who.user, **fields)
        _clean(agent, model_is_new=bool(agent.model))
        agent = make_agent(workspace=agent.workspace, author=who.user, **fields)
        if schedule:
            set_default(agent, who.user, expression=schedule, timezone=who.user.timezone)
        agent.refresh_from_db()
    return answer(agent_json(agent), 201)


@router.get("/agents/{int:agent_id}", auth=Needs("agents:read"), response=shapes.Agent, summary="Read an agent")
def get_agent(request: HttpRequest, agent_id: int) -> HttpResponse:
    return answer(agent_json(Agent.objects.get_for(caller(request).user, agent_id)))


CHANGE = {
    "auth": Needs("agents:write", maybe=("schedules:write",)),
    "response": shapes.Agent,
    "summary": "Change an agent",
}


@router.put("/agents/{int:agent_id}", operation_id="put_agent", **CHANGE)  # type: ignore[arg-type]
@router.patch("/agents/{int:agent_id}", operation_id="patch_agent", **CHANGE)  # type: ignore[arg-type]
def update_agent(request: HttpRequest, agent_id: int, body: AgentFields) -> HttpResponse:
    """Takes any subset of the fields, with PUT as with PATCH: what is left out stays as it is."""
    who = caller(request)
    visible = Agent.objects.get_for(who.user, agent_id)
    fields = _accepted(who, body)
    schedule = fields.pop("schedule", None)
    with transaction.atomic():
        # Locked and read again, so that a run that ends meanwhile does not have its outcome overwritten.
        agent = Agent.objects.select_for_update().get(pk=visible.pk)
        before = agent.model
        for name, value in fields.items():
            setattr(agent, name, value)
        _clean(agent, model_is_new=agent.model not in {"", before})
        if fields:
            save_agent(agent, author=who.user)
        if schedule is not None and schedule != agent.schedule:
            # A zone that was chosen in the form stays.
            default = default_of(agent, who.user)
            zone = default["timezone"] if default else who.user.timezone
            set_default(agent, who.user, expression=schedule, timezone=zone)
        agent.refresh_from_db()
    return answer(agent_json(agent))


@router.delete("/agents/{int:agent_id}", auth=Needs("agents:write"), response={204: None}, summary="Delete an agent")
def delete_agent(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Deletes it with its threads, runs and schedules. Refused (409) while one of its runs has not ended."""
    who = caller(request)
    delete_for_good(Agent.objects.get_for(who.user, agent_id), by=who.user)
    return nothing()


@router.get(
    "/agents/{int:agent_id}/messages",
    auth=Needs("threads:read"),
    response=list[shapes.Message],
    summary="Read the active thread's messages",
)
def list_agent_messages(request: HttpRequest, agent_id: int, page: Query[MessageFilter]) -> HttpResponse:
    """The messages of your active thread with the agent, in order; none before there is such a thread."""
    who = caller(request)
    agent = Agent.objects.get_for(who.user, agent_id)
    thread = Thread.objects.for_user(who.user).filter(agent=agent, active=True).first()
    return page_of_messages(thread, page) if thread else part_of_list([], 0, message_json)


@router.post(
    "/agents/{int:agent_id}/messages",
    auth=Needs(maybe=("threads:write", "threads:log")),
    response={201: shapes.SentMessage},
    summary="Send to the active thread",
)
def create_agent_message(request: HttpRequest, agent_id: int, body: NewMessage) -> HttpResponseBase:
    """As a message to your active thread with the agent, which is made if there is none."""
    who = caller(request)
    agent = Agent.objects.get_for(who.user, agent_id)
    return receive(request, lambda: active_thread(agent, owner=who.user), body)


@router.post(
    "/agents/{int:agent_id}/run", auth=Needs("runs:write"), response={202: shapes.StartedRun}, summary="Run an agent"
)
def run_agent(request: HttpRequest, agent_id: int, body: AgentRun | None = None) -> HttpResponse:
    """Starts a run in a thread: with `input`, else with the agent's task instructions."""
    who = caller(request)
    agent = Agent.objects.get_for(who.user, agent_id)
    body = body or AgentRun.model_validate({})
    if body.thread_id is None:
        thread = active_thread(agent, owner=who.user)
    else:
        # A thread with another agent is as good as none: this agent cannot speak there.
        thread = Thread.objects.filter(agent=agent).get_for(who.user, body.thread_id)
    run = start(agent, actor=who.user, thread=thread, text=body.input or "", trigger=who.run_trigger)
    return answer({"run_id": run.pk, "thread_id": thread.pk}, 202)


def _accepted(who: Caller, body: AgentFields) -> dict[str, Any]:
    """The fields that were sent. Raises ZergError where the caller may not write one, or a tool does not exist."""
    fields = body.model_dump(exclude_unset=True)
    if fields.get("schedule"):
        who.require("schedules:write")
    if "tools" in fields:
        fields["tools"] = list(dict.fromkeys(fields["tools"]))
        if unknown := [name for name in fields["tools"] if name not in TOOLS]:
            message = f"There is no tool “{unknown[0][:100]}”. There are: {', '.join(TOOLS)}."
            raise ZergError("invalid", message, {"tools": message})
    return fields


def _clean(agent: Agent, *, model_is_new: bool) -> None:
    """Raises ValidationError, or ZergError for a model that no provider knows."""
    agent.full_clean(exclude={"workspace", "created_by"})
    try:
        if model_is_new:
            choose(agent)
    except ZergError as error:
        # Without any provider an agent can still be made; its first run says what is missing.
        if error.code != "no_provider":
            raise ZergError(error.code, error.message, {"model": error.message}) from error
