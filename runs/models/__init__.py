"""Executions of agents on threads, the calls they are made of, and what people are told of them."""

from runs.models.notice import BrowserNotices, Delivery, Notice, OutgoingHook
from runs.models.run import ACTIVE, UNFINISHED, Run, RunStatus, Step

__all__ = [
    "ACTIVE",
    "UNFINISHED",
    "BrowserNotices",
    "Delivery",
    "Notice",
    "OutgoingHook",
    "Run",
    "RunStatus",
    "Step",
]
