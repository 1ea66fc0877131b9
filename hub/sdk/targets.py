"""Where an outgoing webhook may go: a public address, by TLS.

Whoever may enter an address could otherwise have the hub knock at its own neighbours: the database, a cloud's metadata
service. A name is resolved here, all of its addresses are judged, and the connection goes to the one that was judged:
resolved a second time, the name could lead somewhere else. `HUB_PRIVATE_TARGETS` allows all, for one's own network.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from hub.sdk.errors import Misconfigured, Unavailable

NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is reachable for everybody (IANA's special-purpose registries); one that wraps another
    (IPv4 in IPv6, 6to4, Teredo, NAT64) is judged by what is inside."""
    parsed = ip_address(address.partition("%")[0])
    inside = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    return parsed.is_global and not parsed.is_multicast and (inside is None or is_public(str(inside)))


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


async def to_public_address(request: httpx.Request) -> httpx.Request:
    """The same request, addressed to a public address of its host; TLS still proves the name.

    Raises `Misconfigured` for a target that is refused, `Unavailable` when the name cannot be resolved now.
    """
    host = request.url.host
    if request.url.scheme != "https":
        raise Misconfigured(f"{host} is not talked to without TLS: use an https address, or set HUB_PRIVATE_TARGETS.")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, request.url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"The name {host} cannot be resolved.", detail=str(error)) from error
    addresses = [str(info[4][0]) for info in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise Misconfigured(
            f"{host} is a private or loopback address, where webhooks do not go: use a public one, or set "
            "HUB_PRIVATE_TARGETS if the network is your own."
        )
    pinned = httpx.Request(
        request.method,
        request.url.copy_with(host=addresses[0]),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
    pinned.headers["Host"] = request.headers["Host"]
    return pinned
