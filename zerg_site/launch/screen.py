"""The one calm screen that `./zerg up` shows when everything is ready."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zerg_site.launch.say import near, strong


@dataclass(frozen=True)
class FirstAccount:
    """What ``manage setup`` answers. ``password`` is known only when it has just been generated; ``model`` is the
    one that a new agent speaks with, in words.
    """

    email: str
    password: str | None
    link: str
    model: str

    @classmethod
    def from_setup(cls, output: str) -> FirstAccount:
        """Reads the JSON object in the last line of ``manage setup``'s output."""
        answer = json.loads(output.splitlines()[-1])
        return cls(answer["email"], answer["password"], answer["link"], answer["model"])


def lines(
    *,
    origin: str,
    account: FirstAccount,
    offline_model: str | None,
    data: Path,
    logs: Path,
    here: Path,
    open_to_all: bool,
) -> Iterator[str]:
    yield ""
    yield f"  {strong('Zerg is running.')}"
    yield ""
    yield f"  Address     {strong(origin)}"
    if account.link:
        yield f"  Sign in     {strong(origin + account.link)}   (this link works once)"
    if account.password:
        yield f"  Account     {account.email}, password {strong(account.password)}   (shown only now)"
    else:
        yield f"  Account     {account.email}"
    if offline_model:
        yield f"  Model       {offline_model}: add a real one under Settings, Models"
    else:
        yield f"  Model       {account.model}"
    yield f"  Data        {near(data, here)}"
    yield f"  Logs        {near(logs, here)}"
    yield ""
    if open_to_all:
        yield "  Other machines can reach it when ZERG_PUBLIC_ORIGIN is the address that they type."
    yield "  Next: open the sign-in link, choose an agent and say hello."
    yield "  Ctrl-C stops everything."
    yield ""
