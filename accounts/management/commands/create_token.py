"""./zerg manage create_token USER [--name N] [--scopes S]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import SCOPES, User
from accounts.services import create_token
from common.errors import ZergError


class Command(BaseCommand):
    help = "Makes an API token and prints it, once, as the last word."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="the e-mail address of the person it acts for")
        parser.add_argument("--name", default="Command line", help="what it is for")
        parser.add_argument("--scopes", help=f"comma-separated, all by default: {', '.join(SCOPES)}", default=None)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["user"]).first()
        if user is None:
            raise CommandError(f"Nobody here has the e-mail address {options['user']}.")
        if not user.is_active:
            raise CommandError(f"The account {user.email} is switched off.")
        scopes = options["scopes"]
        wanted = None if scopes is None else [scope.strip() for scope in scopes.split(",") if scope.strip()]
        try:
            token, text = create_token(user, options["name"], wanted)
        except ZergError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Token “{token.name}” of {user.email}, shown only now: {text}")
