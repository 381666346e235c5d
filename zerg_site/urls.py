"""Every address. Each app says its own in whole; here they are put together."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

import accounts.urls
import agents.urls
import runs.urls
from zerg_site import health

admin.autodiscover()

settings_patterns = [
    *accounts.urls.settings_patterns,
    *agents.urls.settings_patterns,
    *runs.urls.settings_patterns,
]

urlpatterns = [
    # Browsers ask for it on pages that name no icon of their own, the admin's among them.
    path("favicon.ico", RedirectView.as_view(url=settings.STATIC_URL + "img/favicon.svg"), name="favicon"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("accounts.urls")),
    path("settings/", include((settings_patterns, "settings"))),
    *runs.urls.home_patterns,
    *agents.urls.welcome_patterns,
    path("", include("agents.urls")),
    path("", include("threads.urls")),
    path("", include("runs.urls")),
    path("", include("triggers.urls")),
    path("", include("triggers.hook_urls")),
    path("", include("api.urls")),
    path("admin/", admin.site.urls),
]
