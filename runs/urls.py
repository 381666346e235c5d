"""Addresses of runs: their pages, and what people do to them."""

from __future__ import annotations

from django.urls import path

from runs import pages_urls, views

app_name = "runs"
urlpatterns = [
    path("threads/<int:thread_id>/messages/", views.send, name="send"),
    path("runs/<int:run_id>/stop/", views.stop, name="stop"),
    path("runs/<int:run_id>/retry/", views.retry, name="retry"),
    path("queue/<int:message_id>/remove/", views.remove_queued, name="remove_queued"),
    path("agents/<int:agent_id>/run/", views.run_agent_now, name="run_agent_now"),
    *pages_urls.urlpatterns_pages,
]
