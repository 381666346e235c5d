from __future__ import annotations

from django.urls import URLPattern

urlpatterns_pages: list[URLPattern] = []
