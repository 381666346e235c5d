"""Reads the command line of `./zerg` and hands over. See HELP for the commands."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from zerg_site.launch import install
from zerg_site.launch.environment import anchor_paths
from zerg_site.launch.say import LaunchError, complain, say

HELP = """\
Zerg, a self-hosted home for AI agents.

  ./zerg up [--host 127.0.0.1] [--port 8000] [--no-local-model]
                         start everything; Ctrl-C stops it. The first time, this installs what is needed
  ./zerg test [--long] [pytest's arguments]
                         every check and test; with arguments, only pytest with these
  ./zerg bench [streams|pages|schedules|start …] [--quick] [--on sqlite|postgres]
                         measure this machine's Zerg and print a table
  ./zerg manage COMMAND  Django's command line in Zerg's environment, for example: create_token, shell

For deployments with their own REDIS_URL and DATABASE_URL, one service each:
  ./zerg web [--host 127.0.0.1] [--port 8000] [--processes N]
  ./zerg worker [--processes N] [--concurrency N]
  ./zerg beat

  ./zerg lock [--upgrade]
                         resolve requirements*.in again and write the hashed requirements*.txt

Data, keys and logs are in ./var, or where ZERG_DATA_DIR says. The README has every variable."""


class UsageError(LaunchError):
    """The command line cannot be understood."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as every other error here."""

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"./zerg {command}", add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message} (./zerg help shows the options)")


def main(arguments: list[str]) -> int:
    """Runs one command. Returns the process's exit code: 2 for a command line that makes no sense."""
    try:
        command, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
        if command in ("help", "--help", "-h") or (command != "manage" and rest in (["--help"], ["-h"])):
            say(HELP)
            return 0
        if command not in COMMANDS:
            raise UsageError(f"there is no command {command!r}; ./zerg help lists them")
        install.enter_environment(arguments)
        here = anchor_paths(os.environ)
        if command != "lock":  # which must work above all when the lock does not
            install.ensure(install.RUNTIME)
        return COMMANDS[command](rest, here)
    except LaunchError as error:
        complain(f"zerg: {error}")
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        complain(f"zerg: {error}")
        return 1
    except KeyboardInterrupt:
        complain("\nzerg: interrupted; nothing is half done, start again when you like")
        return 130


def _up(arguments: list[str], here: Path) -> int:
    from zerg_site.launch.up import UpOptions, up

    parser = Parser("up")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port)
    parser.add_argument("--no-local-model", action="store_true")
    options = parser.parse_args(arguments)
    return up(UpOptions(options.host, options.port, not options.no_local_model, here))


def _web(arguments: list[str], _here: Path) -> int:
    from zerg_site.launch import deploy

    parser = Parser("web")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=8000)
    parser.add_argument("--processes", type=_count, default=1)
    options = parser.parse_args(arguments)
    return deploy.web(options.host, options.port, options.processes)


def _worker(arguments: list[str], _here: Path) -> int:
    from zerg_site.launch import deploy

    parser = Parser("worker")
    parser.add_argument("--processes", type=_count, default=1)
    parser.add_argument("--concurrency", type=_count)
    options = parser.parse_args(arguments)
    return deploy.worker(options.processes, options.concurrency)


def _beat(arguments: list[str], _here: Path) -> int:
    from zerg_site.launch import deploy

    Parser("beat").parse_args(arguments)
    return deploy.beat()


def _manage(arguments: list[str], here: Path) -> int:
    from zerg_site.launch import deploy

    return deploy.manage(arguments, here)


def _test(arguments: list[str], _here: Path) -> int:
    from zerg_site.launch import suite

    return suite.test(arguments)


def _bench(arguments: list[str], _here: Path) -> int:
    install.ensure(install.DEV)
    from bench.__main__ import main as bench

    return bench(arguments)


def _lock(arguments: list[str], _here: Path) -> int:
    from zerg_site.launch import locking

    parser = Parser("lock")
    parser.add_argument("--upgrade", action="store_true")
    return locking.lock(upgrade=parser.parse_args(arguments).upgrade)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1024")
    return int(text)


COMMANDS: dict[str, Callable[[list[str], Path], int]] = {
    "up": _up,
    "web": _web,
    "worker": _worker,
    "beat": _beat,
    "manage": _manage,
    "test": _test,
    "bench": _bench,
    "lock": _lock,
}
