"""What comes out, for the OpenAPI document. The serializers make it; a test holds the two together."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import (
    BusyPolicy,
    CheckKindName,
    ContextPolicy,
    MissedPolicy,
    NotifyPolicy,
    OverlapPolicy,
    Reason,
    RollEvery,
    RunStatusName,
    ScheduleKind,
    Strategy,
    ThreadMode,
    WatchKind,
    WebhookStyle,
)


class Shape(BaseModel):
    """An object that Zerg gives; more fields may be added to it, none will go."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=lambda schema: schema.pop("additionalProperties", None))


class ErrorDetail(Shape):
    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="A sentence that a person can act on.")
    fields: dict[str, str] = Field(description="What is wrong with which input.")


class Error(Shape):
    """The body of every answer that is an error."""

    error: ErrorDetail


class Failure(Shape):
    code: str
    message: str


class Usage(Shape):
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    estimated: bool = Field(description="True where the provider sent no count.")


class Agent(Shape):
    id: int
    name: str
    description: str
    system_instructions: str
    task_instructions: str
    model: str = Field(description="Empty: the default model.")
    temperature: float | None
    max_output_tokens: int | None
    max_steps: int
    memory_strategy: Strategy
    memory_window: int
    tools: list[str]
    schedule: str = Field(description="Cron text of the default schedule; empty: none.")
    config: dict[str, Any]
    status: Literal["idle", "processing", "error"]
    last_run_at: datetime | None
    next_run_at: datetime | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


class Model(Shape):
    id: int
    name: str
    provider_id: int
    provider: str
    context_window: int = Field(description="Tokens, input and output together.")
    max_output_tokens: int | None
    input_price: str | None = Field(description="US dollars per million tokens; null when unknown.")
    cached_price: str | None
    output_price: str | None
    supports_tools: bool


class Thread(Shape):
    id: int
    agent_id: int
    title: str
    active: bool
    agent_state: dict[str, Any]
    memory_strategy: Strategy
    busy_policy: BusyPolicy = Field(description="What becomes of a message that comes while the agent works.")
    thread_type: Literal["chat", "schedule", "manual"]
    pinned: bool
    archived: bool
    usage: Usage = Field(description="Of all calls for this thread, its other branches included.")
    cost_usd: str | None = Field(description="US dollars; null when the price of a call is unknown.")
    leaf_id: int | None = Field(description="The last message of the branch that it goes on with.")
    version: int = Field(description="Counts durable changes.")
    created_at: datetime
    updated_at: datetime


class Message(Shape):
    id: int
    thread_id: int
    seq: int | None = Field(description="Its place in the transcript; null while it waits in the queue.")
    parent_id: int | None
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: list[dict[str, Any]] | None
    tool_call_id: str | None
    name: str | None
    status: Literal["queued", "streaming", "complete", "stopped", "failed"]
    run_id: int | None
    source: Literal["user", "agent", "tool", "schedule", "webhook", "api", "system"]
    client_message_id: str | None
    timestamp: datetime
    version: int
    usage: Usage | None
    cost_usd: str | None = Field(description="US dollars; null when the price is unknown.")
    error: Failure | None


class SentMessage(Message):
    """The stored message; its `run_id` is the run that answers it."""


class SavedMessage(Message):
    """A message in a file. Its ids hold within the file."""

    kind: Literal["message", "summary"]
    reasoning: str = Field("", description="What the model thought before it wrote.")
    covers_seq: int | None = Field(None, description="A summary stands for the branch up to this seq.")
    detail: str = Field("", description="Of an error, for who looks closer.")


class SavedThread(Shape):
    """A thread as a file: rows in the order in which they joined it, then those that wait."""

    format: Literal["zerg-thread"]
    exported_at: datetime
    title: str
    agent: str
    memory_strategy: str = Field(description="Empty: as the agent says.")
    busy_policy: BusyPolicy
    created_at: datetime
    leaf_id: int | None = Field(description="The end of the branch that the thread goes on with.")
    messages: list[SavedMessage]


class Part(Shape):
    text: str = Field(description="Plain text, in one line.")
    is_hit: bool


class Hit(Shape):
    message_id: int
    thread_id: int
    thread_title: str
    agent_id: int
    role: Literal["system", "user", "assistant", "tool"]
    timestamp: datetime
    excerpt: list[Part] = Field(description="The words in their surroundings.")


class Step(Shape):
    index: int
    kind: Literal["model", "summary", "tool"]
    name: str
    status: Literal["started", "succeeded", "failed", "cancelled"]
    message_id: int | None
    attempt: int
    tries: int
    started_at: datetime
    finished_at: datetime | None
    usage: Usage | None
    cost_usd: str | None
    error: Failure | None


class Run(Shape):
    id: int
    thread_id: int
    agent_id: int
    input_message_id: int | None
    status: RunStatusName
    reason: Reason | None = Field(description="Why it ended; null until then.")
    reason_text: str | None = Field(description="The same for people.")
    note: str | None = Field(description="What it waits for just now, in words.")
    trigger: Literal["chat", "manual", "schedule", "webhook", "api", "agent"]
    schedule_id: int | None
    webhook_id: int | None
    nothing_new: bool = Field(description="It succeeded, and found nothing worth telling.")
    rehearsal: bool = Field(description="Tools that change things were not called; it counts in no figure.")
    agent_version_id: int | None = Field(description="The version of the agent that it used.")
    attempt: int
    error: Failure | None
    queued_at: datetime
    started_at: datetime | None
    first_token_at: datetime | None
    finished_at: datetime | None
    model: str | None
    usage: Usage | None
    cost_usd: str | None
    version: int
    steps: list[Step]


class StartedRun(Shape):
    run_id: int
    thread_id: int


class Schedule(Shape):
    id: int
    agent_id: int
    name: str
    kind: ScheduleKind
    expression: str
    timezone: str
    prompt: str
    enabled: bool
    disabled_reason: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    most_runs: int | None
    runs_made: int = Field(description="By the clock, since it was set.")
    spread_seconds: int
    thread_mode: ThreadMode
    thread_id: int | None
    roll_every: RollEvery
    roll_runs: int
    context_policy: ContextPolicy
    context_runs: int
    missed_policy: MissedPolicy
    missed_limit: int
    overlap_policy: OverlapPolicy
    check_kind: CheckKindName
    check_text: str
    failure_limit: int
    failures_in_row: int
    back_off_until: datetime | None = Field(description="After failures: what is due before is skipped.")
    notify_policy: NotifyPolicy
    notify_email: bool
    notify_hook_id: int | None
    watch_kind: WatchKind
    watch_url: str
    watch_path: str
    is_default: bool = Field(description="True for the one that the agent's `schedule` shows.")
    next_run_at: datetime | None
    last_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PreviewResult(Shape):
    sentence: str = Field(description="When it runs, in words.")
    kind: ScheduleKind
    expression: str
    timezone: str
    next: list[datetime] = Field(description="The next five times, in UTC.")
    note: str = Field(description="What a clock change or the spread does to these times; empty: nothing.")
    runs_per_month: int = Field(description="How many there are in the next 30 days.")


class Occurrence(Shape):
    id: int
    scheduled_for: datetime
    outcome: Literal["ran", "skipped", "missed"]
    reason: str | None
    lateness_seconds: float
    run_id: int | None


class Webhook(Shape):
    id: int
    agent_id: int
    name: str
    url: str = Field(description="Where services send to.")
    style: WebhookStyle
    secret_hint: str = Field(description="How the secret ends; the whole is never given again.")
    old_secret_until: datetime | None = Field(description="Until then the secret before counts, too.")
    prompt: str
    enabled: bool
    thread_mode: Literal["own", "bound", "new"]
    thread_id: int | None
    context_policy: ContextPolicy
    context_runs: int
    check_kind: CheckKindName
    check_text: str
    notify_policy: NotifyPolicy
    notify_email: bool
    notify_hook_id: int | None
    last_received_at: datetime | None
    created_at: datetime
    updated_at: datetime


class MadeWebhook(Webhook):
    """A new webhook."""

    secret: str = Field(description="Shown this once.")


class NewSecret(Shape):
    secret: str = Field(description="Shown this once.")
    old_secret_until: datetime | None = Field(description="Until then the secret before counts, too.")


class WebhookDelivery(Shape):
    id: int
    delivery_id: str | None = Field(description="The sender's own name for it.")
    verdict: Literal["accepted", "repeated", "refused"]
    reason: str | None
    is_test: bool
    run_id: int | None
    received_at: datetime


class WholeDelivery(WebhookDelivery):
    """A request with what it said, and what it was told."""

    headers: dict[str, str] = Field(description="Without signatures and tokens.")
    body: str
    answer: dict[str, Any]
