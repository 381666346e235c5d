"""/api/search: messages by their words."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from api import shapes
from api.answers import part_of_list
from api.auth import Needs, caller
from api.schemas import SearchQuery
from threads.search import search
from threads.serializers import hit_json

router = Router(tags=["Search"])


@router.get("/search", auth=Needs("threads:read"), response=list[shapes.Hit], summary="Find messages")
def find_messages(request: HttpRequest, page: Query[SearchQuery]) -> HttpResponse:
    """Your messages and your agents' that hold all words of `q`, the best first; the last word may be the beginning of
    one. Of more than 1,000 the newest are put in order, and `X-Total-Count` counts no further."""
    found = search(caller(request).user, page.q, agent_id=page.agent_id, start=page.skip, count=page.limit)
    return part_of_list(found.hits, found.total, hit_json)
