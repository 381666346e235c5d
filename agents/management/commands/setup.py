"""./zerg manage setup: what a database needs before anybody can sign in. Running it again harms nothing."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.models import User
from accounts.services import make_sign_in_link
from agents.catalog import default_choice, ensure_built_in_providers, providers_for
from agents.models import Provider
from agents.services import check_provider, create_agent
from engine import Limits

EXAMPLE = {
    "name": "Assistant",
    "description": "Answers questions, tells the time and does sums.",
    "system_instructions": (
        "You are a friendly, helpful assistant. Answer in a few short sentences, in the language you are asked in. "
        "Say so when you do not know something."
    ),
    "task_instructions": "Write one short, friendly sentence that is a good thought to start the day with.",
    "tools": ["current_time", "calculate"],
}
QUICK = Limits(connect=2, first_byte=3)


class Command(BaseCommand):
    help = "Makes the first administrator, the built-in providers and an example agent, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_built_in_providers()
        admin, password = first_administrator()
        ask_the_environments_provider()
        answer = {
            "email": admin.email,
            "password": password,
            "link": make_sign_in_link(admin),
            "model": model_in_words(admin.give_workspace().pk),
        }
        self.stdout.write(json.dumps(answer))


@transaction.atomic
def first_administrator() -> tuple[User, str | None]:
    """The administrator, and a password if one was generated just now. A new one gets an example agent."""
    administrators = User.objects.filter(is_superuser=True, is_active=True).order_by("id")
    named = administrators.filter(email__iexact=settings.ADMIN_EMAIL).first()
    if present := named or administrators.first():
        return present, None
    generated = None if settings.ADMIN_PASSWORD else secrets.token_urlsafe(12)
    password = settings.ADMIN_PASSWORD or generated
    if known := User.objects.filter(email__iexact=settings.ADMIN_EMAIL).first():
        # Somebody took the last administrator's rights away; whoever sets the environment may give them back.
        known.is_staff = known.is_superuser = known.is_active = True
        known.set_password(password)
        known.save()
        return known, generated
    admin = User.objects.create_superuser(settings.ADMIN_EMAIL, password, timezone=machines_timezone())
    create_agent(workspace=admin.give_workspace(), author=admin, **EXAMPLE)
    return admin, generated


def machines_timezone() -> str:
    """The IANA name of the machine's zone, or UTC. (Django has already set TZ for this process.)"""
    _, found, name = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return name if found and name in available_timezones() else "UTC"


def ask_the_environments_provider() -> None:
    """Learns which models the operator's provider offers, once. Pages show what is wrong when it does not answer."""
    if not (settings.OPENAI_BASE_URL or settings.OPENAI_API_KEY):
        return
    provider = Provider.objects.filter(kind=Provider.Kind.ENVIRONMENT, last_ok_at=None).first()
    if provider is not None:
        check_provider(provider, limits=QUICK)


def model_in_words(workspace_id: int) -> str:
    """What a new agent will speak with, for the start screen."""
    providers = providers_for(workspace_id)
    if not providers:
        return "none yet: add a provider's key under Settings, Models"
    choice = default_choice(providers)
    if choice.provider.kind == Provider.Kind.LOCAL:
        return "tiny offline demo model (add a real key under Settings, Models)"
    if choice.provider.last_error:
        return f"{choice.provider.name}, but: {choice.provider.last_error}"
    return f"{choice.name or 'its first model'} at {choice.provider.name}"
