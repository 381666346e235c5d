"""Addresses of people. ``settings_patterns`` are mounted under /settings/ together with those of other apps."""

from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-in/once/<str:token>/", views.sign_in_once, name="sign_in_once"),
    path("sign-out/", views.sign_out, name="sign_out"),
]

settings_patterns = [
    path("", views.settings_home, name="home"),
    path("profile/", views.profile, name="profile"),
    path("theme/", views.theme, name="theme"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
]
