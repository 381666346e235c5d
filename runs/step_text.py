"""What went into a step and what came out of it: as much as is shown, however much there is."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F, Subquery
from django.db.models.functions import Left, Length

from runs.models import Run, Step
from threads.models import ThreadMessage

SHOWN_CHARS = 20_000
FULL_CHARS = 1_000_000
"""What is longer is no page but a file."""


@dataclass(frozen=True)
class Payload:
    """A beginning, and of how many characters altogether."""

    text: str
    chars: int

    @property
    def is_cut(self) -> bool:
        return len(self.text) < self.chars

    @property
    def is_too_long(self) -> bool:
        """For a page."""
        return self.chars > FULL_CHARS


@dataclass(frozen=True)
class StepText:
    """A step with its payloads, and where the thread shows what came of it: in which message, at which element."""

    step: Step
    input: Payload
    output: Payload
    article_id: int | None = None
    anchor: str = ""


def read_step(run: Run, index: int, chars: int | None = SHOWN_CHARS) -> StepText | None:
    """The step with its first ``chars`` characters in and out, None for all; None where there is no such step.

    What a model answered is on its message.
    """
    sources = {"input": "input", "output": "output", "said": "message__content"}
    found = {f"{name}_text": Left(path, chars) if chars else F(path) for name, path in sources.items()}
    lengths = {f"{name}_chars": Length(path) for name, path in sources.items()}
    rows = Step.objects.filter(run=run, index=index).defer("input", "output")
    step = rows.annotate(**found, **lengths).first()
    if step is None:
        return None
    parts = {
        name: Payload(getattr(step, f"{name}_text") or "", getattr(step, f"{name}_chars") or 0) for name in sources
    }
    is_said = step.kind != Step.Kind.TOOL and not parts["output"].chars
    output = parts["said"] if is_said else parts["output"]
    return StepText(step, parts["input"], output, *_place(run, step))


def _place(run: Run, step: Step) -> tuple[int | None, str]:
    """What a tool answered is shown with the message that asked for it."""
    if step.kind != Step.Kind.TOOL or step.message_id is None:
        return step.message_id, f"m-{step.message_id}"
    rows = ThreadMessage.objects.filter(thread=run.thread_id)
    answer = rows.filter(pk=step.message_id).values("seq")
    earlier = rows.filter(role=ThreadMessage.Role.ASSISTANT, seq__lt=Subquery(answer)).exclude(tool_calls=[])
    asking = earlier.order_by("-seq").only("tool_calls").first()
    if asking is None:
        return None, ""
    numbers = {call["id"]: number for number, call in enumerate(asking.tool_calls, 1)}
    number = numbers.get(step.call_id)
    return asking.pk, f"m-{asking.pk}-k{number}" if number else f"m-{asking.pk}"
