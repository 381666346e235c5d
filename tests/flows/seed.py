"""Prepares a template database: python -m tests.flows.seed. Prints who lives in it, as one line of JSON."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stdout

PASSWORD = "correct horse battery"
NOBODY_LISTENS = "http://127.0.0.1:9/v1"


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "zerg_site.settings"
    os.environ["ZERG_ADMIN_PASSWORD"] = PASSWORD
    import django

    django.setup()
    from django.core.management import call_command

    said = io.StringIO()
    with redirect_stdout(said):
        call_command("migrate", interactive=False, verbosity=0)
        call_command("setup")
    print(json.dumps(people()))


def people() -> dict[str, str]:
    """The administrator and a stranger, each with a token; and a provider where nobody listens."""
    from accounts.models import User
    from accounts.services import create_token
    from agents.models import LanguageModel, Provider

    admin = User.objects.get(is_superuser=True)
    stranger = User.objects.create_user("stranger@localhost", PASSWORD)
    stranger.give_workspace()
    silent = Provider.objects.create(
        kind=Provider.Kind.CUSTOM, name="Silent", base_url=NOBODY_LISTENS, private_allowed=True
    )
    LanguageModel.objects.create(provider=silent, name="nobody-home")
    return {
        "email": admin.email,
        "password": PASSWORD,
        "token": create_token(admin, "Flows")[1],
        "stranger_email": stranger.email,
        "stranger_password": PASSWORD,
        "stranger_token": create_token(stranger, "Flows")[1],
    }


if __name__ == "__main__":
    main()
