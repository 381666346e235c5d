"""/api/models: which models an agent can be given."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from agents.catalog import models_for
from agents.serializers import model_json
from api import shapes
from api.answers import listed
from api.auth import Needs, caller
from api.schemas import Page

router = Router(tags=["Models"])


@router.get("/models", auth=Needs("agents:read"), response=list[shapes.Model], summary="List models")
def list_models(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    """The known models of your workspace's providers, the default provider's first."""
    return listed(models_for(caller(request).user.home_workspace().pk), page, model_json)
