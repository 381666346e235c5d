"""Addresses of the pages that show runs; ``runs.urls`` includes them."""

from __future__ import annotations

from django.urls import path

from runs import pages

urlpatterns_pages = [
    path("runs/", pages.run_list, name="list"),
    path("runs/<int:pk>/", pages.run_detail, name="detail"),
    path("runs/<int:pk>/steps/<int:index>/", pages.step_detail, name="step"),
]
