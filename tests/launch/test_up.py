"""The whole house, started by the one command on a directory of its own."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch.browser import Browser
from tests.launch.tools import ROOT, alive, wait_for
from zerg_site.launch import tree
from zerg_site.launch.broker import find_server

STARTED = 90  # seconds, on a busy machine


class House:
    """One `./zerg up`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self.output = folder / "screen.txt"
        ours = ("ZERG_", "OPENAI_", "REDIS_URL", "DATABASE_URL")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment |= {"ZERG_DATA_DIR": str(self.data), "ZERG_ADMIN_EMAIL": "ada@example.org"}
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [ROOT / "zerg", "up", *options],
                env=self.environment,
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: "Ctrl-C stops everything." in self.screen(), "the screen", STARTED)
        except AssertionError as error:
            self.end()
            raise AssertionError(self.screen()) from error

    def screen(self) -> str:
        return self.output.read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "zerg", *arguments],
            env=self.environment,
            cwd=self.data,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ready(self) -> bool:
        port = int(self.shown("Address").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def shown(self, label: str) -> str:
        found = re.search(rf"^  {label} +(\S.*)$", self.screen(), re.MULTILINE)
        assert found, self.screen()
        return found[1]

    def processes(self) -> list[int]:
        return [self.process.pid, *tree.descendants_of(self.process.pid)]

    def process_of(self, part: str) -> int:
        """The process whose command line holds ``part``."""
        lines = [line.split(None, 1) for line in self.listing().splitlines()]
        return next((int(pid) for pid, command in lines if part in command), 0)

    def listing(self) -> str:
        pids = ",".join(map(str, self.processes()))
        shown = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "-p", pids], capture_output=True, text=True, check=False
        )
        return shown.stdout

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("up"), "--port", "0")
    yield house
    house.end()


def test_the_screen_holds_what_a_person_needs(house: House) -> None:
    address = house.shown("Address")

    assert house.ready()
    assert house.shown("Sign in").startswith(f"{address}/sign-in/once/")
    assert re.fullmatch(r"ada@example\.org, password \S{12,}   \(shown only now\)", house.shown("Account"))
    assert house.shown("Model").startswith("tiny offline demo model (SmolLM2 135M)")
    assert house.shown("Logs") == "data/logs"
    assert "\x1b" not in house.screen()


def test_the_password_is_in_no_log(house: House) -> None:
    password = house.shown("Account").split()[2]

    assert all(password not in log.read_text() for log in (house.data / "logs").iterdir())


def test_only_the_owner_can_read_what_it_writes(house: House) -> None:
    assert (house.data / "run.json").stat().st_mode & 0o777 == 0o600
    readable = [path for path in house.data.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert readable == []


def test_a_second_up_on_the_same_data_is_refused(house: House) -> None:
    refused = house.run("up")

    assert refused.returncode == 1
    assert f"Zerg already runs on this data directory (at {house.shown('Address')}" in refused.stderr


def test_the_link_signs_in_and_the_demo_model_answers_what_the_page_sends(house: House) -> None:
    link = house.shown("Sign in").split()[0]
    browser = Browser()
    browser.go(link)
    assert browser.address == f"{house.shown('Address')}/"
    browser.submit(r"/agents/\d+/threads/", {})
    assert "/threads/" in browser.address
    browser.submit(r"/threads/\d+/messages/", {"content": "Say hello to Ada."})
    assert "Say hello to Ada." in browser.html

    wait_for(lambda: answer_on(browser) != "", "the answer", STARTED)

    with pytest.raises(urllib.error.HTTPError, match="410"):
        Browser().go(link)


def answer_on(browser: Browser) -> str:
    """The text of the agent's message on the page, loaded anew; empty until it is complete."""
    browser.go(browser.address)
    articles = re.findall(r"<article .*?</article>", browser.html, re.DOTALL)
    done = [one for one in articles if 'data-role="assistant"' in one and 'data-status="complete"' in one]
    said = re.search(r'<div class="prose" id="m-\d+-b"[^>]*>(.*?)</div>', done[-1], re.DOTALL) if done else None
    return re.sub(r"<[^>]*>", "", said[1]).strip() if said else ""


def test_manage_finds_the_running_broker(house: House) -> None:
    code = "import redis; from django.conf import settings; print(redis.Redis.from_url(settings.REDIS_URL).ping())"
    answer = house.run("manage", "shell", "--no-imports", "-c", code)

    assert answer.stdout.split() == ["True"], answer.stderr


@pytest.mark.parametrize(
    ("part", "name"),
    [(" worker ", "worker"), (find_server()[0].name, "broker"), ("daphne", "web")],
)
def test_a_part_that_is_killed_comes_back_by_itself(house: House, part: str, name: str) -> None:
    wait_for(lambda: house.process_of(part) > 0, f"{name} runs", STARTED)
    pid = house.process_of(part)
    os.kill(pid, signal.SIGKILL)

    wait_for(lambda: f"{name} was killed by SIGKILL; starting it again" in house.screen(), "its line")
    wait_for(lambda: house.process_of(part) not in (0, pid) and house.ready(), "all parts are ready", STARTED)


def test_ctrl_c_stops_all_of_it_cleanly(house: House) -> None:
    processes = house.processes()
    assert len(processes) >= 7  # front, supervisor, broker, model, web, worker, beat

    house.process.send_signal(signal.SIGINT)

    assert house.process.wait(30) == 0
    assert house.screen().endswith("Stopping …\nStopped.\n")
    assert [pid for pid in processes if alive(pid)] == []
    assert not (house.data / "run.json").exists()


def test_it_starts_again_on_the_same_data_and_kill_9_leaves_nothing_running(
    house: House,
) -> None:
    again = House(house.data.parent, "--port", "0", "--no-local-model")
    try:
        assert again.shown("Account") == "ada@example.org"
        assert again.shown("Model").startswith("none yet")
        processes = again.processes()
        again.process.kill()
        wait_for(lambda: not any(alive(pid) for pid in processes), "all of it is gone")
        assert not (again.data / "run.json").exists()
    finally:
        again.end()
