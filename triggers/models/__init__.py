"""Runs that no human started: schedules with the ledger of their due times, and webhooks with the log of theirs."""

from triggers.models.occurrence import Occurrence
from triggers.models.run_end import RunEnd
from triggers.models.schedule import Schedule
from triggers.models.webhook import Received, Webhook

__all__ = ["Occurrence", "Received", "RunEnd", "Schedule", "Webhook"]
