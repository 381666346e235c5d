"""Addresses of agents. ``home`` and ``settings_patterns`` are mounted outside their namespace."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "agents"
urlpatterns: list[URLPattern] = []
settings_patterns: list[URLPattern] = []
