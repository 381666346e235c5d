"""Ports: a quiet one for a part, and the web's listening socket, which outlives the processes behind it."""

from __future__ import annotations

import errno
import random
import socket

from zerg_site.launch.say import LaunchError

# Below what Linux and macOS give to outgoing connections: one of those could take a part's port in a restart.
QUIET_PORTS = range(18_000, 32_000)
FIRST_PORT = 8000
TRIES = 100


def quiet_port() -> int:
    """A loopback port that nobody listens on now."""
    for port in random.sample(QUIET_PORTS, 200):
        try:
            _bound(socket.AF_INET, ("127.0.0.1", port), shared=False).close()
        except OSError:
            continue
        return port
    raise LaunchError("no free loopback port was found between 18000 and 32000")


def listen(host: str, port: int | None, sockets: int = 1) -> list[socket.socket]:
    """Sockets that listen on ``host``: on ``port``, or on the first free one from 8000 when it is None.

    With ``sockets`` > 1 they share the port and the kernel spreads connections. Raises LaunchError.
    """
    if port is not None:
        return _listen(host, port, sockets)
    for candidate in range(FIRST_PORT, FIRST_PORT + TRIES):
        try:
            return _listen(host, candidate, sockets)
        except PortTaken:
            continue
    raise LaunchError(f"ports {FIRST_PORT} to {FIRST_PORT + TRIES - 1} are taken: name a free one with --port")


class PortTaken(LaunchError):
    """Somebody else listens there."""


def _listen(host: str, port: int, sockets: int) -> list[socket.socket]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise LaunchError(f"--host {host} is not an address of this machine") from error
    opened: list[socket.socket] = []
    try:
        # Sockets that share a port would also share it with somebody else's: ask for it alone first.
        first = _bound(family, address, shared=False)
        opened.append(first)
        if sockets > 1:
            taken = first.getsockname()  # port 0 has become a number
            first.close()
            opened = [_bound(family, taken, shared=True) for _ in range(sockets)]
        for listener in opened:
            listener.listen(1024)
    except OSError as error:
        for listener in opened:
            listener.close()
        raise _explained(error, host, port) from error
    return opened


def _bound(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _explained(error: OSError, host: str, port: int) -> LaunchError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(f"port {port} on {host} is taken by another program: choose another with --port")
    if error.errno in (errno.EACCES, errno.EPERM):
        return LaunchError(f"port {port} may not be used by this account: choose one above 1023 with --port")
    if error.errno == errno.EADDRNOTAVAIL:
        return LaunchError(f"--host {host} is not an address of this machine")
    return LaunchError(f"cannot listen on {host}, port {port}: {error.strerror}")
