"""The admin site: Django's own, with Zerg's name on it and Zerg's one way in."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse


class ZergAdminSite(AdminSite):
    site_header = "Zerg administration"
    site_title = "Zerg admin"
    index_title = "What this Zerg is made of"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The product's own sign-in page, which counts the tries; a second door would have to do so too."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied("This account may not use the admin.")
        target = request.GET.get("next") or reverse("admin:index")
        return redirect_to_login(target, reverse("sign_in"))
