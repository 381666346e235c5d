"""What may come in: the bodies and query parameters. Unknown names are ignored, wrong types are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, Strict, StringConstraints

LONGEST_JSON = 64 * 1024
LONGEST_INSTRUCTIONS = 200_000
FIRST_TIME, LAST_TIME = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
StrictInt = Annotated[int, Strict()]
StrictBool = Annotated[bool, Strict()]
Moment = Annotated[AwareDatetime, Field(ge=FIRST_TIME, le=LAST_TIME)] | None
StrictFloat = Annotated[float, Strict()]
Instructions = Annotated[str, Field(max_length=LONGEST_INSTRUCTIONS)]
Strategy = Literal["buffer", "window", "summary", "none"]
BusyPolicy = Literal["queue", "replace", "refuse"]


def _line(limit: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, max_length=limit)


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value)) > LONGEST_JSON:
        raise ValueError(f"at most {LONGEST_JSON // 1024} KiB of JSON")
    return value


Free = Annotated[dict[str, Any], AfterValidator(_small)]


class Page(BaseModel):
    """Which part of a list."""

    skip: int = Field(0, ge=0, le=2**53, description="How many to leave out.")
    limit: int = Field(100, ge=0, le=500, description="How many to give at most.")


def _without_defaults(schema: dict[str, Any]) -> None:
    """The document names no defaults where what is left out stays: a client made from it must not send them."""
    for part in schema["properties"].values():
        part.pop("default", None)


class Subset(BaseModel):
    """A body whose fields may each be left out."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class AgentFields(Subset):
    """Everything of an agent that can be written. What is left out stays as it is."""

    name: Annotated[str, _line(120)] = ""
    description: Annotated[str, _line(300)] = Field("", description="One line, shown on cards.")
    system_instructions: Instructions = Field("", description="Who the agent is and how it works.")
    task_instructions: Instructions = Field("", description="What it does when it runs by itself.")
    model: Annotated[str, _line(200)] = Field("", description="A model's name; empty: the default model.")
    temperature: StrictFloat | None = Field(None, ge=0, le=2)
    max_output_tokens: StrictInt | None = Field(None, ge=1, le=10_000_000)
    max_steps: StrictInt = Field(20, ge=1, le=200, description="How often it may call the model in one run.")
    memory_strategy: Strategy = "buffer"
    memory_window: StrictInt = Field(20, ge=1, le=10_000, description="Messages, for the strategy “window”.")
    tools: list[str] = Field([], max_length=200, description="Names of the tools it may use.")
    config: Free = Field({}, description="Free settings for programs.")
    schedule: Annotated[str, _line(500)] = Field(
        "", description="Cron text of your default schedule of the agent, in your time zone; empty removes it."
    )


class NewAgent(AgentFields):
    """A new agent."""

    model_config = ConfigDict(json_schema_extra=None)

    name: Annotated[str, _line(120)] = Field(min_length=1)


class ThreadFields(Subset):
    """Everything of a thread that can be written. What is left out stays as it is."""

    title: Annotated[str, _line(200)] = ""
    active: StrictBool = Field(True, description="The agent's active thread is the one that its own messages are in.")
    agent_state: Free = Field({}, description="Free notes for programs.")
    pinned: StrictBool = Field(False, description="At the top of its owner's list.")
    archived: StrictBool = Field(False, description="Out of its owner's list.")
    memory_strategy: Strategy | Literal[""] = Field("", description="Empty: as the agent says.")
    busy_policy: BusyPolicy = Field(
        "queue",
        description="What becomes of a message that comes while the agent works: it waits, it stops the agent and is "
        "next, or it is refused (409 `busy`).",
    )


class NewThread(ThreadFields):
    """A new, empty conversation with an agent."""

    model_config = ConfigDict(json_schema_extra=None)

    agent_id: StrictInt


class NewMessage(BaseModel):
    """A message. One by the user starts a run; one by the system or the assistant is a line for the record."""

    role: Literal["user", "system", "assistant"] = "user"
    content: str = Field(description="Up to 256 KiB of text, rendered as Markdown.")
    client_message_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="Your own key: sent again, the same message gives the same answer and is stored once."
    )
    leaf: Annotated[int, Strict(), Field(ge=0, le=2**63 - 1)] | None = Field(
        None,
        description="The message that it follows; by default the thread's last. Any other makes a branch: a message's "
        "parent makes another version of that message, 0 makes another beginning.",
    )
    stream: StrictBool = Field(
        False, description="Stream the reply's text, as with “Accept: text/plain”. “Accept: text/event-stream” wins."
    )


class RetryWith(BaseModel):
    """How a message is answered again."""

    model: Annotated[str, StringConstraints(max_length=200)] = Field("", description="Empty: the agent's own.")
    tools: StrictBool = Field(True, description="False: without the agent's tools.")


class QueuedMessage(BaseModel):
    """What a message that waits is to say."""

    content: str = Field(description="Up to 256 KiB of text, rendered as Markdown.")


class AgentRun(BaseModel):
    """Runs an agent by itself."""

    input: str | None = Field(None, description="What it should do; by default its task instructions.")
    thread_id: StrictInt | None = Field(None, description="Where it writes; by default your active thread with it.")


RunStatusName = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
Reason = Literal[
    "completed", "stopped_by_user", "max_steps", "empty_output", "provider_error", "timeout", "worker_lost",
    "may_have_happened", "budget", "refused", "truncated", "check_failed",
    "reported_by_agent", "internal_error",
]  # fmt: skip
ScheduleKind = Literal["cron", "interval", "once"]
ThreadMode = Literal["own", "bound", "new", "rolling"]
RollEvery = Literal["day", "week", "runs"]
ContextPolicy = Literal["nothing", "last_result", "last_runs", "summary", "whole_thread"]
MissedPolicy = Literal["latest", "all", "none"]
OverlapPolicy = Literal["skip", "queue", "together"]
CheckKindName = Literal["", "contains", "regex", "json_schema", "tool"]
NotifyPolicy = Literal["always", "changed", "found", "failure"]
WatchKind = Literal["", "page", "json", "feed", "status"]


class ThreadFilter(Page):
    """Which threads."""

    agent_id: Id | None = Field(None, description="Only those with this agent.")
    archived: bool | None = Field(None, description="Only those that are archived, or only those that are not.")


class ImportInto(BaseModel):
    """Whose thread an imported one becomes."""

    agent_id: Id | None = Field(None, description="The agent; by default that of the same name, else your first.")


class MessageFilter(Page):
    """Which messages."""

    after_version: int | None = Field(
        None, ge=0, le=2**63 - 1, description="Only what changed since the thread had this version."
    )
    leaf: Id | None = Field(None, description="Only the branch through this message, to its end.")
    up_to: Id | None = Field(None, alias="from", description="Only the branch up to this message.")


class SearchQuery(Page):
    """What is looked for."""

    q: str = Field("", max_length=200, description="Words; none find nothing.")
    agent_id: Id | None = Field(None, description="Only in threads with this agent.")


class RunFilter(Page):
    """Which runs."""

    agent_id: Id | None = None
    thread_id: Id | None = None
    status: RunStatusName | None = None


class ScheduleFilter(Page):
    """Which schedules."""

    agent_id: Id | None = None


class ScheduleFields(Subset):
    """Everything of a schedule that can be written. What is left out stays as it is."""

    agent_id: StrictInt = Field(0, description="The agent that runs.")
    name: Annotated[str, _line(120)] = ""
    kind: ScheduleKind = "cron"
    expression: Annotated[str, _line(200)] = Field("", description="Cron text, seconds, or a time in ISO 8601.")
    timezone: Annotated[str, _line(64)] = Field("", description="An IANA name; empty: your own.")
    prompt: Instructions = Field("", description="Empty: the agent's task instructions.")
    enabled: StrictBool = True
    starts_at: Moment = Field(None, description="Nothing is due before.")
    ends_at: Moment = Field(None, description="Nothing is due after.")
    most_runs: StrictInt | None = Field(None, ge=1, le=2**31 - 1, description="It is switched off after so many.")
    spread_seconds: StrictInt = Field(0, ge=0, le=86_400, description="Moves its times by one number up to this.")
    thread_mode: ThreadMode = "own"
    thread_id: StrictInt | None = Field(None, description="The thread it writes into, with thread_mode “bound”.")
    roll_every: RollEvery = Field("day", description="When a rolling thread is made anew.")
    roll_runs: StrictInt = Field(20, ge=1, le=10_000, description="After so many runs, with roll_every “runs”.")
    context_policy: ContextPolicy = Field("last_result", description="What the model sees of what was before.")
    context_runs: StrictInt = Field(3, ge=1, le=20, description="How many, with context_policy “last_runs”.")
    missed_policy: MissedPolicy = "latest"
    missed_limit: StrictInt = Field(10, ge=1, le=100, description="At most so many, with missed_policy “all”.")
    overlap_policy: OverlapPolicy = Field("skip", description="“together” needs thread_mode “new”.")
    check_kind: CheckKindName = Field("", description="When a run has succeeded; empty: when there is an answer.")
    check_text: str = Field("", max_length=20_000, description="The words, expression, schema or tool's name.")
    failure_limit: StrictInt = Field(5, ge=0, le=1000, description="Switched off after so many in a row; 0: never.")
    notify_policy: NotifyPolicy = "found"
    notify_email: StrictBool = False
    notify_hook_id: StrictInt | None = Field(None, description="An outgoing webhook of yours that is told, too.")
    watch_kind: WatchKind = Field("", description="What is looked at first: a run that sees nothing new is skipped.")
    watch_url: Annotated[str, _line(2000)] = ""
    watch_path: Annotated[str, _line(200)] = Field("", description="In a JSON document: such as data.items.0.name.")


class NewSchedule(ScheduleFields):
    """A new schedule of an agent."""

    model_config = ConfigDict(json_schema_extra=None)

    agent_id: StrictInt = Field(description="The agent that runs.")
    expression: Annotated[str, _line(200)] = Field(min_length=1, description="Cron text, seconds, or a time.")


WebhookStyle = Literal["standard", "github", "bearer"]


class WebhookFilter(Page):
    """Which webhooks."""

    agent_id: Id | None = None


class WebhookFields(Subset):
    """Everything of a webhook that can be written. What is left out stays as it is."""

    agent_id: StrictInt = Field(0, description="The agent that runs.")
    name: Annotated[str, _line(120)] = ""
    secret: Annotated[str, _line(500)] = Field(
        "", description="A secret of your own. The one before goes on to count for 24 hours."
    )
    prompt: Instructions = Field("", description="What the agent is told; `{{payload}}` stands for what was sent.")
    enabled: StrictBool = True
    thread_mode: Literal["own", "bound", "new"] = "own"
    thread_id: StrictInt | None = Field(None, description="The thread it writes into, with thread_mode “bound”.")
    context_policy: ContextPolicy = Field("last_result", description="What the model sees beside the message.")
    context_runs: StrictInt = Field(3, ge=1, le=20, description="How many runs, for “last_runs”.")
    check_kind: CheckKindName = Field("", description="When an answer counts as success; empty: when there is one.")
    check_text: Annotated[str, StringConstraints(max_length=20_000)] = Field("", description="What it is held against.")
    notify_policy: NotifyPolicy = Field("failure", description="When you are told of the end of a run.")
    notify_email: StrictBool = False
    notify_hook_id: StrictInt | None = Field(None, description="The outgoing webhook that is told, too.")


class NewWebhook(WebhookFields):
    """A new webhook of an agent."""

    model_config = ConfigDict(json_schema_extra=None)

    agent_id: StrictInt = Field(description="The agent that runs.")
    name: Annotated[str, _line(120)] = Field(min_length=1)
    style: WebhookStyle = Field("standard", description="How senders show that they know the secret. It stays.")
    prompt: Instructions = Field(
        min_length=1, description="What the agent is told; `{{payload}}` stands for what was sent."
    )
    secret: Annotated[str, _line(500)] = Field("", description="A secret of your own; empty: Zerg makes one.")


class Preview(BaseModel):
    """A schedule that is not stored: when would it run?"""

    kind: ScheduleKind = "cron"
    expression: Annotated[str, _line(200)] = Field("", description="Cron text, seconds, or a time in ISO 8601.")
    words: Annotated[str, _line(200)] = Field(
        "", description="Instead of a kind and an expression: such as “every weekday at 7” or “in 20 minutes”."
    )
    timezone: Annotated[str, _line(64)] = Field("", description="An IANA name; empty: your own.")
    starts_at: Moment = Field(None, description="Nothing is due before; an interval counts from it.")
    ends_at: Moment = Field(None, description="Nothing is due after.")
    most_runs: int | None = Field(None, ge=1, le=2**31 - 1, description="So many runs, and no more.")
    spread_seconds: int = Field(0, ge=0, le=86_400, description="Each comes up to so much later, always as much.")
    after: Moment = Field(None, description="A time to count from, with its offset or Z; by default now.")
