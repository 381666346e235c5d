"""Addresses of threads."""

from __future__ import annotations

from django.urls import path

from threads import views

app_name = "threads"
urlpatterns = [
    path("threads/", views.thread_list, name="list"),
    path("agents/<int:agent_id>/threads/", views.new_thread, name="new"),
    path("threads/<int:thread_id>/", views.thread_page, name="detail"),
    path("threads/<int:thread_id>/messages/older/", views.older, name="older"),
    path("threads/<int:thread_id>/sync/", views.sync, name="sync"),
    path("threads/<int:thread_id>/title/", views.rename, name="rename"),
    path("threads/<int:thread_id>/delete/", views.delete, name="delete"),
    path("messages/<int:message_id>/show/", views.show_version, name="show_version"),
]
