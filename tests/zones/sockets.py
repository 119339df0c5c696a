"""What listens in a zone and who has dialed whom, as the kernel of that zone says.

Source: proc_pid_net(5), the tables of TCP and UDP sockets.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

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
