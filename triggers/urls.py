"""Addresses of schedules."""

from __future__ import annotations

from django.urls import path

from triggers import look_views, preview_views, views

app_name = "schedules"
urlpatterns = [
    path("schedules/", views.schedule_list, name="list"),
    path("schedules/new/", views.new_schedule, name="new"),
    path("schedules/preview/", preview_views.preview, name="preview"),
    path("schedules/look/", look_views.look, name="look"),
    path("schedules/<int:pk>/", views.schedule_detail, name="detail"),
    path("schedules/<int:pk>/pause/", views.pause, name="pause"),
    path("schedules/<int:pk>/resume/", views.resume, name="resume"),
    path("schedules/<int:pk>/run/", views.run, name="run"),
    path("schedules/<int:pk>/rehearse/", views.rehearse, name="rehearse"),
    path("schedules/<int:pk>/delete/", views.delete, name="delete"),
]
