"""Many meters at once: registers as columns, and only what is pushed is encoded and sealed.

The fleet's clocks are kept right by the network (each push carries the time the meter believes in); a meter whose
clock drifts is :class:`openami.meter.meter.VirtualMeter`.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from datetime import datetime

from openami.meter.counters import InvocationCounters
from openami.meter.events import LOG_OF, EventCode
from openami.meter.registers import RegisterBank
from openami.meter.sealing import MeterIdentity, sealed_push
from openami.protocol.axdr import Data
from openami.protocol.envelope.ports import PushPort
from openami.protocol.push import (
    EventRow,
    LoadProfileRow,
    RegisterRow,
    event_body,
    load_profile_body,
    register_body,
)


@dataclass(frozen=True, slots=True)
class MeterFleet:
    """m meters.

    Args:
        identities: (m,) names and keys; one is replaced when a meter takes new keys.
        registers: their registers.
        counters: their invocation counters.
    """

    identities: MutableSequence[MeterIdentity]
    registers: RegisterBank
    counters: InvocationCounters

    def push_profile(self, meter: int, rows: Sequence[LoadProfileRow], *, at: datetime) -> bytes:
        """Return the sealed frame of captured intervals, oldest first."""
        return self._push(meter, at, load_profile_body(rows), PushPort.LOAD_PROFILE)

    def push_registers(self, meter: int, rows: Sequence[RegisterRow], *, at: datetime) -> bytes:
        """Return the sealed frame of register reads."""
        return self._push(meter, at, register_body(rows), PushPort.REGISTERS)

    def push_events(
        self, meter: int, events: Sequence[tuple[datetime, EventCode]], *, at: datetime, last_gasp: bool = False
    ) -> bytes:
        """Return the sealed frame of events; a last gasp goes out by its own port, which is served first."""
        rows = [EventRow(when, LOG_OF[code], int(code)) for when, code in events]
        return self._push(meter, at, event_body(rows), PushPort.LAST_GASP if last_gasp else PushPort.EVENT)

    def push_entries(self, meter: int, entries: Sequence[tuple[datetime, int, EventCode]], *, at: datetime) -> bytes:
        """Return the sealed frame of events that may stand in another log than their code's own."""
        rows = [EventRow(when, log, int(code)) for when, log, code in entries]
        return self._push(meter, at, event_body(rows), PushPort.EVENT)

    def _push(self, meter: int, at: datetime, body: Data, port: PushPort) -> bytes:
        identity = self.identities[meter]
        counter = self.counters.take(meter, since=identity.counted_from)
        return sealed_push(identity, counter=counter, at=at, body=body, port=port)
