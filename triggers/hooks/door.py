"""The address that other services send to. Whoever is signed in there does not matter: the signature says who sends."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from common.errors import ZergError
from triggers.hooks.receiving import MOST_BYTES, receive


@csrf_exempt
def door(request: HttpRequest, token: str) -> HttpResponse:
    """``POST /hooks/{token}``."""
    if request.method != "POST":
        refusal = ZergError("method_not_allowed", "This address takes POST.")
        return JsonResponse(refusal.as_json(), status=405, headers={"Allow": "POST"})
    try:
        body = request.read(MOST_BYTES + 1)
    except UnreadablePostError:
        return JsonResponse(ZergError("bad_request", "The request broke off.").as_json(), status=400)
    answer = receive(token, body, {name.lower(): value for name, value in request.headers.items()})
    return JsonResponse(answer.content, status=answer.status, headers=answer.headers)
