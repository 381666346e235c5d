"""`./zerg up` as a person meets it, with a provider of their own: the link, the form, the answer, Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows.marks import on_sqlite_only
from tests.flows.parts import ROOT, clean_environment, wait_until
from tests.flows.people import Fake, unique
from tests.flows.stack import Stack
from tests.flows.visitor import Visitor
from tests.launch.tools import alive
from zerg_site.launch import tree
from zerg_site.launch.ports import quiet_port


@dataclass
class Up:
    """The command and what it printed. ``stack`` is another one: its model server serves this Zerg too."""

    process: subprocess.Popen[bytes]
    printed: Path
    stack: Stack

    @property
    def screen(self) -> str:
        return self.printed.read_text()

    def line(self, name: str) -> str:
        found = re.search(rf"^  {name}\s+(\S+)", self.screen, re.MULTILINE)
        assert found, self.screen
        return found[1]


@pytest.fixture
def up(stack: Stack, tmp_path: Path) -> Iterator[Up]:
    port = quiet_port()
    environment = clean_environment(
        ZERG_DATA_DIR=str(tmp_path / "data"), OPENAI_BASE_URL=f"{stack.model_url}/v1", ZERG_DEFAULT_MODEL="fake-2"
    )
    command = [str(ROOT / "zerg"), "up", "--port", str(port), "--no-local-model"]
    printed = tmp_path / "screen.txt"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    running = Up(process, printed, stack)
    try:
        wait_until(lambda: "Ctrl-C stops" in running.screen or process.poll() is not None, "it is up", 60)
        assert process.poll() is None, running.screen
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(20)


@on_sqlite_only
async def test_from_the_printed_link_to_an_answer_and_to_ctrl_c(up: Up, fake: Fake) -> None:
    text = unique("Hello there")
    async with Visitor.of(up.stack, up.line("Address")) as visitor:
        link = up.line("Sign in").removeprefix(visitor.origin)
        home = await visitor.page(link)
        agent = re.search(r'href="(/agents/\d+/)"', home)
        assert agent
        made = await visitor.submit(agent[1], f"{agent[1]}threads/", {})
        page = made.headers["Location"]
        async with visitor.page_socket(int(page.strip("/").split("/")[-1])) as socket:
            sent = await visitor.submit(page, f"{page}messages/", {"content": text})
            assert sent.status == 303
            await socket.until(
                lambda: {"t": "say", "text": "Assistant replied"} in socket.frames, "the answer is there", 30
            )
        assert f"You said: {text}" in await visitor.page(page)
    assert (await fake.asked_once(text))["body"]["model"] == "fake-2"

    parts = tree.descendants_of(up.process.pid)
    assert len(parts) >= 5
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(30) == 0, up.screen
    assert "Stopped." in up.screen
    assert [pid for pid in parts if alive(pid)] == []
