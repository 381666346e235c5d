"""``./zerg manage seed --agents A --threads T --messages M``: realistic data in that quantity."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from accounts.models import User
from triggers import sample_data


class Command(BaseCommand):
    help = "Adds realistic data, for trials and benchmarks, to the workspace of --user (the first administrator)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agents", type=int, default=6)
        parser.add_argument("--threads", type=int, default=12)
        parser.add_argument("--messages", type=int, default=200, help="in all threads together")
        parser.add_argument("--longest", type=int, default=0, help="so many more messages in one of the threads")
        parser.add_argument("--schedules", type=int, default=0)
        parser.add_argument("--user", default="", help="e-mail address")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same data")

    def handle(self, *args: Any, **options: Any) -> None:
        users = (
            User.objects.filter(email__iexact=options["user"])
            if options["user"]
            else User.objects.filter(is_superuser=True)
        )
        user = users.order_by("pk").first()
        if user is None:
            raise CommandError("There is no such user. Run `setup` first, or name one with --user.")
        if (options["threads"] or options["schedules"]) and not options["agents"]:
            raise CommandError("Threads and schedules need agents: give --agents at least 1.")
        if (options["messages"] or options["longest"]) and not options["threads"]:
            raise CommandError("Messages need threads: give --threads at least 1.")
        sizes = {name: options[name] for name in ("agents", "threads", "messages", "longest", "schedules", "seed")}
        sample_data.make(user, **sizes)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "ANALYZE"
                )  # as it does by itself a minute later: until then its plans are for empty tables
        self.stdout.write("{agents} agents, {threads} threads and {messages} messages were added.".format(**sizes))
