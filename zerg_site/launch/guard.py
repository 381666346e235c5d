"""Two processes watch each other: the one that people see and stop, and the one that supervises.

The supervisor lives in a session of its own, so a Ctrl-C reaches the parts only through it, in order. When the
front process is killed, a pipe tells the supervisor; when the supervisor is killed, the front process inherits all
that it had started (Linux) and ends it. So no single ``kill -9`` leaves anything behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from zerg_site.launch import tree
from zerg_site.launch.say import LaunchError, complain

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def guarded(supervise: Callable[[int, int], int]) -> int:
    """Runs ``supervise(front, pid)`` in the second process and returns its exit code.

    ``front`` is a file descriptor that reaches its end when the process ``pid`` (this one) dies.
    Signals are handed on; in ``supervise`` they are blocked until it has its own handlers.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    front, ours = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    front_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _supervise(supervise, front, front_pid)
    os.close(front)
    tree.adopt_orphans()
    for number in STOPS:
        # nohup and the like have asked for a signal to be ignored; Ctrl-C and TERM always stop.
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda received, _frame: _pass_on(pid, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    code = _wait_for(pid)
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)  # one more Ctrl-C must not change how this ends
    tree.kill_descendants()
    return code


def _supervise(supervise: Callable[[int, int], int], front: int, front_pid: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        tree.adopt_orphans()
        code = supervise(front, front_pid)
    except LaunchError as error:
        complain(f"zerg: {error}")
    except BaseException:
        complain(traceback.format_exc())
    finally:
        os._exit(code)  # whatever happens: the code of the front process is not for this one


def _pass_on(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended: the wait below returns
        os.kill(pid, number)


def _wait_for(pid: int) -> int:
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            if code < 0:
                complain(f"zerg: the supervisor was killed ({signal.Signals(-code).name}), its parts with it")
                return 1
            return code
