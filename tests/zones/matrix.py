"""Which flows pass between the zones. Written here by hand, apart from the rule sets that are measured against it."""

from __future__ import annotations

from dataclasses import dataclass

ZONES = ("carrier", "field", "dmz", "core", "enterprise")
FIREWALL = "firewall"
LISTENER_PORT, GATEWAY_PORT, BUS_PORT, PORTAL_PORT = 4059, 8443, 8422, 8420


@dataclass(frozen=True, order=True, slots=True)
class Flow:
    """Connections of one kind.

    Args:
        source: zone that begins them.
        target: zone that is dialed.
        protocol: ``tcp``, ``udp`` or the number of another protocol of IP.
        port: port of the target; 0 where the protocol has none.
    """

    source: str
    target: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.source} -> {self.target} {self.protocol}/{self.port}"


ALLOWED = {
    Flow("carrier", "field", "tcp", LISTENER_PORT): "meters push to the listener",
    Flow("carrier", "field", "udp", LISTENER_PORT): "meters push to the listener",
    Flow("field", "dmz", "tcp", GATEWAY_PORT): "collectors to the gateway, link v1",
    Flow("core", "dmz", "tcp", BUS_PORT): "core takes frames, gives commands",
    Flow("enterprise", "core", "tcp", PORTAL_PORT): "people to the portal",
}


def address(zone: str) -> str:
    """Return the address of a zone's host.

    >>> address("dmz")
    '10.80.2.10'
    """
    return f"10.80.{ZONES.index(zone)}.10"


def router(zone: str) -> str:
    """Return the firewall's address on the side of a zone."""
    return f"10.80.{ZONES.index(zone)}.1"


def zone_of(text: str) -> str:
    """Return the zone whose network holds an address."""
    return ZONES[int(text.split(".")[2])]
