from __future__ import annotations

import socket

import pytest

from zerg_site.launch import ports
from zerg_site.launch.say import LaunchError


def _taken_port() -> tuple[socket.socket, int]:
    other = socket.create_server(("127.0.0.1", 0))
    return other, other.getsockname()[1]


def test_a_taken_port_is_refused_by_its_number() -> None:
    other, port = _taken_port()
    with other, pytest.raises(LaunchError, match=f"port {port} on 127.0.0.1 is taken by another program"):
        ports.listen("127.0.0.1", port)


def test_without_a_wish_the_next_free_port_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    other, port = _taken_port()
    monkeypatch.setattr(ports, "FIRST_PORT", port)
    with other:
        (listener,) = ports.listen("127.0.0.1", None)
        with listener:
            assert port < listener.getsockname()[1] < port + ports.TRIES


def test_an_address_of_another_machine_is_refused_with_a_sentence() -> None:
    with pytest.raises(LaunchError, match=r"--host 192\.0\.2\.1 is not an address of this machine"):
        ports.listen("192.0.2.1", 0)


def test_several_sockets_share_one_port_but_not_with_somebody_else() -> None:
    sockets = ports.listen("127.0.0.1", 0, sockets=3)
    try:
        (port,) = {listener.getsockname()[1] for listener in sockets}
        with pytest.raises(LaunchError, match="is taken"):
            ports.listen("127.0.0.1", port, sockets=2)
    finally:
        for listener in sockets:
            listener.close()


def test_callers_wait_in_the_socket_until_somebody_serves_it() -> None:
    (listener,) = ports.listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname(), timeout=5) as caller:
        caller.sendall(b"hello")
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(5) == b"hello"
