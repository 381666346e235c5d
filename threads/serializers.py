"""Threads and messages as the JSON API and its socket show them (docs/api.md)."""

from __future__ import annotations

from typing import Any

from common.serialize import iso, money
from threads.models import Thread, ThreadMessage
from threads.search import Hit


def usage_json(row: Any) -> dict[str, Any] | None:
    """The tokens of a message, run, step or thread; None before there are any."""
    if row.input_tokens is None:
        return None
    return {
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens or 0,
        "output_tokens": row.output_tokens or 0,
        "estimated": row.usage_estimated,
    }


def thread_json(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.pk,
        "agent_id": thread.agent_id,
        "title": thread.title,
        "active": thread.active,
        "agent_state": thread.agent_state,
        "memory_strategy": thread.strategy,
        "busy_policy": thread.busy_policy,
        "thread_type": thread.thread_type,
        "pinned": thread.pinned_at is not None,
        "archived": thread.archived_at is not None,
        "usage": usage_json(thread),
        "cost_usd": None if thread.unpriced else money(thread.cost_usd),
        "leaf_id": thread.leaf_id,
        "version": thread.version,
        "created_at": iso(thread.created_at),
        "updated_at": iso(thread.updated_at),
    }


def message_json(message: ThreadMessage) -> dict[str, Any]:
    return {
        "id": message.pk,
        "thread_id": message.thread_id,
        "seq": message.seq,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.content,
        "tool_calls": message.tool_calls or None,
        "tool_call_id": message.tool_call_id or None,
        "name": message.name or None,
        "status": message.status,
        "run_id": message.run_id,
        "source": message.source,
        "client_message_id": message.client_message_id,
        "timestamp": iso(message.timestamp),
        "version": message.version,
        "usage": usage_json(message),
        "cost_usd": money(message.cost_usd),
        "error": {"code": message.error_code, "message": message.error_message} if message.error_code else None,
    }


def hit_json(hit: Hit) -> dict[str, Any]:
    message = hit.message
    return {
        "message_id": message.pk,
        "thread_id": message.thread_id,
        "thread_title": message.thread.title,
        "agent_id": message.thread.agent_id,
        "role": message.role,
        "timestamp": iso(message.timestamp),
        "excerpt": [{"text": part.text, "is_hit": part.is_hit} for part in hit.parts],
    }
