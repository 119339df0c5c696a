"""What listens in a zone and who has dialed whom, as the kernel of that zone says.

Source: proc_pid_net(5), the tables of TCP and UDP sockets.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from tests.zones.matrix import ZONES, Flow, zone_of
from tests.zones.namespaces import Net

_ESTABLISHED, _LISTENS = "01", "0A"


@dataclass(frozen=True, order=True, slots=True)
class End:
    """An address and a port."""

    protocol: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.protocol} {self.host}:{self.port}"


CORE_BUS = End("tcp", "127.0.0.1", 8422)
LISTENS: dict[str, set[End]] = {
    "carrier": set(),
    "field": {End("tcp", "10.80.1.10", 4059), End("udp", "10.80.1.10", 4059)},
    "dmz": {End("tcp", "10.80.2.10", 8443), End("tcp", "10.80.2.10", 8422)},
    "core": {End("tcp", "10.80.3.10", 8420), CORE_BUS},
    "enterprise": set(),
}
"""Where the processes of each zone listen, and nowhere else: database and store have Unix sockets alone."""
STANDING = {Flow("field", "dmz", "tcp", 8443), Flow("core", "dmz", "tcp", 8422)}
"""Connections that stand all the time, by who began them."""


def begun(net: Net) -> set[Flow]:
    """Return the connections between zones that stand now, by who began them."""
    return {Flow(zone, zone_of(end.host), end.protocol, end.port) for zone in ZONES for _, end in dialed(net, zone)}


def listening(net: Net, zone: str) -> set[End]:
    """Return where processes of the zone take connections or datagrams."""
    found = {local for protocol, local, _, state in _rows(net, zone) if protocol == "tcp" and state == _LISTENS}
    return found | {local for protocol, local, _, _ in _rows(net, zone) if protocol == "udp"}


def dialed(net: Net, zone: str) -> set[tuple[str, End]]:
    """Return the connections of a zone that its own processes have begun with other hosts: (own address, other end)."""
    here = {(end.protocol, end.port) for end in listening(net, zone)}
    return {
        (local.host, remote)
        for _, local, remote, state in _rows(net, zone)
        if state == _ESTABLISHED and (local.protocol, local.port) not in here and remote.host != local.host
    }


def _rows(net: Net, zone: str) -> list[tuple[str, End, End, str]]:
    rows = []
    for file in ("tcp", "tcp6", "udp", "udp6"):
        for line in net.run(zone, "cat", f"/proc/net/{file}").splitlines()[1:]:
            _, local, remote, state, *_ = line.split()
            protocol = file.rstrip("6")
            rows.append((protocol, _end(protocol, local), _end(protocol, remote), state))
    return rows


def _end(protocol: str, text: str) -> End:
    host, port = text.split(":")
    words = [struct.pack("<I", int(host[i : i + 8], 16)) for i in range(0, len(host), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return End(protocol, socket.inet_ntop(family, b"".join(words)), int(port, 16))
