"""What layers above are told of runs, inside the transaction in which it happens."""

from __future__ import annotations

from django.dispatch import Signal

run_ended = Signal()
"""A run has ended: ``run`` as it was taken up, ``status``, ``reason`` and ``message`` (of the error) as it ended.

A receiver that raises undoes the end, so receivers are few and quick.
"""
