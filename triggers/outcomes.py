"""What the end of a due time means for its schedule."""

from __future__ import annotations

from django.db.models import F

from triggers.models import Schedule


def note_failure(schedule_id: int, sentence: str) -> None:
    """One more failure in a row; ``sentence`` says why, for people. Inside the transaction in which it is written."""
    Schedule.objects.filter(pk=schedule_id).update(failures_in_row=F("failures_in_row") + 1)
