"""From what an installer could tell to a change of the registry: what could not be read is estimated from the store.

The desk makes changes; :meth:`~openami.mdm.registry.ports.Registry.change` tries them and carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.kernel.time import EVER, Period, epoch_s, local_date, zone_named
from openami.mdm.ports import DailyTotals, IntervalStore, IntervalSummaries, MeterSpan
from openami.mdm.registry.between import Known, register_at, unmetered
from openami.mdm.registry.change import (
    EndRead,
    EndReads,
    Exchange,
    Hang,
    SwapPlaces,
    TakeDown,
    Unmetered,
    channels_to_read,
)
from openami.mdm.registry.crossing import cuts
from openami.mdm.registry.errors import RegistryError, UnknownRecordError
from openami.mdm.registry.facts import FactEntry, FactError, FactKind
from openami.mdm.registry.multiplier import Multiplier
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Installation, InstalledMeter
from openami.mdm.registry.timeline import value_at
from openami.mdm.vee.grid import I64
from openami.security.access.scope import Scope

REACH = timedelta(days=35)
"""How far from an instant a register read may lie to estimate another from it."""
REFERENCE_DAYS = 28
_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A register that the installer could not read, and why."""

    because: str

    def __post_init__(self) -> None:
        if not self.because.strip():
            raise RegistryError("a register that cannot be read needs a reason")


TakenReads: TypeAlias = Mapping[Channel, "int | Unreadable"]


@dataclass(frozen=True, slots=True)
class Store:
    """The store's two faces that the desk asks."""

    intervals: IntervalStore
    summaries: IntervalSummaries


@dataclass(frozen=True, slots=True)
class RegistryDesk:
    """Makes changes.

    Args:
        registry: who hangs where.
        store: readings and day versions.
        scope: of the person or process that acts.
    """

    registry: Registry
    store: Store
    scope: Scope

    async def take_down(self, serial: str, at: datetime, out: TakenReads) -> TakeDown:
        """Return the removal of a meter from wherever it hangs.

        Raises:
            UnknownRecordError: it hangs nowhere then, or there is none of that serial.
            MissingReadError: a register could not be read, and nothing is known to estimate it from.
        """
        one = await self._hanging(serial, at)
        return TakeDown(one.meter.id, at, await self._settled(one, at, out))

    async def hang(
        self,
        installation_id: UUID,
        point: UUID,
        serial: str,
        *,
        at: datetime,
        reads: TakenReads,
        factors: Multiplier | None = None,
    ) -> Hang:
        """Return the hanging of a meter at a place; an in-read that was not taken is carried back from later ones.

        Raises:
            UnknownRecordError: there is no meter of that serial.
            MissingReadError: a register was not read, and nothing it sent since is known.
        """
        meters = await self.registry.meters_of_serials([serial])
        if not meters:
            raise UnknownRecordError(f"no meter of serial {serial[:60]!r}: enter it first")
        hung = InstalledMeter(Installation(installation_id, point, meters[0].id, at), meters[0])
        found = await self._settled(hung, at, reads)
        return Hang(installation_id, point, meters[0].id, at, found, factors or Multiplier())

    async def exchange(
        self,
        gone_serial: str,
        new: Hang,
        *,
        removed_at: datetime,
        out: TakenReads,
        between_wh: Mapping[Channel, int] | None = None,
    ) -> Exchange:
        """Return an exchange: the old meter's end reads, and what passed until the new one hung.

        Args:
            gone_serial: the maker's number of the meter that goes.
            new: what is hung.
            removed_at: when the old one was taken down.
            out: its reads.
            between_wh: what a person says passed meanwhile; other channels are estimated.
        """
        one = await self._hanging(gone_serial, removed_at)
        gone = TakeDown(one.meter.id, removed_at, await self._settled(one, removed_at, out))
        between: tuple[Unmetered, ...] = ()
        if new.start > removed_at:
            period = Period(removed_at, new.start)
            channels = [c for c in (Channel.DELIVERED, Channel.RECEIVED) if c in one.meter.channels]
            between = tuple(
                [
                    unmetered(c, period, await self._days_before(one, c, removed_at), by_hand=(between_wh or {}).get(c))
                    for c in channels
                ]
            )
        return Exchange(gone, new, between)

    async def crossed(
        self, first_serial: str, second_serial: str, *, since: datetime | None, until: datetime | None, now: datetime
    ) -> SwapPlaces:
        """Return the correction of two crossed meters, with the register reads at which their installations are cut."""
        sides = [await self._hanging(s, since or now) for s in (first_serial, second_serial)]
        change = SwapPlaces(sides[0].meter.id, sides[1].meter.id, since, until)
        by_id = {s.meter.id: s for s in sides}
        reads: dict[tuple[UUID, datetime], EndReads] = {}
        for meter_id, instant in cuts(sides[0].installation, sides[1].installation, change):
            one = by_id[meter_id]
            asked = {c: Unreadable("crossed meters: not read then") for c in channels_to_read(one.meter)}
            reads[meter_id, instant] = await self._settled(one, instant, asked)
        return replace(change, reads=reads)

    async def start(self, point: UUID, *, account: UUID, rate: str | None, at: datetime) -> tuple[FactEntry, ...]:
        """Return the facts of a service that starts for an account.

        Raises:
            FactError: another account holds it then: stop its service first.
        """
        entries = [
            FactEntry(point, FactKind.ACCOUNT, str(account), at),
            FactEntry(point, FactKind.SERVICE, "active", at),
        ]
        held = value_at(await self.registry.facts.of([point], EVER, kinds=[FactKind.ACCOUNT]), at)
        if held is not None and held != str(account):
            raise FactError(
                f"service point {point}: account {held} holds the service at {at.isoformat()}; stop that service first"
            )
        if rate is not None:
            entries.append(FactEntry(point, FactKind.RATE, rate, at))
        return tuple(entries)

    async def stop(self, point: UUID, *, at: datetime) -> tuple[FactEntry, ...]:
        """Return the facts of a service that stops: no account, no rate, inactive, until the next start.

        Raises:
            FactError: no account holds it then.
        """
        facts = await self.registry.facts.of([point], EVER, kinds=[FactKind.ACCOUNT, FactKind.RATE])
        mine = [f for f in facts if f.kind is FactKind.ACCOUNT]
        if value_at(mine, at - _MOMENT) is None and value_at(mine, at) is None:
            raise FactError(f"service point {point}: no account holds the service at {at.isoformat()}")
        # A later start that is entered already stays.
        later = min((f.start for f in mine if f.start > at), default=None)
        return (
            FactEntry(point, FactKind.ACCOUNT, None, at, later),
            FactEntry(point, FactKind.RATE, None, at, later),
            FactEntry(point, FactKind.SERVICE, "inactive", at, later),
        )

    async def _hanging(self, serial: str, at: datetime) -> InstalledMeter:
        """Return the meter of a serial where it hangs at an instant, or where it ends right then."""
        meters = await self.registry.meters_of_serials([serial])
        if not meters:
            raise UnknownRecordError(f"no meter of serial {serial[:60]!r}")
        around = await self.registry.installed(None, Period(at - _MOMENT, at + _MOMENT), meters=[meters[0].id])
        if not around:
            raise UnknownRecordError(f"meter {serial} hangs nowhere at {at.isoformat()}")
        return around[0] if len(around) == 1 else next(i for i in around if i.installation.start <= at)

    async def _settled(self, one: InstalledMeter, at: datetime, taken: TakenReads) -> EndReads:
        """Return reads, those that could not be taken estimated."""
        found: dict[Channel, EndRead] = {}
        for channel, read in taken.items():
            if isinstance(read, Unreadable):
                known = await self._known(one, channel, at)
                found[channel] = register_at(known, epoch_s(at), because=read.because, meter=one.meter.serial)
            else:
                found[channel] = EndRead(read)
        return found

    async def _known(self, one: InstalledMeter, channel: Channel, at: datetime) -> Known:
        i = one.installation
        window = Period(max(i.start, at - REACH), min(i.end or at + REACH, at + REACH))
        spans = [MeterSpan(i.service_point_id, i.meter_id, window)]
        registers = await self.store.intervals.registers(self.scope, spans, channel, window)
        values = await self.store.intervals.values(self.scope, spans, channel, window)
        by_hand = [
            (epoch_s(when), reads[channel])
            for when, reads in ((i.start, i.in_reads), (i.end, i.out_reads))
            if when is not None and channel in reads and window.start <= when <= window.end
        ]
        extra = np.array(by_hand, dtype=np.int64).reshape(-1, 2)
        form = one.meter.registers.get(channel)
        return Known(
            np.concatenate([registers.at, extra[:, 0]]), np.concatenate([registers.value, extra[:, 1]]),
            values.start, values.value, one.meter.interval_s,
            one.meter.capacity_wh if form is None else form.capacity,
            one.meter.resolution_wh if form is None else form.resolution,
        )  # fmt: skip

    async def _days_before(self, one: InstalledMeter, channel: Channel, at: datetime) -> I64:
        """Return the totals [Wh] of whole days lately, those without a gap."""
        place = one.installation.service_point_id
        zone = zone_named((await self.registry.service_point(place)).zone)
        last = local_date(at, zone) - timedelta(days=1)
        first = last - timedelta(days=REFERENCE_DAYS - 1)
        days: DailyTotals = await self.store.summaries.daily_totals(self.scope, [place], channel, first, last)
        return np.asarray(days.total[days.missing == 0])
