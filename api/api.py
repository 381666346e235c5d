"""The API: its operations, who may call them, and how it says no."""

from __future__ import annotations

from ninja import NinjaAPI
from ninja.operation import Operation

from api import agents, files, language_models, queue, runs, schedules, search, threads, webhooks
from api.errors import add_error_handlers
from api.parser import StrictParser


class ZergAPI(NinjaAPI):
    """Names each operation by its function."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = ZergAPI(
    title="Zerg",
    version="1",
    description="Agents, their threads, messages, runs and schedules.",
    urls_namespace="api",
    openapi_url=None,
    docs_url=None,
    parser=StrictParser(),
)
add_error_handlers(api)
for part in (agents, threads, files, queue, search, runs, schedules, webhooks, language_models):
    api.add_router("", part.router)
