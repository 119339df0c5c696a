"""One virtual meter by itself on a socket, in real time, for whoever wants to try a head-end or a client on it.

Its keys are in a shipment file, as a factory would hand them over; its invocation counters lie beside that file,
because a counter that came twice under one key would give the key away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from openami.app.territory.territory_files import FileCounterStore, bank_of
from openami.kernel.errors import MisuseError
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters
from openami.meter.meter import VirtualMeter
from openami.meter.registers import MJ_PER_WH
from openami.meter.sealing import MeterIdentity
from openami.security.adapters.shipment_file import read_shipment
from openami.security.closed_file import make_closed_once
from openami.security.keys.shipment import ShippedMeter
from openami.sim.factory import make_meters, shipment_document

LOGICAL_DEVICE = 1
"""The one logical device of our meter: the management logical device."""
VOLTAGE_DV = 2_400
_STEP = timedelta(hours=1)
_DELIVERED_WH, _RECEIVED_WH = 1_234_567, 89_012
_SUNNY_HOURS = range(10, 16)
_SUN_MW = -1_200_000


def shipped_meter(file: Path, *, secret: Callable[[int], bytes], now: datetime) -> ShippedMeter:
    """Return the first meter of a shipment file; a file that is not there is made, with a meter of new keys.

    Args:
        file: the shipment file; closed to others.
        secret: returns that many octets nobody can guess.
        now: when a new one is made, UTC.

    Raises:
        ShipmentError: the file cannot be taken.
        OSError: a new one cannot be written.
    """

    def make() -> bytes:
        return shipment_document(make_meters(1, secret=secret), shipment_id="lone-meter", made_at=now).encode()

    make_closed_once(file, make)
    meters = read_shipment(file).meters
    if not meters:
        raise MisuseError(f"{file} names no meter")
    return meters[0]


@dataclass(frozen=True, slots=True)
class _Conversation:
    """One client's session; see :class:`openami.network.exchange.MeterSession`."""

    client: int
    associations: MeterAssociations
    catch_up: Callable[[], None]

    def receive(self, apdu: bytes) -> Sequence[bytes]:
        """Answer an APDU."""
        self.catch_up()
        return self.associations.answer(self.client, apdu)

    def close(self) -> None:
        """End what was associated."""
        self.associations.end()


class LoneMeter:
    """A meter that has run for some days and goes on in real time: a home with a solar roof.

    Args:
        shipped: name and keys.
        counters: file of its invocation counters.
        now: the clock, UTC.
        dice: gives that many fresh random octets.
        zone: its zone.
        days: how long it has run, at most 60.
    """

    def __init__(
        self,
        shipped: ShippedMeter,
        *,
        counters: Path,
        now: Callable[[], datetime],
        dice: Callable[[int], bytes],
        zone: ZoneInfo,
        days: int = 3,
    ) -> None:
        start = now() - timedelta(days=days)
        identity = MeterIdentity(
            shipped.system_title,
            shipped.encryption_key.reveal(),
            shipped.authentication_key.reveal(),
        )
        delivered, received = (np.array([wh * MJ_PER_WH], dtype=np.int64) for wh in (_DELIVERED_WH, _RECEIVED_WH))
        self._counters = InvocationCounters(FileCounterStore(counters, 1))
        self._now, self._dice = now, dice
        self.meter = VirtualMeter(
            identity, bank_of(delivered, received), self._counters, MeterClock(start), zone, start
        )
        self.catch_up()

    def open_session(self, client: int, server: int) -> _Conversation | None:
        """Begin a conversation; see :data:`openami.network.exchange.OpenSession`."""
        if server != LOGICAL_DEVICE:
            return None
        meter = self.meter
        associations = MeterAssociations(
            meter.device,
            identity=lambda: meter.identity,
            send=FleetSendCounter(self._counters, 0),
            received=meter.state.received,
            dice=self._dice,
        )
        return _Conversation(client, associations, self.catch_up)

    def catch_up(self) -> None:
        """Let flow what has flowed since the last time. Nobody takes its pushes."""
        now = self._now()
        while self.meter.now < now:
            until = min(now, self.meter.now + _STEP)
            hour = self.meter.now.astimezone(self.meter.zone).hour
            self.meter.advance(until, power_mw=_power_mw(hour), voltage_dv=VOLTAGE_DV)


def _power_mw(hour: int) -> int:
    return _SUN_MW if hour in _SUNNY_HOURS else 400_000 + 100_000 * (hour % 5)
