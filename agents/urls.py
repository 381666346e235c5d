"""Addresses of agents. ``settings_patterns`` are mounted outside their namespace."""

from __future__ import annotations

from django.urls import path

from agents import draft_views as drafts
from agents import form_views as forms
from agents import key_views as keys
from agents import provider_views as providers
from agents import version_views as versions
from agents import views, welcome_views

app_name = "agents"
urlpatterns = [
    path("agents/", views.agent_list, name="list"),
    path("agents/new/", forms.new_agent, name="new"),
    path("agents/check/", forms.check_field, name="check"),
    path("agents/draft/", drafts.keep, name="draft"),
    path("agents/draft/discard/", drafts.discard, name="discard_draft"),
    path("agents/starter/<slug:key>/", forms.starter, name="starter"),
    path("agents/<int:pk>/", views.agent_detail, name="detail"),
    path("agents/<int:pk>/edit/", forms.edit_agent, name="edit"),
    path("agents/<int:pk>/versions/", versions.version_list, name="versions"),
    path("agents/<int:pk>/versions/<int:number>/", versions.version, name="version"),
    path("agents/<int:pk>/versions/<int:number>/restore/", versions.restore_version, name="restore_version"),
    path("agents/<int:pk>/duplicate/", views.duplicate, name="duplicate"),
    path("agents/<int:pk>/archive/", views.archive, name="archive"),
    path("agents/<int:pk>/restore/", views.restore, name="restore"),
]

welcome_patterns = [
    path("welcome/", welcome_views.welcome, name="welcome"),
    path("welcome/later/", welcome_views.later, name="welcome_later"),
]

settings_patterns = [
    path("models/", providers.provider_list, name="models"),
    path("models/new/", providers.new_provider, name="new_provider"),
    path("models/try/", keys.try_provider, name="try_provider"),
    path("models/fix/", keys.fix_key, name="fix_key"),
    path("models/<int:pk>/key/", keys.replace_key, name="provider_key"),
    path("models/<int:pk>/", providers.edit_provider, name="provider"),
    path("models/<int:pk>/test/", keys.test_provider, name="test_provider"),
    path("models/<int:pk>/default/", providers.make_default, name="make_default"),
    path("models/<int:pk>/switch/", providers.switch, name="switch_provider"),
    path("models/<int:pk>/remove/", providers.remove_provider, name="remove_provider"),
]
