"""The admin site: Django's own, with Zerg's name on it."""

from __future__ import annotations

from django.contrib.admin import AdminSite


class ZergAdminSite(AdminSite):
    site_header = "Zerg administration"
    site_title = "Zerg admin"
    index_title = "What this Zerg is made of"
