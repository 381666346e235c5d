"""Every address. Each app says its own in whole; here they are put together."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

import accounts.urls
import agents.urls
from zerg_site import health

settings_patterns = [*accounts.urls.settings_patterns, *agents.urls.settings_patterns]

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("accounts.urls")),
    path("settings/", include((settings_patterns, "settings"))),
    *agents.urls.home_patterns,
    path("", include("agents.urls")),
    path("", include("threads.urls")),
    path("", include("runs.urls")),
    path("", include("triggers.urls")),
    path("", include("api.urls")),
    path("admin/", admin.site.urls),
]
