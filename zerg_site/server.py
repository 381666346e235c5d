"""What daphne leaves open to slow and hostile clients, closed in one place: nothing gathers here for anybody.

Daphne takes whatever a client sends into a queue without end, and keeps whatever is sent to a client that does not
read. Here a send waits while its client takes nothing, so that those who send can stop or skip; what may come in is
bounded in size, in number and in time; and strangers are refused before they cost anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from collections import deque
from typing import Any

import daphne.cli
import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.web import http

from threads.admission import TOO_MANY
from threads.sockets import FRAME_BYTES, FRAMES_PER_SECOND
from zerg_site import frames
from zerg_site.doorman import Headers, Unfinished, Visit, come_in

# Bytes.
UNSENT_BYTES = 32 * 1024
"""What may wait in this process for one client, and once more in the kernel, before those who send have to wait."""
BODY_BYTES = 4 * 1024 * 1024
DISCARDED_BYTES = 8 * 1024 * 1024
# Seconds.
STALLED_SECONDS = 60
CLOSING_SECONDS = 5
FRAGMENTS = 256
"""The most frames that one message may come in."""

unfinished = Unfinished()


class Channel(http.HTTPChannel):
    """One connection. It knows whether its client takes what is sent, and may not send requests without end."""

    connections = 0
    visit: Visit | None = None
    """What the doorman said of the handshake that this connection begins with."""
    _may_write: asyncio.Event | None = None
    _received = 0
    _is_new = True

    def connectionMade(self) -> None:
        super().connectionMade()
        Channel.connections += 1
        unfinished.add(self)
        self.transport.bufferSize = UNSENT_BYTES
        handle: socket.socket = self.transport.getHandle()
        with contextlib.suppress(AttributeError, OSError):  # other kernels have one of them, or none
            # Without it the kernel takes megabytes for a client that reads nothing: memory, and text that grows old.
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)

    def dataReceived(self, data: bytes) -> None:
        if not self._handlingRequest:
            unfinished.add(self)
            self._received += len(data)
            if self._received > BODY_BYTES:
                self._refuse(413)
                return
            if self._is_new:
                self._is_new = False
                if (status := self._look_at(data)) is not None:
                    self._refuse(status)
                    return
        super().dataReceived(data)

    def _look_at(self, data: bytes) -> int | None:
        """The status to refuse a handshake with that came in one piece, as nearly all do: the quick way of saying what
        ``Request`` says of the others. Under a flood it is the difference between noticing it and not."""
        head, whole, _ = data.partition(b"\r\n\r\n")
        if not whole or b"\r\nupgrade: websocket" not in head.lower():
            return None
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        found = come_in(self.transport.getPeer(), [(name.lower(), value.strip()) for name, _, value in lines])
        if isinstance(found, int):
            return found
        self.visit = found
        return None

    def _refuse(self, status: int) -> None:
        reason = http.RESPONSES.get(status, b"Too Many Requests")
        self.transport.write(b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, reason))
        self.loseConnection()

    def allContentReceived(self) -> None:
        self._received = 0
        unfinished.discard(self)
        super().allContentReceived()

    def drop(self) -> None:
        """Cuts the connection off."""
        self.transport.abortConnection()

    def lost(self) -> None:
        """The connection is over: as HTTP, or as the socket that it became."""
        Channel.connections -= 1
        unfinished.discard(self)
        self._go_on()

    def connectionLost(self, reason: Any) -> None:
        self.lost()
        super().connectionLost(reason)

    # The transport says when it holds enough, and when all of that is gone.

    @property
    def is_full(self) -> bool:
        return self._may_write is not None

    async def until_writable(self) -> None:
        if self._may_write is not None:
            await self._may_write.wait()

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._may_write = self._may_write or asyncio.Event()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._go_on()

    def stopProducing(self) -> None:
        super().stopProducing()
        self._go_on()

    def _go_on(self) -> None:
        if self._may_write is not None:
            self._may_write.set()
            self._may_write = None


class Request(WebRequest):
    """One request. A handshake passes the doorman before anything is made for it."""

    _parsePOSTFormSubmission = False  # Django reads forms; twisted would read them too, and first, into memory

    def process(self) -> Any:
        upgrade = self.requestHeaders.getRawHeaders(b"upgrade") or [b""]
        if upgrade[0].lower() != b"websocket":
            return super().process()
        transport = self.transport
        visit = self.channel.visit or come_in(transport.getPeer(), self._headers())
        if isinstance(visit, int):
            self._refuse(visit)
            return None
        self.channel.visit = visit
        done = super().process()
        if isinstance(transport.protocol, Socket) and transport.protocol.state == Socket.STATE_CONNECTING:
            transport.pauseProducing()  # nobody reads, yet, what else it has to say
        return done

    def _headers(self) -> Headers:
        return [(name.lower(), b",".join(values)) for name, values in self.requestHeaders.getAllRawHeaders()]

    def _refuse(self, status: int) -> None:
        self.setResponseCode(status)
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"0"])
        self.channel.persistent = False
        http.Request.write(self, b"")
        self.finish()


class Socket(WebSocketProtocol):
    """One WebSocket. Who sends too much, too often or nonsense is told so, and not listened to any more."""

    muted = False
    failByDrop = False  # a client that is only cut off does not hear why
    closeHandshakeTimeout = CLOSING_SECONDS
    _fragments = 0
    _discarded = 0

    def makeConnection(self, transport: Any) -> None:
        self.channel: Channel = transport.producer
        self._arrivals: deque[float] = deque(maxlen=FRAMES_PER_SECOND)
        super().makeConnection(transport)

    def serverAccept(self, subprotocol: str | None = None) -> None:
        if self.channel.visit is not None:
            self.channel.visit.accepted()
        self.transport.resumeProducing()
        super().serverAccept(subprotocol)

    def onOpen(self) -> None:
        self.maxMessagePayloadSize = self.maxFramePayloadSize = FRAME_BYTES
        super().onOpen()

    def sendMessage(self, payload: bytes, isBinary: bool = False, **_: Any) -> None:
        # Autobahn's own would hold it to the limit of what may come in: a long thread's history would end its socket.
        if self.state == self.STATE_OPEN:
            frames.write(self.transport, frames.frame(payload, is_binary=isBinary))

    # Coming in

    def dataReceived(self, data: bytes) -> None:
        if not self.failedByMe:
            super().dataReceived(data)
            return
        self._discarded += len(data)
        if self._discarded > DISCARDED_BYTES:
            self.dropConnection(abort=True)

    def processData(self) -> bool:
        if self.failedByMe:  # the rest of what came in one piece
            self.data = b""
            return False
        return bool(super().processData())

    def onFrameBegin(self) -> None:
        if self._comes_too_often():
            self._fail_connection(TOO_MANY, "too many frames")
        else:
            super().onFrameBegin()

    def _comes_too_often(self) -> bool:
        if self.current_frame.opcode == 0:
            self._fragments += 1
            return self._fragments > FRAGMENTS
        self._fragments = 0
        now = time.monotonic()
        is_too_often = len(self._arrivals) == FRAMES_PER_SECOND and now - self._arrivals[0] < 1
        self._arrivals.append(now)
        return is_too_often

    def _fail_connection(self, *args: Any, **kwargs: Any) -> None:
        super()._fail_connection(*args, **kwargs)
        if not self.muted and hasattr(self, "application_queue"):
            self.muted = True  # the application hears it now, and not once more when the connection is gone
            self.application_queue.put_nowait({"type": "websocket.disconnect", "code": self.localCloseCode or 1006})

    # Going out

    def handle_reply(self, message: dict[str, Any]) -> None:
        if self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            super().handle_reply(message)

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:
        if self.channel.is_full:
            self.closeHandshakeTimeout = STALLED_SECONDS  # who reads slowly comes to the reason late
        super().sendCloseFrame(*args, **kwargs)

    def check_timeouts(self) -> None:
        if self.channel.is_full:
            # A ping would stand behind the text, and its answer be late; the kernel sees whether somebody reads.
            self.last_ping = time.time()
            if self.autoPingTimeoutCall:
                self._cancelAutoPingTimeoutCall()
        super().check_timeouts()

    def connectionLost(self, reason: Any = None) -> None:
        self.channel.lost()
        super().connectionLost(reason)


class Factory(HTTPFactory):
    """Makes connections, as many as there are file descriptors for beside those of the databases."""

    protocol = Channel
    most = 1_000_000

    def buildProtocol(self, addr: Any) -> Any:
        if Channel.connections >= self.most:
            return None
        built = super().buildProtocol(addr)
        built.requestFactory = Request
        return built

    def log(self, request: Any) -> None:
        """Writes no line for each request: twisted would put them together, for nobody."""


class Server(daphne.server.Server):
    """Daphne, whose applications wait for their clients."""

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        channel = getattr(protocol, "channel", None)
        if channel is not None and channel.is_full and message["type"] in ("http.response.body", "websocket.send"):
            await channel.until_writable()
        await super().handle_reply(protocol, message)

    def timeout_checker(self) -> None:
        unfinished.sweep()
        super().timeout_checker()

    def kill_all_applications(self) -> Any:
        for protocol, details in list(self.connections.items()):
            if "application_instance" not in details:  # daphne expects one, and would end none of the others
                del self.connections[protocol]
        return super().kill_all_applications()


def stand_in() -> None:
    """From now on daphne, which is about to start, starts this server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    Factory.most = files * 3 // 4 if files > 0 else Factory.most
    daphne.server.HTTPFactory = Factory
    daphne.server.WebSocketFactory.protocol = Socket
    daphne.cli.CommandLineInterface.server_class = Server
