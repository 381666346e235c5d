"""What a supervisor or a load balancer asks: is the web process alive, and is every part there?"""

from __future__ import annotations

from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from common import alive

OK = "ok"


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Each part is "ok" or says in words why not; 503 if any is down."""
    parts = {"database": _database(), **_behind_the_bus()}
    ready = all(state == OK for state in parts.values())
    return JsonResponse({"status": OK if ready else "down", "parts": parts}, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseFailure:
        return "down: the database does not answer"
    return OK


def _behind_the_bus() -> dict[str, str]:
    try:
        living = {part: alive.is_alive(part) for part in alive.PARTS}
    except alive.BUS_ERRORS:
        unknown = "unknown: it is heard of over the bus, which is down"
        return {"bus": "down: the Redis server does not answer"} | dict.fromkeys(alive.PARTS, unknown)
    return {"bus": OK} | {part: OK if lives else _why_silent(part) for part, lives in living.items()}


def _why_silent(part: str) -> str:
    return f"down: the {part} was not heard of for {alive.life_of(part)} seconds"
