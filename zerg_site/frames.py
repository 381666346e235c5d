"""A message to a socket, written straight to the kernel.

Autobahn's way to send one goes through a dozen calls, and Twisted's transport writes nothing until its event loop comes
round again: for a frame of text, many times a second to each viewer, that is most of what sending costs.
"""

from __future__ import annotations

import select
from typing import Any

FINAL_TEXT, FINAL_BINARY = 0x81, 0x82
SHORT, MEDIUM = 126, 1 << 16


def frame(payload: bytes, *, is_binary: bool) -> bytes:
    """One whole message from a server: RFC 6455, section 5.2."""
    size = len(payload)
    kind = FINAL_BINARY if is_binary else FINAL_TEXT
    if size < SHORT:
        return bytes((kind, size)) + payload
    if size < MEDIUM:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + size.to_bytes(8, "big") + payload


def write(transport: Any, data: bytes) -> None:
    """Writes as much as the kernel wants now; the rest waits in the transport, as everything does otherwise."""
    if transport.dataBuffer or transport._tempDataBuffer or transport.TLS or not transport.connected:
        transport.write(data)
        return
    written = transport.writeSomeData(data) if _is_writable(transport.fileno()) else 0
    if not isinstance(written, int):  # the connection is gone: the transport will say so
        written = 0
    if written < len(data):
        transport.write(data[written:])


def _is_writable(descriptor: int) -> bool:
    """A kernel that has enough for a slow client (TCP_NOTSENT_LOWAT) would take more, but it does not ask for it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
