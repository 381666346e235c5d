"""Addresses of threads."""

from __future__ import annotations

from django.urls import path

from threads import export_views, list_views, reading_views, search_views, views

app_name = "threads"
urlpatterns = [
    path("search/", search_views.search_page, name="search"),
    path("palette/", search_views.palette_hits, name="palette"),
    path("keys/", search_views.keys, name="keys"),
    path("threads/", list_views.thread_list, name="list"),
    path("threads/import/", export_views.bring, name="import"),
    path("threads/arrange/", list_views.arrange, name="arrange"),
    path("welcome/demo/", views.demo, name="demo"),
    path("agents/<int:agent_id>/threads/", views.new_thread, name="new"),
    path("threads/<int:thread_id>.md", export_views.thread_markdown, name="markdown"),
    path("threads/<int:thread_id>.json", export_views.thread_json, name="json"),
    path("messages/<int:message_id>.md", export_views.message_markdown, name="message_markdown"),
    path("threads/<int:thread_id>/", views.thread_page, name="detail"),
    path("threads/<int:thread_id>/messages/more/", views.more, name="more"),
    path("threads/<int:thread_id>/sync/", views.sync, name="sync"),
    path("threads/<int:thread_id>/context/", views.context, name="context"),
    path("threads/<int:thread_id>/find/", reading_views.find, name="find"),
    path("threads/<int:thread_id>/read/", reading_views.read, name="read"),
    path("threads/<int:thread_id>/unread/", reading_views.unread, name="unread"),
    path("threads/<int:thread_id>/draft/", views.draft, name="draft"),
    path("threads/<int:thread_id>/title/", views.rename, name="rename"),
    path("threads/<int:thread_id>/settings/", views.settings, name="settings"),
    path("threads/<int:thread_id>/delete/", views.delete, name="delete"),
    path("messages/<int:message_id>/changes/", views.what_changed, name="changes"),
]
