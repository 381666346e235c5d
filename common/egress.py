"""The one door for requests that people other than the operator can aim: checked at the moment of connecting.

The address that the socket will connect to is what is judged, after the name was resolved and for every answer, so no
spelling of a host and no second look-up gets around it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Sequence
from typing import Any

import aiohttp
from django.conf import settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
PUBLIC_V6 = ipaddress.ip_network("2000::/3")
TUNNELS = [
    ipaddress.ip_network(net) for net in ("2001::/32", "2002::/16", "2001:db8::/32", "3fff::/20")
]  # Teredo, 6to4, documentation
ISATAP = 0x5EFE
"""In the middle of an IPv6 address: the last 32 bits are one of IPv4, to which a tunnel leads."""
WEB_PORTS = frozenset({80, 443})


class AddressRefused(OSError):
    """A request was about to connect to an address that it may not reach. The text is for people."""

    for_people = True  # says to layers that know nothing of this one: show the text as it is


def is_public(address: IPAddress) -> bool:
    """True only for an address on the open internet; mapped and tunnelled forms of private ones are not."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address not in PUBLIC_V6 or any(address in net for net in TUNNELS):
            return False
        if int(address) >> 32 & 0xFDFFFFFF == ISATAP:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_allowed(host: str, port: int, address: IPAddress) -> bool:
    """True when the operator's ``ZERG_EGRESS_ALLOW`` names the host, host:port or a network that holds the address."""
    for entry in settings.EGRESS_ALLOW:
        if entry in {host, f"{host}:{port}", str(address), f"{address}:{port}", f"[{address}]:{port}"}:
            return True
        try:
            if address in ipaddress.ip_network(entry):
                return True
        except ValueError:
            continue
    return False


class GuardedConnector(aiohttp.TCPConnector):
    """A connection pool that refuses to connect to private, local and reserved addresses.

    With ``ports``, to other ports of public ones too. What the operator allows is allowed.
    """

    def __init__(self, *, ports: Collection[int] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._ports = ports

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Any] | None = None) -> list[Any]:
        answers = await super()._resolve_host(host, port, traces)
        for answer in answers:
            address = ipaddress.ip_address(answer["host"].partition("%")[0])
            if is_allowed(host, port, address):
                continue
            if not is_public(address):
                raise AddressRefused(
                    f"{host} leads to {address}, which is not on the open internet. An operator can allow it with "
                    "ZERG_EGRESS_ALLOW."
                )
            if self._ports is not None and port not in self._ports:
                raise AddressRefused(
                    f"{host} is asked at port {port}, and only the web's own ports are. An operator can allow it with "
                    "ZERG_EGRESS_ALLOW."
                )
        return list(answers)


def guarded_connector(ports: Collection[int] | None = None) -> aiohttp.TCPConnector:
    """For addresses written by people who are not administrators. Call it inside the event loop that will use it.

    ``ports`` are those that it may connect to; None: all.
    """
    return GuardedConnector(ports=ports, limit=0, ttl_dns_cache=0, use_dns_cache=False, family=socket.AF_UNSPEC)


def open_connector() -> aiohttp.TCPConnector:
    """For addresses written by the operator, which may be private (a model server next door)."""
    return aiohttp.TCPConnector(limit=0)
