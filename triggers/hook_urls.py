"""Addresses of webhooks: their pages, and the one that other services send to."""

from __future__ import annotations

from django.urls import include, path

from triggers import hook_views as views
from triggers.hooks.door import door

pages = [
    path("", views.webhook_list, name="list"),
    path("new/", views.new_webhook, name="new"),
    path("<int:pk>/", views.webhook_detail, name="detail"),
    path("<int:pk>/secret/", views.secret, name="secret"),
    path("<int:pk>/forget-old-secret/", views.forget_old_secret, name="forget_old_secret"),
    path("<int:pk>/test/", views.test, name="test"),
    path("<int:pk>/pause/", views.pause, name="pause"),
    path("<int:pk>/resume/", views.resume, name="resume"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/log/<int:received_id>/", views.received, name="received"),
    path("<int:pk>/log/<int:received_id>/replay/", views.replay, name="replay"),
]
urlpatterns = [
    path("webhooks/", include((pages, "webhooks"))),
    path("hooks/<str:token>", door, name="hook"),
]
