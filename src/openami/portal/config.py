"""What the portal is told about its installation, and the bundle of its ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openami.kernel.clock import Clock
from openami.portal.billing_ports import BillingDesk
from openami.portal.console_ports import CollectorDesk, GatewayDesk, KeyDesk, ReadingsDesk, SwitchingDesk
from openami.portal.live import LiveHub
from openami.portal.own_read_port import OwnReadDesk
from openami.portal.ports import AccessLog, Bills, Customers, FleetView, OperationsView, Radios, Sessions, UsageData
from openami.portal.rate_port import RatesDesk
from openami.security.access.gate import Gate


@dataclass(frozen=True, slots=True)
class PortalConfig:
    """Facts of the installation.

    Args:
        zone: IANA zone of the utility.
        speed: domain seconds per real second.
        is_https: whether browsers reach us over TLS: cookies are then ``Secure`` and named ``__Host-``. Without TLS
            (a laptop's own loopback address) a ``Secure`` cookie would not be sent back by every client, so it is not.
        static: folder of the built web application, or None where it is not built.
    """

    zone: str
    speed: float = 1.0
    is_https: bool = False
    static: Path | None = None

    @property
    def cookie_name(self) -> str:
        """Name of the session cookie; the prefix pins it to this host over TLS."""
        return "__Host-openami" if self.is_https else "openami_session"


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything the portal asks. ``real`` and ``domain`` are the two clocks."""

    sessions: Sessions
    gate: Gate
    usage: UsageData
    bills: Bills
    rates: RatesDesk
    own_reads: OwnReadDesk
    customers: Customers
    access_log: AccessLog
    operations: OperationsView
    fleet: FleetView
    radios: Radios
    collectors: CollectorDesk
    gateway: GatewayDesk
    switching: SwitchingDesk
    keys: KeyDesk
    readings: ReadingsDesk
    billing: BillingDesk
    live: LiveHub
    real: Clock
    domain: Clock
