"""Who loses the right to see a thread stops seeing it within seconds, on every door that is open, in mid-stream."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp

from tests.flows.people import Object, Person, unique
from tests.flows.visitor import Visitor

SECONDS = 5.0
NEVER = aiohttp.ClientTimeout(total=None)
PASSWORD = "correct horse battery"
LONG = "[[script: long n=1500 rate=50]]"

PEOPLE = """
import json
from accounts.models import Membership, User
from accounts.services import create_token
from agents.models import Agent
for way in {ways!r}:
    user = User.objects.create_user(way + "@example.org", {password!r})
    workspace = Agent.objects.get(pk={agent}).workspace
    Membership.objects.create(workspace=workspace, user=user)
    print(json.dumps([way, user.email, create_token(user, "t")[1]]))
"""
DEEDS = """
import time
from django.utils import timezone
from accounts.models import ApiToken, Membership, User
who = {user.email.partition("@")[0]: user for user in User.objects.all()}
ApiToken.objects.filter(user=who["revoked"]).update(revoked_at=timezone.now())
changed = who["changed"]
changed.set_password("another horse battery")
changed.save()
User.objects.filter(pk=who["off"].pk).update(is_active=False)
Membership.objects.filter(user=who["removed"]).delete()
print(time.time())
"""
BY_TOKEN, BY_SESSION = {"token socket", "token events", "token text"}, {"session socket", "page", "session events"}
LOST = {
    "revoked": BY_TOKEN,
    "changed": BY_SESSION,
    "signedout": BY_SESSION,
    "off": BY_TOKEN | BY_SESSION,
    "removed": BY_TOKEN | BY_SESSION,
    "untouched": set[str](),
}


@dataclass
class Door:
    """Something that streams to somebody: when it said something last, and when it closed."""

    name: str
    last: float = 0.0
    closed: float = 0.0
    code: int | None = None
    said: list[str] = field(default_factory=list)

    def heard(self, what: str) -> None:
        self.last = time.time()
        self.said.append(what)

    async def follow(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self.heard(str(message.data))
        self.closed, self.code = time.time(), socket.close_code

    async def read(self, answer: aiohttp.ClientResponse) -> None:
        async for piece in answer.content.iter_any():
            self.heard(piece.decode(errors="ignore"))
        self.closed = time.time()


Opened = tuple[Visitor, list[Door]]


async def open_doors(everything: AsyncExitStack, person: Person, email: str, agent: Object) -> Opened:
    """All doors of one person to one thread, while a long answer is being written there."""
    thread = await person.thread(agent)
    visitor = await everything.enter_async_context(Visitor.of(person.stack))
    await visitor.sign_in(email, PASSWORD)
    base, path = person.stack.base, f"/api/threads/{thread['id']}/messages"
    body = {"content": unique(LONG), "client_message_id": "one"}
    doors = [Door("token socket"), Door("session socket"), Door("page")]
    sockets = [
        await everything.enter_async_context(person.http.ws_connect(f"{base}{path[:-8]}ws", headers=person.headers)),
        await visitor.connect(f"{path[:-8]}ws", {"Origin": visitor.origin}),
        await visitor.connect(f"/threads/{thread['id']}/live", {"Origin": visitor.origin}),
    ]
    await sockets[2].send_json({"op": "sub", "v": 0, "leaf": None, "have": {}})
    work = [door.follow(socket) for door, socket in zip(doors, sockets, strict=True)]
    for name, door in (("events", "text/event-stream"), ("text", "text/plain")):
        headers = {**person.headers, "Accept": door}
        sending = person.http.post(f"{base}{path}", json=body, headers=headers, timeout=NEVER)
        doors.append(Door(f"token {name}"))
        work.append(doors[-1].read(await everything.enter_async_context(sending)))
    reading = visitor.http.get(f"{visitor.origin}{path}", headers={"Accept": "text/event-stream"}, timeout=NEVER)
    doors.append(Door("session events"))
    work.append(doors[-1].read(await everything.enter_async_context(reading)))
    for task in map(asyncio.create_task, work):
        everything.callback(task.cancel)
    return visitor, doors


async def test_every_open_door_closes_within_seconds_and_says_nothing_more(owner: Person) -> None:
    agent = await owner.agent()
    made = owner.stack.manage("shell", "-c", PEOPLE.format(ways=list(LOST), password=PASSWORD, agent=agent["id"]))
    async with AsyncExitStack() as everything:
        opened: dict[str, Opened] = {}
        for way, email, token in (json.loads(line) for line in made.splitlines() if line.startswith("[")):
            person = Person(owner.stack, token, owner.http)
            opened[way] = await open_doors(everything, person, email, agent)
        await asyncio.sleep(1)
        printed = await asyncio.to_thread(owner.stack.manage, "shell", "-c", DEEDS)
        await opened["signedout"][0].sign_out()
        done = {way: float(printed.split()[-1]) for way in opened} | {"signedout": time.time()}
        await asyncio.sleep(SECONDS + 1)
    for way, (_, doors) in opened.items():
        for door in doors:
            where = (way, door.name, door.code, door.said[-1:])
            assert any("w20" in piece for piece in door.said), where
            if door.name in LOST[way]:
                assert 0 < door.closed <= done[way] + SECONDS, where
                assert door.last <= door.closed, where
                assert door.code in (None, 4401, 4404), where
            else:
                assert not door.closed, where
                assert door.last > done[way], where
