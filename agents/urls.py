"""Addresses of agents. ``home`` and ``settings_patterns`` are mounted outside their namespace."""

from __future__ import annotations

from django.urls import path

from agents import provider_views as providers
from agents import views

app_name = "agents"
urlpatterns = [
    path("agents/", views.agent_list, name="list"),
    path("agents/new/", views.new_agent, name="new"),
    path("agents/check/", views.check_field, name="check"),
    path("agents/<int:pk>/", views.agent_detail, name="detail"),
    path("agents/<int:pk>/edit/", views.edit_agent, name="edit"),
    path("agents/<int:pk>/duplicate/", views.duplicate, name="duplicate"),
    path("agents/<int:pk>/archive/", views.archive, name="archive"),
    path("agents/<int:pk>/restore/", views.restore, name="restore"),
]

home_patterns = [path("", views.home, name="home")]

settings_patterns = [
    path("models/", providers.provider_list, name="models"),
    path("models/new/", providers.new_provider, name="new_provider"),
    path("models/<int:pk>/", providers.edit_provider, name="provider"),
    path("models/<int:pk>/test/", providers.test_provider, name="test_provider"),
    path("models/<int:pk>/default/", providers.make_default, name="make_default"),
    path("models/<int:pk>/switch/", providers.switch, name="switch_provider"),
    path("models/<int:pk>/remove/", providers.remove_provider, name="remove_provider"),
]
